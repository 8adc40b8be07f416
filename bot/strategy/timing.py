"""Now, or a block later: what waiting would bring, and what it would cost.

The reserve falls with every block, so the same settlement pays its settler more a block later; but somebody
else may settle first, and the account may sink meanwhile. Waiting is worth

    (1 - race) * net_later - care * loss_of_waiting * block_time / horizon

where ``net_later`` is counted above the operator's minimum, ``race`` is the chance of losing the race within
a block and ``loss_of_waiting`` the lenders' expected loss over the outlook's horizon. The first term is the
keeper's own money, in integers; the second is a forecast in floats, and only moves the choice.
"""

from dataclasses import dataclass

from bot.domain.wad import BPS, WAD
from bot.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class TimingSettings:
    """What the operator believes of rivals, and how much lenders' losses weigh.

    Parameters
    ----------
    block_time_s : int
        Seconds to the next block.
    race_bps : int
        Chance that somebody else settles an account that is left for a block, in basis points. At 10,000
        nothing waits.
    care_bps : int
        Weight of the lenders' expected loss against the keeper's own profit, in basis points.
    """

    block_time_s: int = 12
    race_bps: int = 9_000
    care_bps: int = BPS

    def __post_init__(self) -> None:
        if self.block_time_s < 1:
            raise InvalidInputError("block_time_s", self.block_time_s, "at least 1")
        if not 0 <= self.race_bps <= BPS:
            raise InvalidInputError("race_bps", self.race_bps, f"between 0 and {BPS}")
        if self.care_bps < 0:
            raise InvalidInputError("care_bps", self.care_bps, "at least 0")


def value_of_waiting(net_later: int, loss_of_waiting: float, horizon_s: int, settings: TimingSettings) -> int:
    """Return what leaving a settlement for a block is worth, WAD quote units; negative where it costs.

    Parameters
    ----------
    net_later : int
        Revenue after gas of the same settlement a block later, above the operator's minimum, WAD quote units.
    loss_of_waiting : float
        Lenders' expected loss over the horizon if nothing is done, quote units, not negative.
    horizon_s : int
        Of that loss, seconds, above zero.
    settings : TimingSettings
        Rivals and weights.
    """
    kept = max(net_later, 0) * (BPS - settings.race_bps) // BPS
    return kept - cost_of_a_block(loss_of_waiting, horizon_s, settings)


def cost_of_a_block(loss_of_waiting: float, horizon_s: int, settings: TimingSettings) -> int:
    """Return what leaving an account as it is for a block costs the lenders, weighed, WAD quote units.

    Parameters
    ----------
    loss_of_waiting : float
        Their expected loss over the horizon if nothing is done, quote units, not negative.
    horizon_s : int
        Of that loss, seconds, above zero.
    settings : TimingSettings
        The weight, and the time between blocks.
    """
    share = min(settings.block_time_s / horizon_s, 1.0)
    return int(loss_of_waiting * share * settings.care_bps / BPS * 10**6) * (WAD // 10**6)
