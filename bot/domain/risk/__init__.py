"""How likely an account is to fail, what its failure would cost, and what drives it.

Volatilities and drifts are annualised on a 365-day year, times are in seconds, values in one unit of account.
Every function takes scalars or arrays over accounts; scalars in give scalars out.
"""

from bot.domain.risk.empirical import FallDistribution, fall_distribution, first_passage_empirical
from bot.domain.risk.jumps import first_passage_jumps
from bot.domain.risk.learnt import LearntModel, learn
from bot.domain.risk.loss import expected_bad_debt
from bot.domain.risk.passage import distance_to_default, first_passage, first_passage_two_assets
from bot.domain.risk.portfolio import portfolio_insolvency
from bot.domain.risk.scenarios import WorstScenario, worst_scenario
from bot.domain.risk.sensitivities import Greeks, greeks

__all__ = [
    "FallDistribution",
    "Greeks",
    "LearntModel",
    "WorstScenario",
    "distance_to_default",
    "expected_bad_debt",
    "fall_distribution",
    "first_passage",
    "first_passage_empirical",
    "first_passage_jumps",
    "first_passage_two_assets",
    "greeks",
    "learn",
    "portfolio_insolvency",
    "worst_scenario",
]
