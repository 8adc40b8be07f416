"""What holds for every decision, on random books, prices and pools."""

from collections import Counter
from collections.abc import Mapping, Sequence

from hypothesis import event, given, settings
from hypothesis import strategies as st

from bot.domain import engine
from bot.domain.binary_float import pack_down, pack_up
from bot.domain.engine import Markets
from bot.domain.release import Bucket, Side
from bot.domain.wad import BPS, WAD
from bot.strategy.board import Board
from bot.strategy.case import Case
from bot.strategy.decide import decide
from bot.strategy.decision import Action, Booking, Candidate, Kind, Way
from bot.strategy.opening import opened
from bot.strategy.routes import Part, Path, Route, paths, split
from bot.strategy.screen import MARGIN, Screen
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import PoolView, Snapshot
from tests.support.snapshots import NOW, RULES, SPEED, SYMBOLS, UNITS, USDC, WBTC, WETH, Scene, pool_at

SETTLING = (Kind.SWAP, Kind.TAKE, Kind.KICK_SWAP, Kind.REDO_SWAP)
LIMITS = StrategySettings(minimum_profit=-10 * WAD, priority_fee=0)

sizes = st.floats(2.3, 6.5).map(lambda exponent: 10**exponent)
moves = st.floats(0.6, 1.5)


@st.composite
def more_pools(draw: st.DrawFn, prices: Mapping[str, float]) -> list[PoolView]:
    """Return up to two dearer pools of pairs that have one, and perhaps one of the two risky assets."""
    found = []
    for base, symbol in ((WETH, "WETH"), (WBTC, "WBTC")):
        if draw(st.booleans()):
            price = prices[symbol] * draw(st.floats(0.98, 1.02))
            found.append(pool_at(price, draw(sizes) * 30, base, fee_pips=3_000))
    if draw(st.booleans()):
        price = prices["WBTC"] / prices["WETH"] * draw(st.floats(0.97, 1.03))
        worth = draw(sizes) * 30 / prices["WETH"]
        found.append(pool_at(price, worth, WBTC, quote=WETH, fee_pips=3_000))
    return found


@st.composite
def budgets(draw: st.DrawFn, prices: Mapping[str, float]) -> Markets:
    """Return no budgets, or full ones of the risky assets, with what pools paid a while ago."""
    if draw(st.booleans()):
        return Markets(SPEED)
    buckets = {}
    for asset_id, symbol in ((WETH, "WETH"), (WBTC, "WBTC")):
        level, age = int(draw(sizes) * 10**6), draw(st.integers(0, 80))
        paid = int(prices[symbol] * draw(st.floats(0.96, 1.04)) * 10**6) * 10**12
        for side, mean in ((Side.SELL, pack_up(paid)), (Side.BUY, pack_down(paid))):
            buckets[asset_id, side] = Bucket(level, level, NOW - age, 10**6, NOW - age, mean)
    return Markets(SPEED, frozenset({WETH, WBTC}), buckets)


def seen(case: Case, candidate: Candidate) -> Case:
    """Return the account that a candidate sells from: after its start, where that is in the same call."""
    begun = opened(case) if candidate.action.started else case
    assert begun is not None
    return begun


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Return accounts near the edge, most of them in auctions of any age, and pools of any depth."""
    prices = {"WETH": 200 * draw(moves), "WBTC": 8_000 * draw(moves), "USDC": 1.0}
    scene = Scene(
        prices=prices,
        pools=[
            pool_at(prices["WETH"] * draw(st.floats(0.9, 1.1)), draw(sizes) * 30),
            pool_at(prices["WBTC"] * draw(st.floats(0.9, 1.1)), draw(sizes) * 30, WBTC),
            *draw(more_pools(prices)),
        ],
        take_open=draw(st.booleans()),
        markets=draw(budgets(prices)),
        base_fee=draw(st.sampled_from([0, 20 * 10**9])),
    )
    for _ in range(draw(st.integers(1, 5))):
        value = draw(sizes)
        held = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=3, unique=True))
        owed = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=2, unique=True))
        share = draw(st.one_of(st.floats(0.74, 0.93), st.floats(0.74, 0.93), st.floats(0.9, 1.3)))
        row = scene.account(
            {symbol: value / prices[symbol] / len(held) for symbol in held},
            {symbol: share * value / prices[symbol] / len(owed) for symbol in owed},
        )
        if draw(st.integers(0, 3)):
            scene.auction(row, held, age=draw(st.integers(0, 7_300)), tip=draw(st.integers(0, 5)))
    return scene


def settlements(snapshot: Snapshot) -> list[Candidate]:
    return [found for found in decide(snapshot, LIMITS).candidates if found.action.kind in SETTLING]


@given(scenes())
@settings(max_examples=120, deadline=None)
def test_decisions_depend_on_the_snapshot_alone(scene: Scene) -> None:
    assert decide(scene.shoot(), LIMITS) == decide(scene.shoot(), LIMITS)


@given(scenes())
@settings(max_examples=120, deadline=None)
def test_every_unhealthy_or_flagged_account_is_decided_on_once(scene: Scene) -> None:
    snapshot = scene.shoot()
    decided = Counter(decision.account for decision in decide(snapshot, LIMITS).decisions)
    expected = set()
    for row, account in enumerate(snapshot.positions.accounts):
        case = Case.of(snapshot, row)
        if case.flagged or not case.healthy:
            expected.add(account)
    assert set(decided) == expected
    assert set(decided.values()) <= {1}


@given(scenes())
@settings(max_examples=120, deadline=None)
def test_every_sale_meets_the_reserve_and_the_slippage_limit_in_turn(scene: Scene) -> None:
    snapshot = scene.shoot()
    board = Board(snapshot.pools)
    for candidate in settlements(snapshot):
        event(candidate.action.label)
        for action, booking in sales_of(candidate):
            route = route_on(board, action.route)
            event(f"{len(route.parts)} parts, {route.pools} pools")
            sold = route.quote(booking.seized)
            assert sold is not None
            for part, (taken, brought) in zip(route.parts, sold.parts, strict=True):
                assert brought >= limit(part.path.at_spot(taken))
            assert sold.amount_out >= limit(route.at_spot(booking.seized))
            # a taker may spend its chip on the price; the engine takes nothing below the reserve
            spared = booking.reserve_multiplier * RULES.chip_bps // BPS if action.kind is Kind.TAKE else 10
            assert booking.realised_multiplier >= booking.reserve_multiplier - spared
            for move in sold.moves:
                board.sell(*move)


def sales_of(candidate: Candidate) -> list[tuple[Action, Booking]]:
    """Return each sale of a candidate, and how it is expected to be booked."""
    return list(zip((candidate.action, *candidate.action.further), candidate.bookings, strict=True))


@given(scenes())
@settings(max_examples=120, deadline=None)
def test_pools_used_again_in_one_call_do_not_loosen_the_slippage_limit(scene: Scene) -> None:
    snapshot = scene.shoot()
    board = Board(snapshot.pools)
    for candidate in settlements(snapshot):
        found = board.branch()
        for action, booking in sales_of(candidate):
            at_start = route_on(found, action.route).at_spot(booking.seized)
            sold = route_on(board, action.route).quote(booking.seized)
            assert sold is not None
            assert sold.amount_out >= limit(at_start)
            for move in sold.moves:
                board.sell(*move)


@given(scenes())
@settings(max_examples=200, deadline=None)
def test_further_sales_go_on_where_the_ones_before_them_stopped(scene: Scene) -> None:
    snapshot = scene.shoot()
    rows = {account: row for row, account in enumerate(snapshot.positions.accounts)}
    for candidate in settlements(snapshot):
        first, *further = candidate.bookings
        assert len(further) == len(candidate.action.further) < LIMITS.max_sales
        pairs = [(booking.collateral_id, booking.debt_id) for booking in candidate.bookings]
        assert len(set(pairs)) == len(pairs)
        assert sum(booking.revenue for booking in candidate.bookings) == candidate.revenue
        assert sum(booking.gas_cost for booking in candidate.bookings) == candidate.gas_cost
        case = seen(Case.of(snapshot, rows[candidate.action.account]), candidate)
        held = {holding.asset_id: holding for holding in case.holdings}
        for before, booking in zip([first, *further], further, strict=False):
            event("further sale")
            sold, owed = held[before.collateral_id], held[before.debt_id]
            held[sold.asset_id] = sold._replace(collateral=sold.collateral - before.seized)
            held[owed.asset_id] = owed._replace(debt=owed.debt - before.repaid)
            # in insolvency more is cancelled than repaid, so that less is left than here
            left = engine.balance_of(list(held.values()), case.terms)
            assert left.weighted_collateral < left.weighted_debt
            assert left.collateral_value >= RULES.dust
            assert 0 < booking.seized <= held[booking.collateral_id].collateral
            assert 0 < booking.repaid <= held[booking.debt_id].debt
            assert booking.revenue - booking.gas_cost >= LIMITS.minimum_profit


def limit(at_spot: int) -> int:
    """Return the least that a sale must bring which would bring ``at_spot`` at the marginal price."""
    return at_spot * (BPS - LIMITS.max_slippage_bps) // BPS


def route_on(board: Board, ways: Sequence[Way]) -> Route:
    """Return a decided route on the pools of a board."""
    parts = []
    for way in ways:
        hops = zip(way.assets, way.assets[1:], way.fees, strict=False)
        markets = [
            market
            for sold, bought, fee in hops
            for market in board.markets(sold, bought)
            if market.pool.fee_pips == fee
        ]
        assert len(markets) == len(way.fees)
        parts.append(Part(way.weight_bps, Path(way.assets, tuple(markets))))
    return Route(tuple(parts))


@given(scenes(), st.sampled_from([(0, 1), (0, 2), (1, 0), (1, 2), (2, 0)]), sizes, st.floats(0.0, 50.0))
@settings(max_examples=200, deadline=None)
def test_no_single_path_brings_more_than_the_split(
    scene: Scene, pair: tuple[int, int], value: float, cost: float
) -> None:
    board = Board(scene.pools)
    prices = [scene.prices[symbol] or 0.0 for symbol in SYMBOLS]
    amount = int(value / prices[pair[0]] * UNITS[pair[0]])
    pool_cost = cost / prices[pair[1]] * UNITS[pair[1]]
    ways = paths(board, *pair, range(3), amount)
    shared = Counter(market.address for path in ways for market in path.markets)
    assert set(shared.values()) <= {1}
    route = split(ways, amount, pool_cost)
    assert route is not None
    sold = route.quote(amount)
    singles = [(path, Route.along(path).quote(amount)) for path in ways]
    if sold is None:  # more than all pools take
        assert all(found is None for _, found in singles)
        return
    event(f"{len(route.parts)} of {len(ways)} ways")
    assert sum(taken for taken, _ in sold.parts) == amount
    net = sold.amount_out - pool_cost * route.pools
    for path, found in singles:
        if found is not None:
            # a basis point of the amount is the finest share
            assert net >= found.amount_out - pool_cost * len(path.markets) - found.amount_out * 1e-7 - 2


@given(scenes())
@settings(max_examples=120, deadline=None)
def test_every_sale_is_within_the_account_and_leaves_no_dust(scene: Scene) -> None:
    snapshot = scene.shoot()
    rows = {account: row for row, account in enumerate(snapshot.positions.accounts)}
    for candidate in settlements(snapshot):
        action = candidate.action
        assert action.debt_id is not None
        case = seen(Case.of(snapshot, rows[action.account]), candidate)
        position = case.position(action.collateral_ids[0], action.debt_id)
        assert 0 < candidate.seized <= position.collateral
        assert 0 < candidate.repaid <= position.debt
        reserve = engine.terms_at(position, candidate.reserve_multiplier, RULES.penalty)
        if not reserve.insolvent:
            assert not engine.leaves_dust(position, candidate.seized, candidate.repaid, RULES.dust)


@given(scenes())
@settings(max_examples=120, deadline=None)
def test_a_sale_of_a_solvent_account_neither_lowers_health_nor_passes_the_target(scene: Scene) -> None:
    snapshot = scene.shoot()
    rows = {account: row for row, account in enumerate(snapshot.positions.accounts)}
    for candidate in settlements(snapshot):
        action = candidate.action
        assert action.debt_id is not None
        case = seen(Case.of(snapshot, rows[action.account]), candidate)
        pair = (action.collateral_ids[0], action.debt_id)
        position = case.position(*pair)
        if engine.terms_at(position, case.multiplier(pair[0]), RULES.penalty).insolvent:
            event("insolvent")
            continue
        after = [
            holding._replace(
                collateral=holding.collateral - candidate.seized * (holding.asset_id == pair[0]),
                debt=holding.debt - candidate.repaid * (holding.asset_id == pair[1]),
            )
            for holding in case.holdings
        ]
        health = engine.balance_of(after, case.terms).health_factor
        slack = 10**12 + 10**18 * 10**12 // max(case.balance.weighted_debt, 1)
        assert health >= case.balance.health_factor - slack
        closing = candidate.seized == position.collateral or candidate.repaid == position.debt
        if not closing:
            event("up to the target")
            assert health <= RULES.target + slack


@given(scenes())
@settings(max_examples=120, deadline=None)
def test_what_is_chosen_pays_at_least_the_minimum(scene: Scene) -> None:
    for candidate in settlements(scene.shoot()):
        assert candidate.net >= LIMITS.least(len(candidate.bookings))


@given(scenes())
@settings(max_examples=120, deadline=None)
def test_the_screen_misses_no_account_that_exact_arithmetic_finds(scene: Scene) -> None:
    snapshot = scene.shoot()
    screen = Screen(snapshot)
    for row in range(len(snapshot.positions.accounts)):
        exact = Case.of(snapshot, row).balance
        near = screen.health[row]
        if exact.weighted_debt:
            assert abs(near * exact.weighted_debt / exact.weighted_collateral - 1) < MARGIN
        if exact.weighted_collateral < exact.weighted_debt:
            assert row in screen.suspects


def test_only_listed_assets_are_sold_for_others() -> None:
    board = Board([pool_at(200, 1e6)])
    assert board.markets(USDC, WBTC) == []
    assert [market.zero_for_one for market in board.markets(USDC, 0)] == [False]
