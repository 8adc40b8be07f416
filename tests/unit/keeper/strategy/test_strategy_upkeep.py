"""What is done for nobody's pay: auctions that nobody settled are ended, expected deficits marked."""

from dataclasses import replace

import pytest

from bot.domain.wad import WAD
from bot.strategy.case import Case
from bot.strategy.decide import decide
from bot.strategy.decision import Action, Candidate, Decision, Kind, Reason
from bot.strategy.inclusion import Inclusion, Inclusions
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import INTERRUPTED, Snapshot
from tests.support.snapshots import NOW, RULES, USDC, WETH, Scene, pool_at, units

FREE = StrategySettings(priority_fee=0)
MARKING = replace(FREE, mark_from=100 * WAD)


def only(snapshot: Snapshot, settings: StrategySettings = FREE) -> Decision:
    (decision,) = decide(snapshot, settings).decisions
    return decision


def chosen(snapshot: Snapshot, settings: StrategySettings = FREE) -> Kind | None:
    found = only(snapshot, settings).chosen
    return None if found is None else found.action.kind


@pytest.fixture
def scene() -> Scene:
    """Return an account far under water whose auction has lapsed at its floor, and a pool that pays less."""
    made = Scene(pools=[pool_at(150, 1e7)])
    made.auction(made.account({"WETH": 100}, {"USDC": 20_500}), ["WETH"], age=RULES.tail)
    return made


def test_a_lapsed_auction_that_no_pool_would_have_paid_is_ended(scene: Scene) -> None:
    decision = only(scene.shoot())
    assert decision.chosen is not None
    assert decision.chosen.action.kind is Kind.END
    (lost,) = decision.rejected
    assert (lost.kind, lost.reason) == (Kind.REDO, Reason.MARKET_GONE)
    assert lost.numbers["spot"] < lost.numbers["asked"] == RULES.floor


def test_a_lapsed_auction_that_a_pool_pays_for_is_begun_again(scene: Scene) -> None:
    scene.pools = [pool_at(190, 1e7)]
    decision = only(scene.shoot())
    assert decision.chosen is not None
    assert decision.chosen.action.kind is Kind.REDO
    (lost,) = [found for found in decision.rejected if found.kind is Kind.END]
    assert lost.reason is Reason.MARKET_PAYS


def test_a_lapsed_auction_whose_collateral_covers_the_debt_at_the_oracles_price_cannot_be_ended(
    scene: Scene,
) -> None:
    scene.accounts[0] = ({"WETH": 100}, {"USDC": 20_001})
    assert chosen(scene.shoot()) is Kind.END
    scene.accounts[0] = ({"WETH": 100}, {"USDC": 20_000})  # and 0.8 of 20,000 does not
    assert Case.of(scene.shoot(), 0).asked_last is None


def test_what_was_not_for_sale_is_not_ended(scene: Scene) -> None:
    scene.accounts[0] = ({"WETH": 95, "WBTC": 0.1}, {"USDC": 22_000})
    assert Case.of(scene.shoot(), 0).missing_legs
    assert Case.of(scene.shoot(), 0).asked_last is None


def test_an_auction_that_a_halt_interrupted_is_begun_again(scene: Scene) -> None:
    scene.resumed_at = NOW - 1
    assert chosen(scene.shoot()) is Kind.REDO


def test_a_flag_of_another_engine_is_taken_over_and_not_ended(scene: Scene) -> None:
    assert chosen(replace(scene.shoot(), auctions={})) is Kind.REDO


def test_without_housekeeping_nothing_is_ended(scene: Scene) -> None:
    assert chosen(scene.shoot(), replace(FREE, housekeeping=False)) is Kind.REDO


def test_the_reserve_at_the_lapse_does_not_fall_any_further(scene: Scene) -> None:
    scene.rules = replace(RULES, floor_multiplier_bps=1_000)
    at_lapse = Case.of(scene.shoot(), 0).asked_last
    scene.auction(0, ["WETH"], age=RULES.tail + 3_600)
    later = Case.of(scene.shoot(), 0).asked_last
    assert at_lapse is not None
    assert RULES.floor > at_lapse
    assert later == at_lapse


# -------------------------------------------------------------------------------- lapses


@pytest.fixture
def unpriced() -> Scene:
    """Return three accounts whose auctions run, two of them of ether, whose price is refused."""
    made = Scene(prices={"WETH": None, "WBTC": 8_000.0, "USDC": 1.0}, swap_open=False, take_open=False)
    made.auction(made.account({"WETH": 100}, {"USDC": 20_500}), ["WETH"], age=60)
    made.auction(made.account({"WBTC": 1}, {"USDC": 7_000}), ["WBTC"], age=60)
    made.auction(made.account({"WBTC": 1}, {"WETH": 38}), ["WBTC"], age=60)
    return made


def lapsing(snapshot: Snapshot, settings: StrategySettings = FREE) -> list[tuple[int, Action]]:
    found = (decision.chosen for decision in decide(snapshot, settings).decisions)
    actions = (candidate.action for candidate in found if candidate is not None)
    return [(int.from_bytes(action.account), action) for action in actions if action.kind is Kind.LAPSE]


def test_a_running_auction_is_told_of_the_price_that_is_refused(unpriced: Scene) -> None:
    found = dict(lapsing(unpriced.shoot()))
    assert sorted(found) == [0, 2]
    assert found[0].collateral_ids == (WETH, USDC)  # whose prices the engine is to ask for


def test_what_has_lapsed_is_not_told_again(unpriced: Scene) -> None:
    auction = unpriced.auctions[0]
    unpriced.auctions[0] = replace(auction, kicked_at=INTERRUPTED)
    unpriced.auctions[2] = replace(auction, kicked_at=NOW - RULES.tail)
    assert lapsing(unpriced.shoot()) == []


def test_a_price_that_is_back_leaves_a_redo(unpriced: Scene) -> None:
    unpriced.prices["WETH"] = 200.0
    unpriced.auctions[0] = replace(unpriced.auctions[0], kicked_at=INTERRUPTED)
    first, *_ = (found for found in decide(unpriced.shoot(), FREE).decisions if not any(found.account))
    assert first.chosen is not None
    assert first.chosen.action.kind is Kind.REDO
    assert Case.of(unpriced.shoot(), 0).asked_last is None


def test_lapses_keep_within_the_actions_of_a_head_and_are_housekeeping(unpriced: Scene) -> None:
    assert len(lapsing(unpriced.shoot(), replace(FREE, max_actions=1))) <= 1
    assert lapsing(unpriced.shoot(), replace(FREE, housekeeping=False)) == []


# -------------------------------------------------------------------------------- marks


@pytest.fixture
def feared() -> Scene:
    """Return an account whose collateral falls 800 short of its debt at its reserve, and no pool."""
    made = Scene()
    made.auction(made.account({"WETH": 100}, {"USDC": 20_000}), ["WETH"], age=420)
    return made


def test_deficits_are_marked_only_where_asked_for(feared: Scene) -> None:
    assert chosen(feared.shoot()) is None
    assert chosen(feared.shoot(), MARKING) is Kind.MARK
    assert chosen(feared.shoot(), replace(MARKING, housekeeping=False)) is Kind.MARK


def test_what_is_marked_already_is_not_marked_again(feared: Scene) -> None:
    snapshot = feared.shoot()
    due = Case.of(snapshot, 0).feared
    marked = replace(snapshot, marks={0: {USDC: due // 10**12 - units("USDC", 99)}})
    assert chosen(marked, MARKING) is None
    marked = replace(snapshot, marks={0: {USDC: due // 10**12 - units("USDC", 101)}})
    assert chosen(marked, MARKING) is Kind.MARK


def test_a_settlement_comes_before_a_mark(feared: Scene) -> None:
    feared.pools = [pool_at(200, 1e8)]
    assert chosen(feared.shoot(), MARKING) in (Kind.SWAP, Kind.TAKE)


def test_an_account_without_an_auction_is_feared_for_at_the_oracles_price() -> None:
    scene = Scene(halted=True)
    scene.account({"WETH": 100}, {"USDC": 20_500})
    assert Case.of(scene.shoot(), 0).feared == 500 * WAD
    assert chosen(scene.shoot(), MARKING) is Kind.MARK


@pytest.mark.parametrize("gift", [0.012, 0.013])
def test_a_gift_takes_its_own_worth_off_what_is_feared(feared: Scene, gift: float) -> None:
    alone = Case.of(feared.shoot(), 0).feared
    feared.accounts[0] = ({"WETH": 100, "WBTC": gift}, {"USDC": 20_000})
    assert Case.of(feared.shoot(), 0).feared == alone - round(gift * 8_000) * WAD


def test_an_auction_that_lapsed_is_feared_for_at_the_oracles_price(feared: Scene) -> None:
    assert Case.of(feared.shoot(), 0).feared > 700 * WAD
    feared.resumed_at = NOW - 1
    assert Case.of(feared.shoot(), 0).feared == 0
    feared.accounts[0] = ({"WETH": 100}, {"USDC": 20_300})
    assert Case.of(feared.shoot(), 0).feared == 300 * WAD


def test_what_was_solvent_when_its_auction_began_is_not_ended(scene: Scene) -> None:
    scene.auction(0, ["WETH"], age=RULES.tail, insolvent=False)
    assert chosen(scene.shoot()) is Kind.REDO


def test_what_was_for_sale_for_less_than_half_of_the_tail_is_not_ended(scene: Scene) -> None:
    scene.rules = replace(RULES, floor_multiplier_bps=1_000)
    leg = scene.auctions[0].legs[WETH]
    for late, ends in ((0, True), (RULES.tail // 2, True), (RULES.tail // 2 + 1, False)):
        legs = {WETH: replace(leg, started_at=leg.started_at + late)}
        scene.auctions[0] = replace(scene.auctions[0], legs=legs)
        assert (Case.of(scene.shoot(), 0).asked_last is not None) is ends


def test_what_lapsed_with_nothing_worth_selling_asked_nothing(scene: Scene) -> None:
    scene.accounts[0] = ({"WETH": 0.4}, {"USDC": 500})
    assert Case.of(scene.shoot(), 0).asked_last == 0
    assert WETH in scene.auctions[0].legs


@pytest.mark.parametrize("kind", [Kind.END, Kind.MARK])
def test_what_writes_off_is_neither_urgent_nor_worth_anything_by_itself(kind: Kind) -> None:
    unpaid = Candidate(Action(kind, (0).to_bytes(20)), 0, 5)
    found = Inclusions(FREE).of(Scene().shoot(), unpaid)
    assert found == Inclusion(urgent=False, worth=None)
