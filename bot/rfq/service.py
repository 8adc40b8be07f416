"""The dealer's loop: at each head read, settle, quote from there on, hedge; at the end cancel, if asked."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address

from bot.domain.wad import mul_div_down
from bot.errors import ChainError, DealerLedgerError, ProtocolError
from bot.execution.finish import finish
from bot.ports import Address, Call, Head, HeadFeed, LiquidationProtocol, NewHead, Reorg
from bot.rfq.dealing import Dealer, DealerView
from bot.rfq.hedging import Hedger
from bot.rfq.landing import Job, Lane
from bot.rfq.ledger import DealerLedger
from bot.rfq.reading import Places, Reader
from bot.rfq.records import IssuedQuote, QuoteState, Work, WorkKind
from bot.strategy.decision import Action
from bot.strategy.snapshot import Snapshot

_log = structlog.get_logger(__name__)

_INVALIDATE: Final = function_signature_to_4byte_selector("invalidateWord(uint256,uint256)")
_CANCEL_POLL_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class DealerOptions:
    """How the dealer runs.

    Parameters
    ----------
    hedge : bool
        Whether it sells what it buys.
    cancel_on_stop : bool
        Whether open quotes are cancelled on chain when it stops; otherwise they run out by themselves.
    watch_after_s : int
        Seconds after its deadline that a quote is still looked at: a reorg may move its fill.
    cancel_timeout_s : float
        Seconds that the end waits for cancellations to be included.
    failures : int
        Heads on which the node may fail one after the other before the process gives up.
    """

    hedge: bool = True
    cancel_on_stop: bool = False
    watch_after_s: int = 180
    cancel_timeout_s: float = 30.0
    failures: int = 20


class DealerService:
    """Runs one dealer.

    Parameters
    ----------
    feed : HeadFeed
        The chain's heads.
    protocol : LiquidationProtocol
        Prices, pools and auctions.
    reader : Reader
        The dealer's own side of the chain.
    dealer : Dealer
        Quotes.
    ledger : DealerLedger
        Remembers.
    hedger : Hedger
        Sells what was bought.
    lane : Lane
        Lands cancellations.
    places : Places
        Addresses.
    wrap : callable
        Turns a call of the dealer into a call of its key.
    options : DealerOptions
        How it runs.
    """

    def __init__(
        self,
        *,
        feed: HeadFeed,
        protocol: LiquidationProtocol[Snapshot, Action],
        reader: Reader,
        dealer: Dealer,
        ledger: DealerLedger,
        hedger: Hedger,
        lane: Lane,
        places: Places,
        wrap: Callable[[Call], Call],
        options: DealerOptions | None = None,
    ) -> None:
        self._feed: Final = feed
        self._protocol: Final = protocol
        self._reader: Final = reader
        self._dealer: Final = dealer
        self._ledger: Final = ledger
        self._hedger: Final = hedger
        self._lane: Final = lane
        self._places: Final = places
        self._wrap: Final = wrap
        self._options: Final = options or DealerOptions()
        self._head: Head | None = None
        self._failures = 0

    async def run(self) -> None:
        """Run until cancelled.

        Raises
        ------
        SluiceError
            If it cannot go on.
        """
        try:
            async for event in self._feed:
                if isinstance(event, Reorg):
                    await self._protocol.roll_back(event.ancestor)
                else:
                    await self._survive(event)
        finally:
            await finish(self._stop())

    async def _survive(self, event: NewHead) -> None:
        """Handle a head; a failure costs that head alone, on which nothing is quoted."""
        block = event.head.number
        try:
            await self._on_head(event.head, behind=event.behind)
            self._failures = 0
        except ChainError as error:
            self._failures += 1
            await self._dealer.rest()
            _log.warning("dealer_head_skipped", block=block, reason=str(error))
            if self._failures >= self._options.failures:
                raise
        except ProtocolError as error:
            await self._dealer.rest()
            await self._protocol.distrust()  # the next head reads it from the chain again
            _log.error("dealer_book_diverged", block=block, reason=str(error))
        except DealerLedgerError as error:
            await self._dealer.rest()
            _log.error("dealer_ledger_unusable", block=block, reason=str(error))

    async def _on_head(self, head: Head, *, behind: int) -> None:
        await self._protocol.sync(head)
        if behind:
            return
        snapshot = self._protocol.snapshot(head)
        reading = await self._reader.at(head, await self._ledger.open_quotes())
        for fill in await self._ledger.settle(reading.filled, head):
            _log.info("dealer_filled", digest=fill.digest.hex(), amount=fill.amount, payment=fill.payment)
        await self._end_old(head)
        view = DealerView(head, snapshot, reading.funds, tuple(await self._ledger.open_quotes()))
        await self._dealer.show(view)
        self._head = head
        if self._options.hedge:
            await self._hedger.step(view, reading, self._funding(snapshot))

    async def _end_old(self, head: Head) -> None:
        """Close quotes whose deadline is so far past that no reorg brings a fill back."""
        ended: dict[QuoteState, list[bytes]] = {QuoteState.SPENT: [], QuoteState.EXPIRED: []}
        for issued in await self._ledger.open_quotes():
            if issued.quote.deadline + self._options.watch_after_s < head.timestamp:
                state = QuoteState.EXPIRED if issued.left else QuoteState.SPENT
                ended[state].append(issued.digest)
        for state, digests in ended.items():
            await self._ledger.end(digests, state)

    def _funding(self, snapshot: Snapshot) -> Mapping[int, int]:
        """Return what the clearing house must be able to draw of each debt; nothing where it calls back."""
        if self._dealer.identity.callback:
            return {}
        wanted = {}
        for _, debt_id in self._dealer.pairs:
            asset = snapshot.assets[debt_id]
            if asset.price:
                wanted[debt_id] = mul_div_down(self._dealer.limits.open_value, asset.unit, asset.price)
        return wanted

    # ------------------------------------------------------------------------- the end

    async def _stop(self) -> None:
        live = self._dealer.live
        await self._dealer.rest()
        if not (self._options.cancel_on_stop and live and self._head):
            return
        try:
            async with asyncio.timeout(self._options.cancel_timeout_s):
                await self._cancel(live, self._head)
        except (ChainError, TimeoutError) as error:
            _log.error("quotes_left_open", count=len(live), reason=str(error) or "no block in time")

    async def _cancel(self, live: Sequence[IssuedQuote], head: Head) -> None:
        """Invalidate the nonces of open quotes.

        They stay open in the ledger until their time is up: a fill may have come first, and the next start
        looks for it.
        """
        sent: list[Work | None] = []
        for word, mask in words_of(issued.quote.nonce for issued in live).items():
            data = _INVALIDATE + encode(["uint256", "uint256"], [word, mask])
            call = Call(Address(to_checksum_address(self._places.engine)), data)
            sent.append(await self._lane.send(Job(WorkKind.CANCEL, self._wrap(call)), head))
        for work in sent:
            await self._included(work)
        if None in sent:
            _log.error("quotes_left_open", count=len(live), reason="a cancellation could not be sent")
            return
        _log.info("quotes_cancelled", count=len(live))

    async def _included(self, work: Work | None) -> None:
        """Wait until a transaction is in a block; the caller sets the deadline."""
        while work is not None:
            if await self._lane.is_included(work):
                return
            await asyncio.sleep(_CANCEL_POLL_S)


def words_of(nonces: Iterable[int]) -> dict[int, int]:
    """Return the masks that cancel nonces, by word."""
    masks: dict[int, int] = {}
    for nonce in nonces:
        masks[nonce >> 8] = masks.get(nonce >> 8, 0) | 1 << (nonce & 0xFF)
    return masks
