"""Splitting one trade over several venues so that the net output is greatest.

Source of the method: water-filling on the price of the shared input (Boyd and Vandenberghe, "Convex
Optimization", section 5.5.3; for market makers Angeris, Evans, Chitra and Boyd, "Optimal Routing for Constant
Function Market Makers", 2022), with each venue's inverse marginal price in closed form, inside a branch and
bound over the fixed costs.
"""

from bot.domain.routing._split import Split, split
from bot.domain.routing.venues import Chain, Concentrated, ConstantProduct, Quote, Venue

__all__ = ["Chain", "Concentrated", "ConstantProduct", "Quote", "Split", "Venue", "split"]
