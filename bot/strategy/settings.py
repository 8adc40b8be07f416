"""What the operator chooses; the defaults are those of sluice.toml."""

from dataclasses import dataclass, field

from bot.domain.wad import BPS
from bot.errors import InvalidInputError
from bot.strategy.decision import Kind
from bot.strategy.outlook import OutlookSettings
from bot.strategy.timing import TimingSettings


@dataclass(frozen=True, slots=True)
class GasEstimates:
    """Gas that each action takes: medians measured on the contracts, rounded up.

    They only price a candidate; the limit of a transaction is set by its own simulation. A swap is through
    one pool; each pool more, beside it or behind it, takes `pool`. A further swap of the same account in the
    same call takes `further`.
    """

    kick: int = 210_000
    kick_swap: int = 500_000
    redo_swap: int = 500_000
    redo: int = 210_000
    clear: int = 105_000
    lapse: int = 110_000
    net: int = 180_000
    swap: int = 400_000
    take: int = 340_000
    fill: int = 320_000
    poke: int = 230_000
    end: int = 300_000
    mark: int = 220_000
    deleverage: int = 480_000
    pool: int = 130_000
    further: int = 260_000

    def of(self, kind: Kind, pools: int = 1) -> int:
        """Return the gas of an action that sells through so many pools."""
        return int(getattr(self, kind.value)) + (pools - 1) * self.pool

    def of_further(self, pools: int) -> int:
        """Return the gas of a further swap in a call, through so many pools."""
        return self.further + (pools - 1) * self.pool


@dataclass(frozen=True, slots=True)
class StrategySettings:
    """Limits and prices of the strategy.

    Parameters
    ----------
    minimum_profit : int
        Least revenue after gas of a settlement, WAD quote units. Negative: what the operator is willing to
        pay, per settlement, for the protocol's health.
    kick_unprofitable : bool
        Whether to flag accounts whose tip and chip would not pay for the gas.
    housekeeping : bool
        Whether to end auctions of healthy accounts, start missing legs and net, for which nobody is paid.
    max_slippage_bps : int
        Most that a sale's average price may fall short of the pool's marginal price after fees.
    price_tolerance_bps : int
        Most that the pool or the reserve may move against a transaction before it lands.
    max_actions : int
        Most transactions on one head.
    max_sales : int
        Most sales of one account in one transaction; 1 leaves what one cannot do to the next head.
    priority_fee : int
        Wei per gas on top of the base fee.
    mark_from : int
        Least expected deficit of an account, beyond what is marked, at which it is marked again, WAD quote
        units; 0 never.
    gas_asset : str
        Symbol of the listed asset in which gas is paid.
    gas : GasEstimates
        Gas of each action.
    outlook : OutlookSettings
        How accounts are forecast.
    timing : TimingSettings
        When the keeper leaves a settlement for the next block.
    """

    minimum_profit: int = 0
    kick_unprofitable: bool = True
    housekeeping: bool = True
    max_slippage_bps: int = 200
    price_tolerance_bps: int = 50
    max_actions: int = 32
    max_sales: int = 4
    priority_fee: int = 10**9
    mark_from: int = 0
    gas_asset: str = "WETH"
    gas: GasEstimates = field(default_factory=GasEstimates)
    outlook: OutlookSettings = field(default_factory=OutlookSettings)
    timing: TimingSettings = field(default_factory=TimingSettings)

    def least(self, sales: int) -> int:
        """Return the least revenue after gas of so many sales in one call, WAD quote units.

        What is asked for is asked for once; what the operator is willing to pay, he pays for each.
        """
        return self.minimum_profit * (sales if self.minimum_profit < 0 else 1)

    def __post_init__(self) -> None:
        for name in ("max_slippage_bps", "price_tolerance_bps"):
            value = getattr(self, name)
            if not 0 < value < BPS:
                raise InvalidInputError(name, value, f"between 1 and {BPS - 1}")
        for name in ("max_actions", "max_sales"):
            if getattr(self, name) < 1:
                raise InvalidInputError(name, getattr(self, name), "at least 1")
        for name in ("priority_fee", "mark_from"):
            if getattr(self, name) < 0:
                raise InvalidInputError(name, getattr(self, name), "at least 0")
