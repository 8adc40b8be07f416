"""What a replay is asked for."""

from dataclasses import dataclass
from pathlib import Path

from bot.errors import ReplayOptionError
from bot.sim.scenario import Scenario
from bot.sim.schedule import SMALLEST_BUDGET
from bot.sim.variants import Variant

POOL_DEPTH = 0.1
RECOVERY_S = 60.0
GAS_PRICE_GWEI = 30.0
ACCOUNTS = 200
ACKNOWLEDGE_TIMEOUT_S = 10.0
MOST_ACCOUNTS = 5_000
MOST_POOL_DEPTH = 100.0


@dataclass(frozen=True, slots=True)
class Settings:
    """One replay.

    Parameters
    ----------
    scenario : Scenario
        Prices and window.
    seed : int
        Of the path inside the bars, of the book and of every key.
    accounts : int
        Size of a generated book.
    book : Path or None
        A book of one's own instead.
    pool_depth : float
        Depth over 2 % of the price on one side of each pool, over the total debt of the book.
    recovery_s : float
        Time in which arbitrage closes half of a pool's gap to the market.
    gas_price_gwei : float
        Base fee of every block.
    max_blocks : int
        Most blocks.
    port : int or None
        Of the node; a free one if None.
    acknowledge_timeout_s : float
        Wall time that the keeper is given to act on a head.
    variant : Variant
        Mechanism that is played.
    """

    scenario: Scenario
    seed: int
    accounts: int
    book: Path | None
    pool_depth: float
    recovery_s: float
    gas_price_gwei: float
    max_blocks: int
    port: int | None = None
    acknowledge_timeout_s: float = ACKNOWLEDGE_TIMEOUT_S
    variant: Variant = Variant.FULL

    def check(self) -> None:
        """Check what the types do not.

        Raises
        ------
        ReplayOptionError
            If an option is outside what it may be.
        """
        _within("--seed", self.seed, 0, 2**63 - 1)
        _within("--accounts", self.accounts, 1, MOST_ACCOUNTS)
        _within("--pool-depth", self.pool_depth, 1e-4, MOST_POOL_DEPTH)
        _within("--recovery", self.recovery_s, 1.0, 86_400.0)
        _within("--gas-price", self.gas_price_gwei, 0.001, 100_000.0)
        _within("--max-blocks", self.max_blocks, SMALLEST_BUDGET, 100_000)
        _within("--acknowledge-timeout", self.acknowledge_timeout_s, 0.1, 600.0)
        if self.port is not None:
            _within("--port", self.port, 1, 65_535)


def _within(option: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ReplayOptionError(option, value, f"from {low:g} to {high:g}")
