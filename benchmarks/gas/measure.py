"""What is measured, in which order, and on which accounts."""

from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.gas.aave import Aave
from benchmarks.gas.chain import FIRST_BORROWER, Chain
from benchmarks.gas.market import ETH_PRICE
from benchmarks.gas.morpho import Morpho
from benchmarks.gas.sluice import OTHERS, USDC_ID, WETH_ID, Sluice

ETHER = 5.0
DEBT = 7_950
"""US dollars against 5 WETH at 2,000: just within what may be borrowed."""
FALLEN = 1_900
PEER_FALLEN = 1_700
LAPSE = 2 * 3_600
SNAPSHOT = (
    "kick",
    "take_partial",
    "take_full",
    "kick_and_swap",
    "fill",
    "redo",
    "deposit",
    "borrow",
    "repay",
)


@dataclass
class Figures:
    """Gas by operation."""

    sluice: dict[str, int] = field(default_factory=dict)
    aave_v3: dict[str, int] = field(default_factory=dict)
    morpho_blue: dict[str, int] = field(default_factory=dict)

    def snapshot(self) -> dict[str, dict[str, int]]:
        """Return the figures that are kept: one collateral, one debt, fresh depth."""
        return {
            "sluice": {name: self.sluice[name] for name in SNAPSHOT},
            "aave_v3": dict(sorted(self.aave_v3.items())),
            "morpho_blue": dict(sorted(self.morpho_blue.items())),
        }


def measure(chain: Chain, progress: Callable[[str], None] = lambda text: None) -> Figures:
    """Deploy all three on one chain and measure each operation."""
    figures = Figures()
    progress("deploying Sluice")
    sluice = Sluice(chain)
    sluice.deploy()
    figures.sluice = measure_sluice(sluice, progress)
    for name, protocol, unit in (
        ("aave_v3", Aave(chain, sluice.market), 1_000),
        ("morpho_blue", Morpho(chain, sluice.market), 0.5),
    ):
        progress(f"deploying {name}")
        protocol.deploy()
        setattr(figures, name, measure_peer(protocol, unit))
    return figures


def measure_peer(protocol: Aave | Morpho, unit: float) -> dict[str, int]:
    """Measure a protocol that liquidates in one call, on the second of two accounts."""
    gas: dict[str, int] = {}
    for borrower in (FIRST_BORROWER, FIRST_BORROWER + 1):
        protocol.deposit(borrower, ETHER)
        gas["deposit"] = protocol.deposit(borrower, ETHER)
        protocol.borrow(borrower, 2 * DEBT - 1_000)
        gas["borrow"] = protocol.borrow(borrower, 500)
        gas["repay"] = protocol.repay(borrower, 10)
    protocol.drop(PEER_FALLEN)
    for borrower in (FIRST_BORROWER, FIRST_BORROWER + 1):
        gas["liquidate"] = protocol.liquidate(borrower, unit)  # type: ignore[arg-type]  # dollars or ether
    return gas


def measure_sluice(sluice: Sluice, progress: Callable[[str], None]) -> dict[str, int]:
    """Measure every operation, each on a state that the measurements before it did not touch."""
    gas: dict[str, int] = {}
    first, second = FIRST_BORROWER, FIRST_BORROWER + 1
    for borrower in (first, second):
        sluice.deposit(borrower, ETHER / 2)
        gas["deposit"] = sluice.deposit(borrower, ETHER / 2)
        sluice.borrow(borrower, DEBT - 500)
        gas["borrow"] = sluice.borrow(borrower, 500)
    gas["repay"] = sluice.repay(second, 10)
    sluice.borrow(second, 10)
    many = {count: _with_collaterals(sluice, FIRST_BORROWER + 1 + count, count) for count in (3, OTHERS + 1)}
    progress("letting the price fall")
    sluice.fall(FALLEN)
    _warm(sluice, first)
    chain = sluice.chain
    with chain.reverted():
        gas["kick_first"] = sluice.kick(second)
    _auction_once(sluice, second)
    for name, run in _operations(sluice, second).items():
        progress(name)
        with chain.reverted():
            gas[name] = run()
    for count, borrower in many.items():
        progress(f"{count} collaterals")
        with chain.reverted():
            ids = (WETH_ID, *range(2, 1 + count))
            gas[f"kick_{count}_collaterals"] = sluice.kick(borrower, ids)
            gas[f"take_{count}_collaterals"] = sluice.take(borrower, None)
    return gas


def _operations(sluice: Sluice, borrower: int) -> dict[str, Callable[[], int]]:
    def after_kick(run: Callable[[], int], wait: int = 0, fresh: bool = True) -> Callable[[], int]:
        def measured() -> int:
            sluice.kick(borrower)
            if wait:
                sluice.chain.advance(wait)
                sluice.publish(sluice.price)
            if fresh:
                sluice.poke()
            return run()

        return measured

    return {
        "kick": lambda: sluice.kick(borrower),
        "take_partial": after_kick(lambda: sluice.take(borrower, 0.5)),
        "take_full": after_kick(lambda: sluice.take(borrower, None)),
        "take_full_stale_depth": after_kick(lambda: sluice.take(borrower, None), wait=1_900, fresh=False),
        "swap": after_kick(lambda: sluice.swap(borrower)),
        "kick_and_swap": lambda: sluice.kick_and_swap(borrower),
        "fill": after_kick(lambda: sluice.fill(borrower)),
        "redo": after_kick(lambda: sluice.redo(borrower), wait=LAPSE + 60),
        "poke": sluice.poke,
    }


def _warm(sluice: Sluice, borrower: int) -> None:
    """Let every slot that all liquidations share be written once: reserve, credits, bucket, nonces."""
    sluice.kick(borrower)
    sluice.take(borrower, 0.1)
    sluice.swap(borrower)


def _auction_once(sluice: Sluice, borrower: int) -> None:
    """Give an account an auction that its owner cured, so that the next finds its slots set."""
    sluice.kick(borrower)
    sluice.repay(borrower, 1_000)
    sluice.publish(ETH_PRICE)
    sluice.borrow(borrower, 1_000)
    sluice.publish(FALLEN)
    sluice.settle_prices()


def _with_collaterals(sluice: Sluice, borrower: int, count: int) -> int:
    """Open an account with that many collaterals, WETH the largest; return it."""
    sluice.deposit(borrower, ETHER - 0.5 * (count - 1))
    for asset_id in range(USDC_ID + 1, USDC_ID + count):
        sluice.deposit(borrower, 0.5, asset_id)
    sluice.borrow(borrower, DEBT)
    return borrower
