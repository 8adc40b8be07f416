"""The liquidation engine's arithmetic in exact integers: ``Sizing``, ``CurveParameters`` and ``Clocks``.

Symbols, as in docs/mechanism.md: for one account, V and D value of collateral and debt, A and D_w the
weighted ones, HF = A / D_w; for the collateral sold k its liquidation threshold and m the multiplier over
the oracle price; for the debt repaid d its amount and w its debt weight; h the target health factor, p
the penalty, b = (1 + p) / m the incentive factor; M the highest multiplier among the collaterals and the legs
that were sold out, where a collateral that does not run counts 1 and one below the dust value not at all, and
S = V M.

Amounts are token units, prices WAD quote units per whole token, values WAD quote units, fractions WAD;
all of them non-negative. The rounding of each step is the contract's, and stated where it is taken. Only
what comes from here may reach calldata; floats screen and rank.
"""

from bot.domain.engine.accounts import UNBOUNDED, AssetTerms, Balance, Holding, balance_of, netted
from bot.domain.engine.clocks import Leg, Markets, Pace, pace_of
from bot.domain.engine.limits import Dearer, Rival, cost_of, dearer, released
from bot.domain.engine.parameters import EngineParameters
from bot.domain.engine.sizing import (
    Position,
    Sale,
    Terms,
    highest_sold_out,
    largest_take,
    leaves_dust,
    multiplier_down,
    multiplier_up,
    partial_take,
    payment_up,
    position_of,
    realised,
    sale_size,
    terms_at,
)
from bot.domain.engine.starts import Curve, CurveInputs, Opening

__all__ = [
    "UNBOUNDED",
    "AssetTerms",
    "Balance",
    "Curve",
    "CurveInputs",
    "Dearer",
    "EngineParameters",
    "Holding",
    "Leg",
    "Markets",
    "Opening",
    "Pace",
    "Position",
    "Rival",
    "Sale",
    "Terms",
    "balance_of",
    "cost_of",
    "dearer",
    "highest_sold_out",
    "largest_take",
    "leaves_dust",
    "multiplier_down",
    "multiplier_up",
    "netted",
    "pace_of",
    "partial_take",
    "payment_up",
    "position_of",
    "realised",
    "released",
    "sale_size",
    "terms_at",
]
