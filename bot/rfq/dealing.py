"""The reference dealer's mind: given what it saw at a head, whether and at what price it quotes.

One request is weighed at a time, so that two of them never promise the same inventory. What is promised is
read from the ledger at every head and counted up between heads.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, Protocol

from bot.domain import engine
from bot.domain.engine import Position
from bot.domain.wad import WAD, bps_down, mul_div_down
from bot.errors import QuoteDeclinedError
from bot.ports import Head
from bot.ports.rfq import QuoteRequest
from bot.rfq.messages import Code
from bot.rfq.pricing import PricingRules, SeenPrices, bid, feed_price, reference_price, spread_bps
from bot.rfq.records import IssuedQuote
from bot.rfq.typed_data import QuoteDomain
from bot.strategy.board import Board
from bot.strategy.case import Case
from bot.strategy.quotes import FirmQuote
from bot.strategy.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class DealingLimits:
    """What the dealer risks at most; values are WAD quote units.

    Parameters
    ----------
    quote_value, least_value : int
        Of one quote, at most and at least.
    open_value : int
        Of all open quotes together.
    inventory_value : int
        Of one collateral: held, and promised to be bought.
    open_quotes, open_per_filler : int
        Quotes that are open at once, of all keepers and of one.
    validity_s : int
        Seconds that a quote holds. Every second is an option given away.
    min_fill_bps : int
        Smallest fill, as a share of the quote.
    """

    quote_value: int = 250_000 * WAD
    least_value: int = 10 * WAD
    open_value: int = 1_000_000 * WAD
    inventory_value: int = 1_000_000 * WAD
    open_quotes: int = 64
    open_per_filler: int = 16
    validity_s: int = 36
    min_fill_bps: int = 1_000


class Funds(NamedTuple):
    """What the dealer has of one asset.

    Parameters
    ----------
    balance : int
        Token units.
    allowance : int
        What the clearing house may draw of them; without meaning where it calls back.
    """

    balance: int
    allowance: int


@dataclass(frozen=True, slots=True)
class DealerView:
    """What the dealer knows at a head.

    Parameters
    ----------
    head : Head
        The head.
    snapshot : Snapshot
        The protocol at it.
    funds : mapping of int to Funds
        By asset id.
    open : tuple of IssuedQuote
        Quotes that may still be filled.
    """

    head: Head
    snapshot: Snapshot
    funds: Mapping[int, Funds]
    open: tuple[IssuedQuote, ...] = ()
    rows: Mapping[bytes, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        accounts = self.snapshot.positions.accounts
        object.__setattr__(self, "rows", {accounts[row]: row for row in self.snapshot.auctions})

    @property
    def live(self) -> tuple[IssuedQuote, ...]:
        """Open quotes that a fill in the next block could still use."""
        now = self.head.timestamp
        return tuple(issued for issued in self.open if issued.quote.deadline > now and issued.left)


class QuoteBook(Protocol):
    """Where quotes are written before they leave."""

    async def issue(self, make: "Maker") -> IssuedQuote:
        """See `bot.rfq.ledger.DealerLedger.issue`."""
        ...


class Maker(Protocol):
    """Makes and signs a quote for a nonce."""

    def __call__(self, nonce: int) -> IssuedQuote:
        """Return the quote."""
        ...


class DigestSigner(Protocol):
    """Signs digests of quotes; see `bot.rfq.signing.DealerKey`."""

    def sign_digest(self, digest: bytes) -> bytes:
        """Return 65 bytes."""
        ...


class _Terms(NamedTuple):
    amount: int
    price: int


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom the dealer quotes.

    Parameters
    ----------
    domain : QuoteDomain
        Where its quotes hold.
    dealer : bytes
        Its key's account, or its contract, 20 bytes.
    callback : bool
        Whether it is called back for the payment.
    """

    domain: QuoteDomain
    dealer: bytes
    callback: bool = False


class Dealer:
    """Answers requests from the last view it was shown.

    Parameters
    ----------
    identity : Identity
        As whom.
    pairs : sequence of (int, int)
        (collateral id, debt id) that it deals in.
    pricing : PricingRules
        How it bids.
    limits : DealingLimits
        What it risks.
    book : QuoteBook
        Where quotes are written before they leave.
    signer : DigestSigner
        The key.
    """

    def __init__(
        self,
        identity: Identity,
        pairs: Sequence[tuple[int, int]],
        pricing: PricingRules,
        limits: DealingLimits,
        book: QuoteBook,
        signer: DigestSigner,
    ) -> None:
        self._identity: Final = identity
        self._pricing: Final = pricing
        self._limits: Final = limits
        self._book: Final = book
        self._signer: Final = signer
        self._seen: Final = {pair: SeenPrices(pricing) for pair in pairs}
        self._turn: Final = asyncio.Lock()
        self._view: DealerView | None = None
        self._fresh: list[IssuedQuote] = []

    @property
    def identity(self) -> Identity:
        """As whom it quotes."""
        return self._identity

    @property
    def limits(self) -> DealingLimits:
        """What it risks."""
        return self._limits

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Pairs that it deals in."""
        return tuple(self._seen)

    @property
    def live(self) -> tuple[IssuedQuote, ...]:
        """Quotes that may still be filled, as far as is known."""
        return self._view.live if self._view is not None else ()

    async def show(self, view: DealerView) -> None:
        """Let the dealer see a head; it quotes from there on.

        What was issued while the head was read may not be among its open quotes; it is promised all the same.
        """
        async with self._turn:
            read = {issued.digest for issued in view.open}
            missed = (issued for issued in self._fresh if issued.digest not in read)
            self._view, self._fresh = replace(view, open=(*view.open, *missed)), []
            for (sold, owed), seen in self._seen.items():
                assets = view.snapshot.assets
                try:
                    seen.see(view.head.timestamp, feed_price(assets[sold], assets[owed]))
                except QuoteDeclinedError:
                    continue  # no price now; a request would be declined for the same reason

    async def rest(self) -> None:
        """Quote nothing more, until a view is shown again."""
        async with self._turn:
            self._view = None

    async def quote(self, request: QuoteRequest) -> IssuedQuote:
        """Return a firm quote, which is on disk.

        Raises
        ------
        QuoteDeclinedError
            If the dealer gives none.
        DealerLedgerError
            If it cannot be written.
        """
        async with self._turn:
            view = self._view
            if view is None:
                raise QuoteDeclinedError(Code.NOT_READY, "the dealer follows no head")
            position = self._position(view, request)
            if (standing := self._standing(view, request)) is not None:
                return standing
            self._check_room(view, request.filler)
            terms = self._terms(view, request, position)
            issued = await self._book.issue(lambda nonce: self._signed(view, request, terms, nonce))
            self._view = replace(view, open=(*view.open, issued))
            self._fresh.append(issued)
            return issued

    # -------------------------------------------------------------------- what is asked

    def _position(self, view: DealerView, request: QuoteRequest) -> Position:
        """Return the account as the engine sees it from the pair."""
        pair = (request.collateral_id, request.debt_id)
        if pair not in self._seen:
            raise QuoteDeclinedError(Code.NOT_DEALT, f"collateral {pair[0]} against debt {pair[1]}")
        row, snapshot = view.rows.get(request.account), view.snapshot
        if row is None or snapshot.halted or request.account == self._identity.dealer:
            raise QuoteDeclinedError(Code.NOT_FOR_SALE, "no auction runs on the account")
        if any(snapshot.assets[holding.asset_id].price is None for holding in snapshot.holdings(row)):
            raise QuoteDeclinedError(Code.NO_PRICE, "the oracle refuses an asset of the account")
        case = Case.of(snapshot, row)
        auction = case.auction
        if auction is None or auction.epoch != request.epoch or case.lapsed or case.healthy:
            raise QuoteDeclinedError(Code.NOT_FOR_SALE, f"no auction {request.epoch} runs on the account")
        if pair not in case.pairs() or request.collateral_id not in auction.legs:
            raise QuoteDeclinedError(Code.NOT_FOR_SALE, "the pair is not part of the auction")
        return case.position(*pair)

    def _standing(self, view: DealerView, request: QuoteRequest) -> IssuedQuote | None:
        """Return a quote that this filler has already, if it holds for long enough.

        Whoever asks at every block would otherwise hold several at once, and the inventory for each.
        """
        lasting = view.head.timestamp + self._limits.validity_s // 2
        for issued in view.live:
            quote = issued.quote
            same = (quote.account, quote.epoch, quote.collateral_id, quote.debt_id, quote.filler) == (
                request.account,
                request.epoch,
                request.collateral_id,
                request.debt_id,
                request.filler,
            )
            if same and issued.filled == 0 and quote.deadline >= lasting and quote.max_fill <= request.amount:
                return issued
        return None

    def _check_room(self, view: DealerView, filler: bytes) -> None:
        live = view.live
        if len(live) >= self._limits.open_quotes:
            raise QuoteDeclinedError(Code.LIMIT, f"{len(live)} quotes are open")
        theirs = sum(issued.quote.filler == filler for issued in live)
        if theirs >= self._limits.open_per_filler:
            raise QuoteDeclinedError(Code.LIMIT, f"{theirs} quotes are open to this filler")

    # ---------------------------------------------------------------------- what is bid

    def _terms(self, view: DealerView, request: QuoteRequest, position: Position) -> _Terms:
        """Return amount and price.

        The room is measured at the feeds' price, which is never below the bid, so that the limits hold.
        """
        sold, owed = view.snapshot.assets[request.collateral_id], view.snapshot.assets[request.debt_id]
        fair = feed_price(sold, owed)
        amount = min(request.amount, position.collateral, self._room(view, request, fair))
        assert sold.price is not None  # the feeds' price says so
        value = mul_div_down(max(amount, 0), sold.price, sold.unit)
        if value < max(self._limits.least_value, 1):
            raise QuoteDeclinedError(Code.LIMIT, "too little is asked for, or left to deal with")
        held = mul_div_down(self._held(view, request.collateral_id) + amount, sold.price, sold.unit)
        markets = Board(view.snapshot.pools).markets(sold.asset_id, owed.asset_id)
        reference = reference_price(sold, owed, markets, amount, self._pricing)
        volatility = self._seen[request.collateral_id, request.debt_id].volatility
        share = min(held / self._limits.inventory_value, 1.0)
        price = bid(reference, spread_bps(self._pricing, volatility, value, share))
        self._check_reserve(view, request, position, _Terms(amount, price))
        return _Terms(amount, price)

    def _room(self, view: DealerView, request: QuoteRequest, fair: int) -> int:
        """Return the collateral units that limits and funds leave. Rounding: DOWN."""
        limits, live = self._limits, view.live
        sold, owed = view.snapshot.assets[request.collateral_id], view.snapshot.assets[request.debt_id]
        assert sold.price is not None  # both were priced by the caller
        assert owed.price is not None
        promised = sum(
            mul_div_down(issued.reserved, asset.price, asset.unit)
            for issued in live
            if (asset := view.snapshot.assets[issued.quote.debt_id]).price is not None
        )
        held = mul_div_down(self._held(view, sold.asset_id), sold.price, sold.unit)
        value = min(limits.quote_value, limits.open_value - promised, limits.inventory_value - held)
        funds = view.funds.get(owed.asset_id, Funds(0, 0))
        free = funds.balance if self._identity.callback else min(funds.balance, funds.allowance)
        free -= sum(issued.reserved for issued in live if issued.quote.debt_id == owed.asset_id)
        by_value = mul_div_down(max(value, 0), sold.unit, sold.price)
        return min(by_value, mul_div_down(max(free, 0), WAD, fair))

    def _held(self, view: DealerView, asset_id: int) -> int:
        """Return what the dealer has of a collateral, with what it has promised to buy."""
        promised = sum(issued.left for issued in view.live if issued.quote.collateral_id == asset_id)
        return view.funds.get(asset_id, Funds(0, 0)).balance + promised

    def _check_reserve(
        self, view: DealerView, request: QuoteRequest, position: Position, terms: _Terms
    ) -> None:
        """Decline what the engine would refuse: less than the reserve, as it stands at this head."""
        case = Case.of(view.snapshot, view.rows[request.account])
        penalty = view.snapshot.engine.penalty
        reserve = engine.terms_at(position, case.multiplier(request.collateral_id), penalty)
        least = engine.payment_up(position, reserve.multiplier, terms.amount)
        if -(-terms.amount * terms.price // WAD) < least:
            raise QuoteDeclinedError(Code.BELOW_RESERVE, "the reserve is above this dealer's bid")

    def _signed(self, view: DealerView, request: QuoteRequest, terms: _Terms, nonce: int) -> IssuedQuote:
        identity, limits = self._identity, self._limits
        quote = FirmQuote(
            dealer=identity.dealer,
            account=request.account,
            epoch=request.epoch,
            collateral_id=request.collateral_id,
            debt_id=request.debt_id,
            price=terms.price,
            min_fill=max(bps_down(terms.amount, limits.min_fill_bps), 1),
            max_fill=terms.amount,
            nonce=nonce,
            deadline=view.head.timestamp + limits.validity_s,
            filler=request.filler,
            callback=identity.callback,
        )
        digest = identity.domain.digest(quote)
        return IssuedQuote(quote, digest, self._signer.sign_digest(digest), view.head.number)
