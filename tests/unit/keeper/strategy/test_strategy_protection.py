"""What is decided on accounts that asked for protection, and why not otherwise."""

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.protection import ProtectionRules, ProtectionTerms
from bot.domain.wad import WAD
from bot.strategy.decide import decide
from bot.strategy.decision import Decision, Decisions, Kind, Reason
from bot.strategy.inclusion import Inclusions
from bot.strategy.protected import Protected, Protections
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import Snapshot
from tests.support.snapshots import NOW, USDC, WETH, Scene, pool_at

FREE = StrategySettings(priority_fee=0)
GWEI = 10**9
ALL = 2**256 - 1
TERMS = ProtectionTerms(7, 3 * WAD, 14_400, 11_000, 80, 0, 2**40 - 1, 100, 1_000_000, 2_000_000)


def protected(scene: Scene, known: Protected | None = None, **changed: Any) -> Snapshot:
    """Return the scene with every account protected, and protection as told."""
    snapshot = scene.shoot()
    accounts = {account: known or Protected(TERMS, True) for account in snapshot.positions.accounts}
    return replace(snapshot, protections=Protections(accounts, **changed))


def only(decisions: Decisions) -> Decision:
    (decision,) = decisions.decisions
    return decision


def reasons(decision: Decision) -> set[Reason]:
    assert all(rejection.kind is Kind.DELEVERAGE for rejection in decision.rejected)
    return {rejection.reason for rejection in decision.rejected}


@pytest.fixture
def scene() -> Scene:
    """Return an account at health 1.0335, 1.5 deviations of four hours from default, beside a deep pool."""
    made = Scene(pools=[pool_at(193, 5e7)])
    made.prices["WETH"] = 193.0
    made.account({"WETH": 100}, {"USDC": 15_500})
    return made


def test_an_account_that_is_near_is_deleveraged_to_its_target(scene: Scene) -> None:
    chosen = only(decide(protected(scene), FREE)).chosen
    assert chosen is not None
    assert chosen.action.kind is Kind.DELEVERAGE
    assert (chosen.action.collateral_ids, chosen.action.debt_id) == ((WETH,), USDC)
    assert chosen.action.max_seized == ALL, "the contract knows the size when it lands"
    repaid = chosen.repaid / 10**6
    assert repaid == pytest.approx((1.1 * 15_500 - 16_019) / (1.1 - 0.83 * 1.008), rel=1e-6)
    assert chosen.seized * 193 / WAD == pytest.approx(repaid * 1.008, rel=1e-6)
    assert chosen.revenue / WAD == pytest.approx(repaid * 0.0075, rel=0.05), "the fee less the pool's"


def test_nobody_is_touched_who_did_not_ask(scene: Scene) -> None:
    assert decide(scene.shoot(), FREE).decisions == ()
    assert decide(replace(scene.shoot(), protections=Protections()), FREE).decisions == ()


def test_an_account_above_its_target_is_not_even_looked_at(scene: Scene) -> None:
    scene.prices["WETH"] = 206.0
    assert decide(protected(scene), FREE).decisions == ()


def test_an_account_that_is_liquidatable_is_left_to_the_engine(scene: Scene) -> None:
    scene.prices["WETH"] = 186.0
    decision = only(decide(protected(scene), FREE))
    assert decision.chosen is not None
    assert decision.chosen.action.kind is Kind.KICK


def test_a_distance_above_the_minimum_waits(scene: Scene) -> None:
    scene.prices["WETH"] = 203.0
    decision = only(decide(protected(scene), FREE))
    assert decision.chosen is None
    (rejection,) = decision.rejected
    assert rejection.reason is Reason.DD_ABOVE_MIN
    assert rejection.numbers["distance"] > rejection.numbers["least_distance"] == 3 * WAD


def test_a_scenario_that_the_owner_counts_triggers(scene: Scene) -> None:
    scene.prices["WETH"] = 203.0
    scene.pools = [pool_at(203, 5e7)]
    known = Protected(TERMS._replace(scenarios=1), True)
    falls: tuple[dict[int, int], ...] = ({WETH: -2_000},)
    assert only(decide(protected(scene, known, scenarios=falls), FREE)).chosen is not None


@pytest.mark.parametrize(
    "known", [Protected(TERMS, False), Protected(TERMS._replace(expiry=NOW), True)], ids=["rights", "expiry"]
)
def test_terms_that_do_not_hold_protect_nobody(scene: Scene, known: Protected) -> None:
    assert reasons(only(decide(protected(scene, known), FREE))) == {Reason.NOT_PROTECTED}


def test_a_pause_and_any_level_of_the_breaker_halt(scene: Scene) -> None:
    assert reasons(only(decide(protected(scene, paused=True), FREE))) == {Reason.HALTED}
    calmed = replace(protected(scene), breaker_level=1)
    assert reasons(only(decide(calmed, FREE))) == {Reason.HALTED}


def test_a_fee_below_the_cost_waits(scene: Scene) -> None:
    generous = ProtectionRules(max_fee_bps=4)
    (rejection,) = only(decide(protected(scene, rules=generous), FREE)).rejected
    assert rejection.reason is Reason.FEE_BELOW_COST
    assert rejection.numbers["payment"] < rejection.numbers["repaid"]
    scene.base_fee = 500 * GWEI
    assert reasons(only(decide(protected(scene), FREE))) == {Reason.FEE_BELOW_COST}


def test_a_shallow_pool_takes_a_part(scene: Scene) -> None:
    scene.pools = [pool_at(193, 400_000)]
    chosen = only(decide(protected(scene), FREE)).chosen
    assert chosen is not None
    whole = (1.1 * 15_500 - 16_019) / (1.1 - 0.83 * 1.008)
    assert chosen.repaid / 10**6 == pytest.approx(whole / 2, rel=1e-6)
    assert chosen.action.max_seized == chosen.repaid


def test_collateral_that_the_owner_keeps_and_a_missing_pool_are_told(scene: Scene) -> None:
    kept = Protected(TERMS._replace(collaterals=2), True)
    assert reasons(only(decide(protected(scene, kept), FREE))) == {Reason.COLLATERAL_KEPT}
    scene.pools = []
    assert reasons(only(decide(protected(scene), FREE))) == {Reason.NO_POOL}


def test_what_the_owner_allows_within_a_day_bounds_a_sale(scene: Scene) -> None:
    nearly = Protected(TERMS._replace(max_value=500, max_daily_value=1_000), True, 750 * WAD, NOW - 60)
    chosen = only(decide(protected(scene, nearly), FREE)).chosen
    assert chosen is not None
    assert chosen.repaid == 250 * 10**6
    spent = replace(nearly, sold=950 * WAD)
    assert reasons(only(decide(protected(scene, spent), FREE))) == {Reason.OWNERS_BOUND}
    tomorrow = replace(spent, since=NOW - 86_400)
    chosen = only(decide(protected(scene, tomorrow), FREE)).chosen
    assert chosen is not None
    assert chosen.repaid == 500 * 10**6


def test_the_most_profitable_comes_first_and_liquidations_before_it(scene: Scene) -> None:
    scene.account({"WETH": 1_000}, {"USDC": 155_000})
    scene.account({"WETH": 100}, {"USDC": 17_000})
    decisions = decide(protected(scene), FREE).decisions
    assert [int.from_bytes(decision.account) for decision in decisions] == [2, 1, 0]
    decisions = decide(protected(scene), replace(FREE, max_actions=2)).decisions
    assert decisions[1].chosen is not None
    assert decisions[2].chosen is None
    assert decisions[2].rejected[-1].reason is Reason.BLOCK_FULL


def test_it_never_stands_before_a_settlement_and_is_worth_its_fee(scene: Scene) -> None:
    snapshot = protected(scene)
    chosen = only(decide(snapshot, FREE)).chosen
    assert chosen is not None
    found = Inclusions(FREE).of(snapshot, chosen)
    assert not found.urgent
    assert found.worth == chosen.revenue * WAD // (193 * WAD)
    assert [(moved.asset, moved.debt) for moved in found.moves] == [("WETH", "USDC")]
