"""Selling what was bought: a venue behind an interface, and who decides when to use it.

What is to be hedged is a number in the ledger, bought less hedged, looked at on every head: a hedge that was
dropped or reverted is simply due again. A pair waits while a transaction of the dealer may still land.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import structlog
from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address

from bot.domain.wad import WAD, bps_down, mul_div_down
from bot.ports import Address, Call
from bot.rfq.dealing import DealerView
from bot.rfq.landing import Job, Lane
from bot.rfq.ledger import DealerLedger
from bot.rfq.reading import Places, Reading
from bot.rfq.records import WorkKind
from bot.strategy.board import Board, Market
from bot.strategy.snapshot import Snapshot

_log = structlog.get_logger(__name__)

_ORDER: Final = "(address,address,uint24,address,uint256,uint256,uint256,uint160)"
_SWAP: Final = function_signature_to_4byte_selector(f"exactInputSingle({_ORDER})")
_APPROVE: Final = function_signature_to_4byte_selector("approve(address,uint256)")
_SMALLEST_SHARE: Final = 1_000_000


class HedgeOrder(NamedTuple):
    """A sale that a venue would make.

    Parameters
    ----------
    amount : int
        Collateral units sold.
    least : int
        Debt tokens below which it reverts.
    call : Call
        Carries it out, once the venue may draw the amount.
    """

    amount: int
    least: int
    call: Call


class HedgeVenue(Protocol):
    """Where the dealer sells."""

    def order(self, snapshot: Snapshot, pair: tuple[int, int], amount: int) -> HedgeOrder | None:
        """Return the sale of as much of ``amount`` as the venue takes well; None if it takes nothing."""
        ...


@dataclass(frozen=True, slots=True)
class HedgeOptions:
    """When and how the dealer hedges.

    Parameters
    ----------
    least_value : int
        What is worth a transaction, WAD quote units.
    max_slippage_bps : int
        Most that a sale's average price may fall short of the pool's marginal one.
    tolerance_bps : int
        Most that the pool may move before the transaction lands.
    lifetime_s : int
        Seconds after the head in which it must land.
    """

    least_value: int = 100 * WAD
    max_slippage_bps: int = 100
    tolerance_bps: int = 50
    lifetime_s: int = 300


class UniswapHedge:
    """Sells in the best Uniswap V3 pool of a pair, through the router.

    Parameters
    ----------
    places : Places
        Router, tokens, and who receives.
    options : HedgeOptions
        Limits.
    """

    def __init__(self, places: Places, options: HedgeOptions) -> None:
        self._places: Final = places
        self._options: Final = options

    def order(self, snapshot: Snapshot, pair: tuple[int, int], amount: int) -> HedgeOrder | None:
        """See `HedgeVenue.order`."""
        found = [
            (brings, size, market)
            for market in Board(snapshot.pools).markets(*pair)
            if (size := self._within_slippage(market, amount)) and (brings := _brings(market, size))
        ]
        if not found:
            return None
        brings, size, market = max(found, key=lambda entry: (entry[0], entry[2].address))
        least = brings - bps_down(brings, self._options.tolerance_bps)
        deadline = snapshot.timestamp + self._options.lifetime_s
        return HedgeOrder(size, least, self._call(pair, market.pool.fee_pips, size, least, deadline))

    def _within_slippage(self, market: Market, wanted: int) -> int:
        """Return the largest sale within the slippage limit, to a millionth of what is wanted.

        The average price falls with size, so bisection finds it.
        """
        if self._allowed(market, wanted):
            return wanted
        low, high = 0, wanted
        while high - low > 1 + wanted // _SMALLEST_SHARE:
            middle = (low + high) // 2
            low, high = (middle, high) if self._allowed(market, middle) else (low, middle)
        return low

    def _allowed(self, market: Market, amount: int) -> bool:
        brings, floor = _brings(market, amount), market.at_spot(amount)
        return brings > 0 and brings >= floor - bps_down(floor, self._options.max_slippage_bps)

    def _call(self, pair: tuple[int, int], fee_pips: int, amount: int, least: int, deadline: int) -> Call:
        sold, bought = (self._places.tokens[asset_id] for asset_id in pair)
        order = (sold, bought, fee_pips, self._places.dealer, deadline, amount, least, 0)
        return Call(_text(self._places.router), _SWAP + encode([_ORDER], [order]))


class Hedger:
    """Decides, head by head, what the dealer sends: first what lets it pay and hedge, then hedges.

    Parameters
    ----------
    lane : Lane
        Lands transactions.
    ledger : DealerLedger
        Knows what is to be hedged.
    venue : HedgeVenue
        Where to.
    places : Places
        Addresses.
    options : HedgeOptions
        When.
    wrap : callable
        Turns a call of the dealer into a call of its key: through the dealer's contract, if it has one.
    """

    def __init__(
        self,
        lane: Lane,
        ledger: DealerLedger,
        venue: HedgeVenue,
        places: Places,
        options: HedgeOptions,
        wrap: Callable[[Call], Call],
    ) -> None:
        self._lane: Final = lane
        self._ledger: Final = ledger
        self._venue: Final = venue
        self._places: Final = places
        self._options: Final = options
        self._wrap: Final = wrap

    async def step(self, view: DealerView, reading: Reading, funding: Mapping[int, int]) -> None:
        """Do what is due at a head: at most one transaction, and none while another may land.

        Parameters
        ----------
        view : DealerView
            The head.
        reading : Reading
            Allowances at it.
        funding : mapping of int to int
            What the clearing house must be able to draw, by asset id; topped up when half of it is gone.
        """
        if not await self._lane.settle(view.head):
            return
        for asset_id, wanted in funding.items():
            allowed = view.funds[asset_id].allowance
            short = 2 * allowed < wanted
            if short and await self._approve(view, asset_id, self._places.house, wanted, allowed):
                return
        for pair, amount in sorted((await self._ledger.exposure()).items()):
            if await self._hedge(view, reading, pair, amount):
                return

    async def _hedge(self, view: DealerView, reading: Reading, pair: tuple[int, int], exposed: int) -> bool:
        """Send the next step of a pair's hedge; return whether one was sent."""
        asset = view.snapshot.assets[pair[0]]
        amount = min(exposed, view.funds[pair[0]].balance)
        worth = mul_div_down(amount, asset.price, asset.unit) if asset.price and amount > 0 else 0
        if worth == 0 or worth < self._options.least_value:
            return False
        order = self._venue.order(view.snapshot, pair, amount)
        if order is None:
            _log.warning("hedge_impossible", collateral_id=pair[0], debt_id=pair[1], amount=amount)
            return False
        allowed = reading.router_allowance[pair[0]]
        if allowed < order.amount:
            return await self._approve(view, pair[0], self._places.router, order.amount, allowed)
        job = Job(WorkKind.HEDGE, self._wrap(order.call), *pair, order.amount)
        return await self._lane.send(job, view.head) is not None

    async def _approve(
        self, view: DealerView, asset_id: int, spender: bytes, amount: int, allowed: int
    ) -> bool:
        """Let a spender draw an exact amount, never an unlimited one; return whether anything was sent.

        Some tokens change an allowance to nothing and from nothing alone.
        """
        for size in (amount, 0) if allowed else (amount,):
            data = _APPROVE + encode(["address", "uint256"], [spender, size])
            call = Call(_text(self._places.tokens[asset_id]), data)
            if await self._lane.send(Job(WorkKind.APPROVE, self._wrap(call)), view.head) is not None:
                return True
        return False


def _brings(market: Market, amount: int) -> int:
    quote = market.quote(amount) if amount > 0 else None
    return 0 if quote is None else quote.amount_out


def _text(address: bytes) -> Address:
    return Address(to_checksum_address(address))
