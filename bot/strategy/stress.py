"""What a sudden move of prices would do: who falls, what must be sold, what the pools pay, what stays unpaid.

A what-if, pure and reproducible: prices and pools of a snapshot are moved, nobody reacts in between. Each
fallen account is sized by the engine's exact twin as if its collateral fetched the oracle price; all of it is
then sold through the pools at once, which is the worst that a keeper could do. Amounts are token units,
values WAD quote units.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from bot.domain import engine, routing
from bot.domain.amm.uniswap_v3 import Pool
from bot.domain.engine import AssetTerms, Balance, EngineParameters, Holding
from bot.domain.wad import WAD, mul_div_down, mul_div_up
from bot.strategy.board import Board, Market
from bot.strategy.case import Case
from bot.strategy.screen import Screen
from bot.strategy.shock import shocked
from bot.strategy.snapshot import Snapshot

Pair: TypeAlias = tuple[int, int]
"""Asset ids of the collateral sold and of the debt repaid."""


# -------------------------------------------------------------------------------- report


class Slice(NamedTuple):
    """What one account must sell of one collateral for one debt.

    Parameters
    ----------
    pair : (int, int)
        Collateral and debt.
    seized : int
        Collateral to sell, token units.
    repaid : int
        Debt that it repays at the oracle price, token units.
    """

    pair: Pair
    seized: int
    repaid: int


@dataclass(frozen=True, slots=True)
class Fallen:
    """An account below 1 after the shock.

    Parameters
    ----------
    account : bytes
        Address, 20 bytes.
    balance : Balance
        At the shocked prices.
    was_below : bool
        Whether it was below 1 before.
    slices : tuple of Slice
        What brings it to the target, in order.
    bad_debt : int
        Debt that neither the proceeds nor the collateral left cover, WAD quote units.
    """

    account: bytes
    balance: Balance
    was_below: bool
    slices: tuple[Slice, ...]
    bad_debt: int

    @property
    def shortfall(self) -> int:
        """Debt beyond the collateral before anything is sold."""
        return max(self.balance.debt_value - self.balance.collateral_value, 0)


class PoolSale(NamedTuple):
    """What pools take of a collateral, and pay, all at once.

    Parameters
    ----------
    sold : int
        At most what was wanted; less where the liquidity ends.
    proceeds : int
        In the debt's units.
    price_move : float
        Relative change of the pools' price by the sale, the largest; 0 where nothing is sold.
    """

    sold: int
    proceeds: int
    price_move: float


@dataclass(frozen=True, slots=True)
class PairSale:
    """All accounts' sales of one collateral for one debt.

    Parameters
    ----------
    pair : (int, int)
        Collateral and debt.
    accounts : int
        How many sell.
    wanted, value : int
        Collateral to sell, and its value at the shocked oracle price.
    repaid_value : int
        Value of the debt that it repays at that price.
    pools : int
        Pools that trade the pair.
    depth : int
        Collateral that they take within the slippage limit before the sale.
    sale : PoolSale
        What they do with all of it.
    proceeds_value, sold_value : int
        At the shocked oracle prices.
    """

    pair: Pair
    accounts: int
    wanted: int
    value: int
    repaid_value: int
    pools: int
    depth: int
    sale: PoolSale
    proceeds_value: int
    sold_value: int

    @property
    def loss(self) -> float | None:
        """Share of the oracle value lost to fee and slippage; None where nothing can be sold."""
        return 1.0 - self.proceeds_value / self.sold_value if self.sold_value else None

    @property
    def load(self) -> float | None:
        """What is to be sold over the depth; None without depth."""
        return self.wanted / self.depth if self.depth else None


@dataclass(frozen=True, slots=True)
class StressReport:
    """What a shock does.

    Parameters
    ----------
    before, after : Snapshot
        The protocol without and with it.
    fallen : tuple of Fallen
        Accounts below 1, lowest health first.
    below_before, debt_before : int
        Accounts below 1 before, and their debt.
    sales : tuple of PairSale
        What is sold where, largest first.
    unpriced : int
        Accounts in debt on which nothing can be said: the oracle refuses a price.
    """

    before: Snapshot
    after: Snapshot
    fallen: tuple[Fallen, ...]
    below_before: int
    debt_before: int
    sales: tuple[PairSale, ...]
    unpriced: int

    @property
    def debt(self) -> int:
        """Debt of the fallen."""
        return sum(fallen.balance.debt_value for fallen in self.fallen)

    @property
    def shortfall(self) -> int:
        """Debt beyond collateral at the shocked prices, before anything is sold."""
        return sum(fallen.shortfall for fallen in self.fallen)

    @property
    def bad_debt(self) -> int:
        """Debt left uncovered after the sales."""
        return sum(fallen.bad_debt for fallen in self.fallen)


def stress(snapshot: Snapshot, factors: Mapping[int, Fraction], max_slippage: float) -> StressReport:
    """Return what a shock does to the book, and what selling at once would cost.

    Parameters
    ----------
    snapshot : Snapshot
        The protocol at one head.
    factors : mapping of int to Fraction
        On the price of each shocked asset, by asset id; see `bot.strategy.shock.parse_shocks`.
    max_slippage : float
        Average slippage, fee included, that measures the pools' depth, a fraction in [0, 1).

    Notes
    -----
    Debt is netted first. Of an account's pairs the one goes first that restores most health per unit repaid:
    the largest ``h w - k b`` of docs/mechanism.md. Running auctions and tips are left out: the price is the
    oracle's. Sales of one pair share its proceeds pro rata; pairs that share a pool follow each other,
    largest first. Bad debt counts the collateral that is left at the shocked price; where no pool trades a
    pair, that is all of it.
    """
    after = shocked(snapshot, factors)
    cases, unpriced = _below(after)
    before, _ = _below(snapshot)
    already = {case.row for case in before}
    plans = [slices_of(case.holdings, case.terms, after.engine) for case in cases]
    sales = _sales(after, plans, max_slippage)
    paid = {sale.pair: sale for sale in sales}
    fallen = [
        Fallen(case.account, case.balance, case.row in already, slices, _uncovered(case, slices, paid))
        for case, slices in zip(cases, plans, strict=True)
    ]
    fallen.sort(key=lambda found: (found.balance.health_factor, found.account))
    owed = sum(case.balance.debt_value for case in before)
    return StressReport(snapshot, after, tuple(fallen), len(before), owed, sales, unpriced)


def _below(snapshot: Snapshot) -> tuple[list[Case], int]:
    """Return the accounts below 1, exactly, and how many cannot be priced."""
    screen = Screen(snapshot)
    cases = [Case.of(snapshot, int(row)) for row in screen.suspects]
    return [case for case in cases if not case.healthy], screen.unpriced


# ---------------------------------------------------------------------------------- size


def slices_of(
    holdings: Sequence[Holding], terms: Mapping[int, AssetTerms], rules: EngineParameters
) -> tuple[Slice, ...]:
    """Return what an account below 1 must sell at the oracle price, in order.

    Parameters
    ----------
    holdings : sequence of Holding
        What it holds and owes.
    terms : mapping of int to AssetTerms
        By asset id.
    rules : EngineParameters
        Of the engine.
    """
    left, found = engine.netted(holdings), []
    # Ends: each slice reaches the target, or uses up one side of its pair.
    while (pair := _cheapest(left, terms, rules)) is not None:
        position = engine.position_of(left, terms, {}, *pair, rules.dust)
        offer = engine.terms_at(position, WAD, rules.penalty)
        sale = engine.largest_take(position, offer, rules.target, rules.dust)
        if sale.seized == 0 or sale.cancelled == 0:
            break
        found.append(Slice(pair, sale.seized, sale.repaid))
        left = _after(left, pair, sale.seized, sale.cancelled)
    return tuple(found)


def _cheapest(
    holdings: Sequence[Holding], terms: Mapping[int, AssetTerms], rules: EngineParameters
) -> Pair | None:
    """Return the pair to sell next; None where the account is healthy or nothing is left to sell."""
    balance = engine.balance_of(holdings, terms)
    if balance.weighted_collateral >= balance.weighted_debt or not balance.weighted_collateral:
        return None
    factor = WAD + rules.penalty
    pairs = [
        (sold.asset_id, owed.asset_id)
        for sold in holdings
        for owed in holdings
        if owed.debt and terms[sold.asset_id].value_down(sold.collateral)
    ]
    return max(
        pairs,
        key=lambda pair: rules.target * terms[pair[1]].weight - factor * terms[pair[0]].threshold,
        default=None,
    )


def _after(
    holdings: Iterable[Holding], pair: Pair, seized: int, repaid: int, surplus: int = 0
) -> tuple[Holding, ...]:
    """Return what is held and owed after a sale."""
    changed = []
    for asset_id, collateral, debt in holdings:
        if asset_id == pair[0]:
            collateral -= seized
        if asset_id == pair[1]:
            collateral, debt = collateral + surplus, debt - repaid
        changed.append(Holding(asset_id, collateral, debt))
    return tuple(changed)


# --------------------------------------------------------------------------------- sales


def _sales(
    snapshot: Snapshot, plans: Iterable[tuple[Slice, ...]], max_slippage: float
) -> tuple[PairSale, ...]:
    """Return the sale of each pair, largest value first."""
    by_pair: dict[Pair, list[Slice]] = {}
    for slices in plans:
        for slice_ in slices:
            by_pair.setdefault(slice_.pair, []).append(slice_)
    untouched, board = Board(snapshot.pools), Board(snapshot.pools)

    def value(pair: Pair) -> int:
        return snapshot.terms(pair[0]).value_down(sum(slice_.seized for slice_ in by_pair[pair]))

    found = []
    for pair in sorted(by_pair, key=lambda pair: (-value(pair), pair)):
        depth = sum(
            market.pool.depth(max_slippage, market.zero_for_one) for market in untouched.markets(*pair)
        )
        found.append(_pair_sale(snapshot, by_pair[pair], board, depth))
    return tuple(found)


def _pair_sale(snapshot: Snapshot, slices: Sequence[Slice], board: Board, depth: int) -> PairSale:
    pair = slices[0].pair
    sold, owed = snapshot.terms(pair[0]), snapshot.terms(pair[1])
    wanted = sum(slice_.seized for slice_ in slices)
    sale = sell_at_once(board, pair, wanted)
    return PairSale(
        pair,
        accounts=len(slices),
        wanted=wanted,
        value=sold.value_down(wanted),
        repaid_value=owed.value_up(sum(slice_.repaid for slice_ in slices)),
        pools=len(board.markets(*pair)),
        depth=depth,
        sale=sale,
        proceeds_value=owed.value_down(sale.proceeds),
        sold_value=sold.value_down(sale.sold),
    )


def sell_at_once(board: Board, pair: Pair, amount: int) -> PoolSale:
    """Sell through all pools of a pair, split for the most, and move them on the board.

    Parameters
    ----------
    board : Board
        The pools; changed.
    pair : (int, int)
        Asset ids sold and bought.
    amount : int
        Wanted, token units; what the liquidity cannot take stays unsold.
    """
    sold = proceeds = 0
    moves = [0.0]
    markets = board.markets(*pair)
    for market, part in zip(markets, _parts(markets, amount), strict=True):
        quote = market.quote(part) if part else None
        if quote is not None:
            board.sell(market, quote)
            sold, proceeds = sold + part, proceeds + quote.amount_out
            moves.append(_price_move(market.pool, quote.sqrt_price_x96, market.zero_for_one))
    return PoolSale(sold, proceeds, min(moves))


def _parts(markets: Sequence[Market], amount: int) -> list[int]:
    """Return how much goes to each pool: at most what its whole ladder takes."""
    capacities = [market.pool.profit_maximising_input(0, market.zero_for_one) for market in markets]
    if amount >= sum(capacities):
        return capacities
    if len(markets) == 1:
        return [amount]
    venues = [routing.Concentrated(market.pool, market.zero_for_one) for market in markets]
    shares = routing.split(float(amount), venues).amounts
    parts = [min(int(share), capacity) for share, capacity in zip(shares, capacities, strict=True)]
    # What floats leave over goes where there is room for it.
    for index, capacity in enumerate(capacities):
        parts[index] = max(min(parts[index] + amount - sum(parts), capacity), 0)
    return parts


def _price_move(pool: Pool, after: int, zero_for_one: bool) -> float:
    """Return the relative change of the price of what was sold."""
    ratio = after / pool.sqrt_price_x96
    return (ratio * ratio if zero_for_one else 1.0 / (ratio * ratio)) - 1.0


def _uncovered(case: Case, slices: Iterable[Slice], paid: Mapping[Pair, PairSale]) -> int:
    """Return the debt that proceeds and what collateral is left do not cover, WAD quote units."""
    holdings, rules = engine.netted(case.holdings), case.snapshot.engine
    for slice_ in slices:
        pair_sale = paid[slice_.pair]
        seized = mul_div_up(slice_.seized, pair_sale.sale.sold, pair_sale.wanted)
        payment = mul_div_down(slice_.seized, pair_sale.sale.proceeds, pair_sale.wanted)
        position = engine.position_of(holdings, case.terms, {}, *slice_.pair, rules.dust)
        if payment == 0 or not position.balance.weighted_debt:
            continue
        multiplier = engine.multiplier_down(position, seized, payment)
        offer = engine.terms_at(position, multiplier, rules.penalty)
        sale = engine.realised(position, offer, seized, payment)
        holdings = _after(holdings, slice_.pair, seized, sale.repaid, sale.surplus)
    left = engine.balance_of(holdings, case.terms)
    return max(left.debt_value - left.collateral_value, 0)
