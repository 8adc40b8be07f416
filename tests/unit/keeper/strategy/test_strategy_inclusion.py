"""What it is worth that an action lands."""

from dataclasses import replace

import pytest

from bot.domain.wad import WAD
from bot.strategy.decision import Action, Booking, Candidate, Kind
from bot.strategy.inclusion import Inclusion, Inclusions, Moved
from bot.strategy.settings import StrategySettings
from tests.support.snapshots import UNITS, USDC, WBTC, WETH, Scene

ACCOUNT = b"\1" * 20


def candidate(kind: Kind, *, revenue: int = 0, gas: int = 0, asset: int = WETH, seized: int = 0) -> Candidate:
    debt_id = USDC if kind in (Kind.SWAP, Kind.TAKE) else None
    return Candidate(Action(kind, ACCOUNT, (asset,), debt_id), revenue, gas, seized)


def found(chosen: Candidate, scene: Scene | None = None, minimum: int = 0) -> Inclusion:
    return Inclusions(StrategySettings(minimum_profit=minimum)).of((scene or Scene()).shoot(), chosen)


@pytest.mark.parametrize("kind", [Kind.SWAP, Kind.TAKE])
def test_a_settlement_is_worth_its_revenue_in_wei(kind: Kind) -> None:
    worth = found(candidate(kind, revenue=50 * WAD, seized=3 * UNITS[WETH]))
    assert worth == Inclusion(True, WAD // 4, (Moved("WETH", 600 * WAD, "USDC"),))


def test_its_worth_leaves_the_least_profit_that_the_operator_wants() -> None:
    chosen = candidate(Kind.SWAP, revenue=50 * WAD)
    assert found(chosen, minimum=10 * WAD).worth == WAD // 5
    assert found(chosen, minimum=60 * WAD).worth == 0
    assert found(chosen, minimum=-10 * WAD).worth == WAD * 3 // 10


def test_worth_is_rounded_down_and_value_up() -> None:
    chosen = candidate(Kind.SWAP, revenue=199, asset=WBTC, seized=1)
    assert (found(chosen).worth, found(chosen).moves[0].value) == (0, 8_000 * 10**10)
    assert found(candidate(Kind.SWAP, revenue=1, seized=1)).moves[0].value == 200


def test_without_a_price_of_the_gas_asset_nothing_is_measured() -> None:
    scene = Scene()
    scene.prices["WETH"] = None
    assert found(candidate(Kind.SWAP, revenue=50 * WAD, asset=WBTC), scene).worth is None


@pytest.mark.parametrize("kind", [Kind.CLEAR, Kind.LAPSE, Kind.NET])
def test_upkeep_waits_behind_everything_and_has_no_worth(kind: Kind) -> None:
    assert found(candidate(kind, revenue=WAD)) == Inclusion(urgent=False, worth=None)


def test_a_poke_is_urgent_so_that_it_goes_before_the_kick_that_starts_from_it() -> None:
    assert found(candidate(Kind.POKE)) == Inclusion(urgent=True, worth=None)


@pytest.mark.parametrize("kind", [Kind.KICK, Kind.REDO])
def test_a_start_is_urgent_if_it_pays(kind: Kind) -> None:
    assert found(candidate(kind, revenue=5, gas=5)).urgent
    assert not found(candidate(kind, revenue=4, gas=5)).urgent
    assert found(candidate(kind, revenue=5, gas=5)).worth is None


def test_the_price_of_gas_is_that_of_the_head_last_seen() -> None:
    inclusions = Inclusions(StrategySettings())
    assert inclusions.native_price is None
    inclusions.see(Scene().shoot())
    assert inclusions.native_price == 200 * WAD


def test_every_sale_of_an_action_counts_for_its_own_collateral() -> None:
    first = candidate(Kind.SWAP, revenue=30 * WAD, seized=UNITS[WETH])
    second = Booking(WBTC, USDC, 2 * UNITS[WBTC], 0, 0, WAD, WAD, revenue=10 * WAD, gas_cost=0, tip=0)
    action = replace(first.action, further=(Action(Kind.SWAP, ACCOUNT, (WBTC,), USDC),))
    both = replace(first, action=action, further=(second,))
    assert found(both).moves == (Moved("WETH", 200 * WAD, "USDC"), Moved("WBTC", 16_000 * WAD, "USDC"))
    assert found(both, minimum=5 * WAD).worth == 25 * WAD // 200, "asked for once"
    assert found(both, minimum=-5 * WAD).worth == 40 * WAD // 200, "paid for each"
