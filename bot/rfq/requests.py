"""What the keeper asks dealers for at a head, and the mid prices to hold their quotes against. Pure."""

from typing import Final

from bot.domain import engine
from bot.domain.wad import WAD
from bot.ports.rfq import QuoteRequest
from bot.strategy.case import Case
from bot.strategy.screen import Screen
from bot.strategy.snapshot import Snapshot

MOST_REQUESTS: Final = 64
"""For one head: a crash must not make a keeper flood its dealers, nor itself."""


def requests_of(snapshot: Snapshot, most: int = MOST_REQUESTS) -> list[QuoteRequest]:
    """Return a request for each pair of each account whose auction runs, the least healthy accounts first.

    The amount is the largest slice at the reserve; at a dealer's better price the account needs less.

    Parameters
    ----------
    snapshot : Snapshot
        The head; without a keeper in it nothing is asked, because nobody could fill.
    most : int
        Requests at most.
    """
    if snapshot.keeper is None or snapshot.halted:
        return []
    cases = [Case.of(snapshot, int(row)) for row in Screen(snapshot).suspects]
    cases = [case for case in cases if case.flagged and not case.healthy and not case.lapsed]
    cases.sort(key=lambda case: (case.balance.health_factor, case.account))
    found: list[QuoteRequest] = []
    for case in cases:
        found += _of_case(case, snapshot.keeper)
        if len(found) >= most:
            break
    return found[:most]


def _of_case(case: Case, keeper: bytes) -> list[QuoteRequest]:
    auction, rules, mids = case.auction, case.snapshot.engine, mids_of(case.snapshot)
    if auction is None:
        return []
    found = []
    for collateral_id, debt_id in case.pairs():
        position = case.position(collateral_id, debt_id)
        if collateral_id not in auction.legs or not position.balance.weighted_collateral:
            continue
        reserve = engine.terms_at(position, case.multiplier(collateral_id), rules.penalty)
        amount = engine.largest_take(position, reserve, rules.target, rules.dust).seized
        if amount:
            fair = mids[collateral_id, debt_id]
            found.append(
                QuoteRequest(case.account, auction.epoch, collateral_id, debt_id, amount, keeper, fair)
            )
    return found


def mids_of(snapshot: Snapshot) -> dict[tuple[int, int], int]:
    """Return the price of each pair by the oracle's feeds, debt units for 10**18 units of collateral."""
    priced = [(asset, asset.price) for asset in snapshot.assets if asset.price is not None]
    return {
        (sold.asset_id, owed.asset_id): WAD * sold_price * owed.unit // (sold.unit * owed_price)
        for sold, sold_price in priced
        for owed, owed_price in priced
        if sold.asset_id != owed.asset_id
    }
