"""Sales over several pools: beside each other, one after the other, and both."""

from dataclasses import replace

import pytest

from bot.domain import engine
from bot.domain.amm.uniswap_v3 import tick_at_sqrt_price
from bot.domain.wad import WAD
from bot.strategy.board import Board
from bot.strategy.case import Case
from bot.strategy.decide import decide
from bot.strategy.decision import Candidate, Decision, Kind, Reason, Way
from bot.strategy.routes import Part, Route, paths, split
from bot.strategy.sale import Offer, Pair
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import PoolView
from tests.support.snapshots import USDC, WBTC, WETH, Scene, pool_at, units

FREE = StrategySettings(priority_fee=0)
GWEI = 10**9


def only(scene: Scene, settings: StrategySettings = FREE) -> Decision:
    (decision,) = decide(scene.shoot(), settings).decisions
    return decision


def chosen(scene: Scene, settings: StrategySettings = FREE) -> Candidate:
    found = only(scene, settings).chosen
    assert found is not None
    return found


def tiers(first: float = 2e6, second: float = 1e6) -> list[PoolView]:
    return [pool_at(200, first), pool_at(200, second, fee_pips=3_000)]


@pytest.fixture
def scene() -> Scene:
    """Return an account whose slice moves one pool by more than a per cent, beside two pools."""
    made = Scene(pools=tiers(), take_open=False)
    row = made.account({"WETH": 600}, {"USDC": 109_080})
    made.auction(row, ["WETH"], age=300)
    return made


# ---------------------------------------------------------------------------------- ways


def test_ways_are_the_pools_of_the_pair_and_two_pools_in_turn() -> None:
    board = Board([*tiers(), pool_at(8_000, 1e6, WBTC), pool_at(40, 1e4, WBTC, quote=WETH)])
    found = [(path.assets, path.direct) for path in paths(board, WETH, USDC, range(3), 10**18)]
    assert found == [((WETH, USDC), True), ((WETH, USDC), True), ((WETH, WBTC, USDC), False)]


def test_ways_that_share_a_pool_are_not_used_together() -> None:
    first = [pool_at(8_000, 1e6, WBTC), pool_at(8_000, 1e6, WBTC, fee_pips=3_000)]
    board = Board([*first, pool_at(200, 1e6)])
    (path,) = paths(board, WBTC, WETH, range(3), 10**8)
    assert [market.pool.fee_pips for market in path.markets] == [500, 500]  # the cheaper of the first leg's


def test_parts_are_rounded_down_and_the_last_takes_the_rest() -> None:
    ways = paths(Board(tiers()), WETH, USDC, range(3), 10**18)
    sold = Route((Part(3_333, ways[0]), Part(6_667, ways[1]))).quote(10**18 + 1)
    assert sold is not None
    assert [taken for taken, _ in sold.parts] == [333_300_000_000_000_000, 666_700_000_000_000_001]
    assert sold.amount_out == sum(brought for _, brought in sold.parts)


def test_a_pool_on_two_paths_is_quoted_where_the_first_part_leaves_it() -> None:
    (way,) = paths(Board([pool_at(200, 1e6)]), WETH, USDC, range(3), 10**18)
    amount = units("WETH", 100)
    twice, once = Route((Part(5_000, way), Part(5_000, way))).quote(amount), Route.along(way).quote(amount)
    assert twice is not None
    assert once is not None
    assert twice.parts[1][1] < twice.parts[0][1]
    assert abs(twice.amount_out - once.amount_out) <= 2
    assert twice.moves[-1][1].tick == once.moves[-1][1].tick
    assert abs(twice.moves[-1][1].sqrt_price_x96 / once.moves[-1][1].sqrt_price_x96 - 1) < 1e-12


def test_a_split_ends_where_the_marginal_prices_meet() -> None:
    ways = paths(Board(tiers(2e6, 2e6)), WETH, USDC, range(3), units("WETH", 500))
    route = split(ways, units("WETH", 500), 0.0)
    assert route is not None
    best = route.quote(units("WETH", 500))
    assert best is not None
    first, second = (part.weight_bps for part in route.parts)
    for moved in (-20, 20):
        other = Route((Part(first + moved, ways[0]), Part(second - moved, ways[1])))
        found = other.quote(units("WETH", 500))
        assert found is not None
        assert found.amount_out < best.amount_out


def test_pools_without_liquidity_have_no_route() -> None:
    drained = [
        replace(view, pool=view.pool.with_ticks(dict.fromkeys(view.pool.liquidity_net), 0))
        for view in tiers()
    ]
    assert split(paths(Board(drained), WETH, USDC, range(3), 10**18), 10**18, 0.0) is None


# -------------------------------------------------------------------------------- choice


def test_a_large_sale_is_split_over_the_fee_tiers(scene: Scene) -> None:
    decision = only(scene)
    assert decision.chosen is not None
    first, second = decision.chosen.action.route
    assert first.weight_bps + second.weight_bps == 10_000
    assert first.weight_bps > second.weight_bps > 0
    assert (first.fees, second.fees) == ((500,), (3_000,))
    singles = [found for found in decision.rejected if found.reason is Reason.OUTBID]
    assert [found.route for found in singles] == [
        (Way(10_000, (WETH, USDC), (500,)),),
        (Way(10_000, (WETH, USDC), (3_000,)),),
    ]
    assert all(found.numbers["revenue"] < decision.chosen.revenue for found in singles)


def test_a_split_leaves_both_pools_moved_for_the_next_account(scene: Scene) -> None:
    row = scene.account({"WETH": 600}, {"USDC": 109_000})
    scene.auction(row, ["WETH"], age=300)
    first, second = decide(scene.shoot(), FREE).candidates
    assert len(first.action.route) == 2
    assert second.realised_multiplier < first.realised_multiplier
    by_itself = replace(scene, accounts=scene.accounts[1:], auctions={0: scene.auctions[1]})
    assert chosen(by_itself).realised_multiplier > second.realised_multiplier


def test_a_pool_more_must_pay_for_its_gas(scene: Scene) -> None:
    generous = replace(FREE, minimum_profit=-1_000 * WAD)
    scene.accounts[0] = ({"WETH": 60}, {"USDC": 10_908})
    assert len(chosen(scene, generous).action.route) == 2
    scene.base_fee = 300 * GWEI
    assert len(chosen(scene, generous).action.route) == 1


def test_each_pool_counts_in_the_gas_of_a_swap(scene: Scene) -> None:
    scene.base_fee = GWEI
    split_cost = chosen(scene).gas_cost
    scene.pools.pop()
    assert split_cost > chosen(scene).gas_cost


def test_collateral_without_a_common_pool_is_sold_over_a_third_asset() -> None:
    scene = Scene(pools=[pool_at(8_000, 4e7, WBTC), pool_at(200, 4e7)])
    row = scene.account({"WBTC": 10}, {"WETH": 300})
    scene.auction(row, ["WBTC"], age=300)
    found = chosen(scene)
    assert found.action.kind is Kind.SWAP
    assert found.action.route == (Way(10_000, (WBTC, USDC, WETH), (500, 500)),)
    assert found.realised_multiplier >= found.reserve_multiplier


def test_a_direct_pool_and_a_way_around_share_a_sale() -> None:
    pools = [pool_at(8_000, 4e6, WBTC), pool_at(200, 4e6), pool_at(40, 1e4, WBTC, quote=WETH)]
    scene = Scene(pools=pools, take_open=False)
    row = scene.account({"WBTC": 10}, {"WETH": 300})
    scene.auction(row, ["WBTC"], age=600)
    assert {way.assets for way in chosen(scene).action.route} == {(WBTC, WETH), (WBTC, USDC, WETH)}


def test_a_take_needs_a_pool_of_the_pair() -> None:
    scene = Scene(pools=[pool_at(8_000, 4e7, WBTC), pool_at(200, 4e7)], swap_open=False)
    row = scene.account({"WBTC": 10}, {"WETH": 300})
    scene.auction(row, ["WBTC"], age=300)
    decision = only(scene)
    assert decision.chosen is None
    assert {(found.kind, found.reason) for found in decision.rejected} == {(Kind.SWAP, Reason.ROUTE_CLOSED)}


# -------------------------------------------------------------------------------- guards


def test_a_pool_astray_of_the_oracle_has_no_part_in_a_split(scene: Scene) -> None:
    tick = tick_at_sqrt_price(scene.pools[1].pool.sqrt_price_x96)
    scene.pools[1] = replace(scene.pools[1], mean_tick=tick + 400)  # four per cent
    decision = only(scene)
    assert decision.chosen is not None
    assert decision.chosen.action.route == (Way(10_000, (WETH, USDC), (500,)),)
    (astray,) = [found for found in decision.rejected if found.reason is Reason.OFF_ORACLE]
    assert astray.route[0].fees == (3_000,)


def test_a_pool_below_the_reserve_has_no_part_in_a_split(scene: Scene) -> None:
    scene.pools[1] = pool_at(190, 1e6, fee_pips=3_000)
    decision = only(scene)
    assert decision.chosen is not None
    assert len(decision.chosen.action.route) == 1
    assert Reason.RESERVE_ABOVE_MARKET in {found.reason for found in decision.rejected}


def test_no_part_of_a_split_slips_further_than_the_limit(scene: Scene) -> None:
    scene.auction(0, ["WETH"], age=1_500)  # the reserve is far below
    strict = replace(FREE, max_slippage_bps=50)
    found = chosen(scene, strict)
    (deep, shallow) = paths(Board(scene.pools), WETH, USDC, range(3), found.seized)
    parts = [
        Part(way.weight_bps, path) for way, path in zip(found.action.route, (deep, shallow), strict=True)
    ]
    sold = Route(tuple(parts)).quote(found.seized)
    assert sold is not None
    for part, (taken, brought) in zip(parts, sold.parts, strict=True):
        assert brought >= part.path.at_spot(taken) * 9_950 // 10_000
    single = replace(scene, pools=scene.pools[:1])
    assert found.seized > chosen(single, strict).seized  # two pools take more within the limit


def test_a_sale_is_cut_where_its_smallest_part_slips(scene: Scene) -> None:
    scene.pools = tiers(1e9, 1e4)
    snapshot = scene.shoot()
    case = Case.of(snapshot, 0)
    position = case.position(WETH, USDC)
    reserve = engine.terms_at(position, case.multiplier(WETH), snapshot.engine.penalty)
    deep, shallow = paths(Board(scene.pools), WETH, USDC, range(3), position.collateral)
    route = Route((Part(9_900, deep), Part(100, shallow)))
    found = Pair(case, WETH, USDC, position, reserve, route, FREE, 0).swap()
    assert isinstance(found, Offer)
    assert found.sold is not None
    taken, brought = found.sold.parts[1]
    assert brought >= shallow.at_spot(taken) * 9_800 // 10_000
    assert found.candidate.seized < units("WETH", 110)  # whole, the part would be three per cent of its pool


def test_waiting_is_weighed_along_the_same_route(scene: Scene) -> None:
    patient = replace(FREE, timing=replace(FREE.timing, race_bps=0, care_bps=0))
    scene.auction(0, ["WETH"], age=130)
    decision = only(scene, patient)
    waits = [found for found in decision.rejected if found.reason is Reason.WAITING_PAYS]
    assert decision.chosen is not None or waits
    assert chosen(scene, FREE).net > -WAD


# ---------------------------------------------------------------------------------- size


def test_a_swap_is_as_large_as_pays_best_for_its_chip(scene: Scene) -> None:
    scene.pools = [pool_at(200, 1e6)]
    scene.auction(0, ["WETH"], age=1_500)
    found = chosen(scene)
    assert found.realised_multiplier == pytest.approx(0.99e18, rel=1e-3)  # where half of the chip is left
    assert found.action.max_seized == found.seized
    for factor in (0.9, 1.1):
        amount = int(found.seized * factor)
        paid = scene.pools[0].pool.quote_exact_input(amount, True).amount_out
        realised = paid * 10**12 / (200 * amount)
        chip = paid / 1.005 * 0.001 * (1 - (1 - realised) / 0.02)
        assert chip * 10**12 < found.revenue


def test_a_sale_that_the_pool_hardly_feels_is_whole(scene: Scene) -> None:
    scene.pools = [pool_at(200, 1e9)]
    assert chosen(scene).action.max_seized == 2**256 - 1


def test_what_waiting_costs_the_lenders_makes_a_swap_larger(scene: Scene) -> None:
    scene.pools = [pool_at(200, 1e6)]
    scene.auction(0, ["WETH"], age=1_500)
    snapshot = scene.shoot()
    case = Case.of(snapshot, 0)
    position = case.position(WETH, USDC)
    reserve = engine.terms_at(position, case.multiplier(WETH), snapshot.engine.penalty)
    (way,) = paths(Board(scene.pools), WETH, USDC, range(3), position.collateral)
    pair = Pair(case, WETH, USDC, position, reserve, Route.along(way), FREE, 0)
    calm, urgent = pair.swap(), replace(pair, stake=100 * WAD).swap()
    assert isinstance(calm, Offer)
    assert isinstance(urgent, Offer)
    assert urgent.candidate.seized > calm.candidate.seized
    assert urgent.candidate.revenue < calm.candidate.revenue
