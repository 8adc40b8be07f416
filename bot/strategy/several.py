"""Several sales of one account in one call: each is sized on what the ones before it leave, to the wei.

A sale that leaves its account unhealthy has met an end of its own: the collateral is used up, the debt
repaid, the pool or a release budget has taken what it may. Another pair may go on where it stopped, for much
less gas than in a transaction of its own. The call lands whole or not at all, so that only sales of which
nobody else can take back his part are put together: dealers' quotes and the flash taker's trades go alone.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from bot.domain.engine import Holding, Sale, balance_of
from bot.domain.incentives import tip_left
from bot.domain.lending import assets_up, booked, burnt
from bot.domain.wad import bps_down
from bot.strategy.board import Board
from bot.strategy.case import Case
from bot.strategy.decision import Kind, Rejection
from bot.strategy.sale import Booked, Offer, Pair
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import Auction

SELLING: Final = (Kind.SWAP, Kind.KICK_SWAP, Kind.REDO_SWAP)
"""Kinds of action whose call further sales may follow in."""

Sales: TypeAlias = Callable[[Case, int, int, Board], Iterable[Offer | Rejection]]
"""Swaps of a collateral for a debt of an account, on the pools of a board."""


@dataclass(frozen=True, slots=True)
class SeveralOffer(Offer):
    """Sales in one call.

    Parameters
    ----------
    sales : tuple of Offer
        Each by itself, in order; the first may start the auction.
    """

    sales: tuple[Offer, ...] = ()

    @property
    def parts(self) -> tuple[Offer, ...]:
        """The sales that it makes, in order."""
        return self.sales


def after(pair: Pair, sold: Booked) -> Case:
    """Return the account as a swap leaves it, and the totals and budgets that the next one meets.

    Parameters
    ----------
    pair : Pair
        What was sold, on the account as it stood before.
    sold : Booked
        How it was booked. In insolvency nothing of the fund is counted, as in the booking itself.
    """
    case, sale, debt_id = pair.case, sold.sale, pair.debt_id
    snapshot, asset = case.snapshot, case.snapshot.assets[pair.debt_id]
    held = case.debt_shares(debt_id)
    taken = burnt(asset.market, held, sale.cancelled)
    market = booked(
        asset.market,
        taken,
        payment=sale.payment,
        repaid=sale.repaid,
        surplus=sale.surplus,
        incentives=sum(sold.paid),
    )
    left = held - taken.shares
    owed = assets_up(left, market.borrow_assets, market.borrow_shares) if left else 0
    holdings = tuple(_left(case.holdings, pair, sale, owed))
    value = pair.position.sold.value_up(sale.seized)
    assets = (*snapshot.assets[:debt_id], replace(asset, market=market), *snapshot.assets[debt_id + 1 :])
    markets = snapshot.markets.drawn((pair.collateral_id, debt_id), value, snapshot.timestamp)
    return replace(
        case,
        snapshot=replace(snapshot, assets=assets, markets=markets),
        holdings=holdings,
        balance=balance_of(holdings, case.terms),
        auction=_auction(case, pair, sold),
        shares={**case.shares, debt_id: left},
    )


def _left(holdings: Iterable[Holding], pair: Pair, sale: Sale, owed: int) -> Iterable[Holding]:
    for asset_id, collateral, debt in holdings:
        if asset_id == pair.collateral_id:
            collateral -= sale.seized
        if asset_id == pair.debt_id:
            collateral, debt = collateral + sale.surplus, owed
        if collateral or debt:
            yield Holding(asset_id, collateral, debt)


def _auction(case: Case, pair: Pair, sold: Booked) -> Auction | None:
    """Return the auction after a sale: what is left of its tip, and how urgent the leg has been."""
    auction = case.auction
    if auction is None:
        return None
    leg = auction.legs[pair.collateral_id]
    pressed = replace(leg, urgency=max(leg.urgency, case.urgency))
    tip = tip_left(auction.tip_owed, sold.paid.tip, pair.position.owed) if sold.paid.tip else auction.tip_owed
    return replace(auction, tip_owed=tip, legs={**auction.legs, pair.collateral_id: pressed})


def is_open(case: Case, settings: StrategySettings) -> bool:
    """Return whether the engine goes on selling, even if prices rise by the tolerance before it lands.

    Above health 1 the first sale ends the auction, and a further one would revert with it; below the dust
    value the account is written off.
    """
    balance, rules = case.balance, case.snapshot.engine
    risen = balance.weighted_collateral + bps_down(balance.weighted_collateral, settings.price_tolerance_bps)
    return risen < balance.weighted_debt and balance.collateral_value >= rules.dust


def extended(
    first: Offer, sales: Sales, board: Board, settings: StrategySettings, gas_price: int
) -> SeveralOffer | None:
    """Return a sale with those that are best made after it in the same call; None where there are none.

    Each further sale is the one of another pair that brings most on what the ones before it leave, and must
    bring what the operator asks of a settlement, or pay for its own gas at least.

    Parameters
    ----------
    first : Offer
        A swap, with the start of its auction or without.
    sales : callable
        Swaps of a pair.
    board : Board
        Pools as ``first`` finds them; it is left as it is.
    settings : StrategySettings
        Limits; the estimate of gas.
    gas_price : int
        WAD quote units per gas.
    """
    chain = [first]
    scratch, used = None, set[tuple[int, int]]()
    while len(chain) < settings.max_sales:
        last = chain[-1]
        if last.pair is None or last.booked is None or last.sold is None:
            break
        case = after(last.pair, last.booked)
        if not is_open(case, settings):
            break
        scratch = scratch or board.branch()
        for move in last.sold.moves:
            scratch.sell(*move)
        used.add((last.pair.collateral_id, last.pair.debt_id))
        best = _best(case, used, sales, scratch, settings, gas_price)
        if best is None:
            break
        chain.append(best)
    return _joined(chain) if len(chain) > 1 else None


def _best(
    case: Case,
    used: set[tuple[int, int]],
    sales: Sales,
    board: Board,
    settings: StrategySettings,
    gas_price: int,
) -> Offer | None:
    legs = case.auction.legs if case.auction else {}
    found = [
        _further(offer, settings, gas_price)
        for ids in case.pairs()
        if ids[0] in legs and ids not in used
        for offer in sales(case, *ids, board)
        if isinstance(offer, Offer)
    ]
    best = max(found, key=lambda offer: offer.candidate.net, default=None)
    return None if best is None or best.candidate.net < min(settings.minimum_profit, 0) else best


def _further(offer: Offer, settings: StrategySettings, gas_price: int) -> Offer:
    """Return a sale at the gas that it takes after another one in the same call."""
    pools = offer.pair.route.pools if offer.pair else 1
    cost = gas_price * settings.gas.of_further(pools)
    return replace(offer, candidate=replace(offer.candidate, gas_cost=cost))


def _joined(chain: Sequence[Offer]) -> SeveralOffer:
    first, *rest = (offer.candidate for offer in chain)
    bookings = tuple(booking for candidate in rest for booking in candidate.bookings)
    whole = replace(
        first,
        action=replace(first.action, further=tuple(candidate.action for candidate in rest)),
        revenue=first.revenue + sum(candidate.revenue for candidate in rest),
        gas_cost=first.gas_cost + sum(candidate.gas_cost for candidate in rest),
        tip=first.tip + sum(candidate.tip for candidate in rest),
        further=bookings,
    )
    return SeveralOffer(whole, sales=tuple(chain))
