"""Whether a quote holds: every field against what was asked, the signature, and what the chain says.

Two steps. The fields and an ordinary signature are checked here, with no node. What is left is asked of the
chain in one batch, pinned to the head: whether the dealer is a contract and what it says of the signature,
whether the nonce is spent or the quote filled, and whether the dealer can pay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from bot.chain import codec
from bot.domain.wad import BPS
from bot.errors import QuoteInvalidError, QuoteVoidError, RpcError
from bot.ports import Head, Json, Rpc, RpcCall
from bot.ports.rfq import QuoteRequest
from bot.rfq import views
from bot.rfq.typed_data import QuoteDomain, recovered
from bot.strategy.quotes import UNLIMITED, FirmQuote, OpenQuote


@dataclass(frozen=True, slots=True)
class Venue:
    """Where quotes are filled.

    Parameters
    ----------
    domain : QuoteDomain
        Chain and liquidation engine.
    house : bytes
        The clearing house, which draws payments on dealers' allowances.
    tokens : tuple of bytes
        By asset id.
    """

    domain: QuoteDomain
    house: bytes
    tokens: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a quote may say.

    Parameters
    ----------
    least_validity_s, most_validity_s : int
        Seconds that it holds from the head on: shorter cannot land, longer is none that a dealer means.
    widest_price_bps : int
        Most that the price may lie off the fair one, either way.
    """

    least_validity_s: int = 12
    most_validity_s: int = 600
    widest_price_bps: int = 2_500


class Offer(NamedTuple):
    """A quote that a dealer sent, unproven.

    Parameters
    ----------
    request : QuoteRequest
        What it was asked.
    dealer : bytes
        Who was asked, 20 bytes.
    quote : FirmQuote
        What came.
    signature : bytes
        What came with it.
    """

    request: QuoteRequest
    dealer: bytes
    quote: FirmQuote
    signature: bytes


def check_fields(offer: Offer, head: Head, bounds: Bounds) -> None:
    """Hold every field of a quote against the request.

    Raises
    ------
    QuoteInvalidError
        With the first field that is not what was asked for.
    """
    quote, request = offer.quote, offer.request
    same = {
        "dealer": (quote.dealer.hex(), offer.dealer.hex()),
        "account": (quote.account.hex(), request.account.hex()),
        "epoch": (quote.epoch, request.epoch),
        "collateral": (quote.collateral_id, request.collateral_id),
        "debt": (quote.debt_id, request.debt_id),
        "filler": (quote.filler.hex(), request.filler.hex()),
    }
    for fault, (found, wanted) in same.items():
        if found != wanted:
            raise QuoteInvalidError(fault, found, wanted)
    if quote.dealer == quote.account:
        raise QuoteInvalidError("dealer", quote.dealer.hex(), "another than the account")
    if not 0 < quote.max_fill <= request.amount:
        raise QuoteInvalidError("maximum fill", quote.max_fill, f"1 to {request.amount}")
    if not quote.min_fill <= quote.max_fill:
        raise QuoteInvalidError("minimum fill", quote.min_fill, f"at most {quote.max_fill}")
    _check_time_and_price(quote, request.fair_price, head, bounds)


def _check_time_and_price(quote: FirmQuote, fair: int, head: Head, bounds: Bounds) -> None:
    validity = quote.deadline - head.timestamp
    if not bounds.least_validity_s <= validity <= bounds.most_validity_s:
        wanted = f"{bounds.least_validity_s} to {bounds.most_validity_s} s from now"
        raise QuoteInvalidError("deadline", f"{validity} s", wanted)
    width = bounds.widest_price_bps
    low, high = fair * (BPS - width) // BPS, fair * (BPS + width) // BPS
    if quote.price == 0 or (fair and not low <= quote.price <= high):
        raise QuoteInvalidError("price", quote.price, f"{low} to {high}" if fair else "more than 0")


class QuoteVerifier:
    """Verifies quotes at a head.

    Parameters
    ----------
    rpc : Rpc
        The node.
    venue : Venue
        Where they are to hold.
    bounds : Bounds
        What they may say.
    """

    def __init__(self, rpc: Rpc, venue: Venue, bounds: Bounds | None = None) -> None:
        self._rpc: Final = rpc
        self._venue: Final = venue
        self._bounds: Final = bounds or Bounds()
        self._seen: dict[tuple[bytes, int], tuple[bytes, int]] = {}

    async def verify(self, offers: Sequence[Offer], head: Head) -> list[OpenQuote | QuoteInvalidError]:
        """Return for each offer, in order, the quote that holds, or why it does not.

        Raises
        ------
        ChainError
            If the node fails: then nothing is known of any of them.
        """
        verdicts: list[OpenQuote | QuoteInvalidError | None] = [self._check(offer, head) for offer in offers]
        asked = [offer for offer, verdict in zip(offers, verdicts, strict=True) if verdict is None]
        found = iter(await self._ask(asked, head))
        return [next(found) if verdict is None else verdict for verdict in verdicts]

    def _check(self, offer: Offer, head: Head) -> QuoteInvalidError | None:
        """Return what can be known without the chain: the first fault, or None."""
        try:
            check_fields(offer, head, self._bounds)
            self._check_nonce(offer, head)
        except QuoteInvalidError as fault:
            return fault
        return None

    def _check_nonce(self, offer: Offer, head: Head) -> None:
        """Refuse a nonce under which the dealer signed something else that may still hold."""
        quote, digest = offer.quote, self._venue.domain.digest(offer.quote)
        self._seen = {key: seen for key, seen in self._seen.items() if seen[1] >= head.timestamp}
        earlier, _ = self._seen.setdefault((quote.dealer, quote.nonce), (digest, quote.deadline))
        if earlier != digest:
            raise QuoteInvalidError("nonce", quote.nonce, "one that no other open quote has")

    # ---------------------------------------------------------------------- the chain

    async def _ask(self, offers: Sequence[Offer], head: Head) -> list[OpenQuote | QuoteInvalidError]:
        calls = [call for offer in offers for call in self._calls(offer, head)]
        if not calls:
            return []
        answers = await self._rpc.batch(calls)
        each = len(calls) // len(offers)
        verdicts: list[OpenQuote | QuoteInvalidError] = []
        for index, offer in enumerate(offers):
            try:
                verdicts.append(self._opened(offer, answers[index * each : (index + 1) * each]))
            except QuoteInvalidError as fault:
                verdicts.append(fault)
        return verdicts

    def _calls(self, offer: Offer, head: Head) -> list[RpcCall]:
        quote, venue, at = offer.quote, self._venue, codec.at(head)
        token, digest = venue.tokens[quote.debt_id], venue.domain.digest(quote)
        return [
            views.code(quote.dealer, at),
            views.valid_signature(quote.dealer, digest, offer.signature, at),
            views.nonces(venue.domain.engine, quote.dealer, quote.nonce >> 8, at),
            views.filled(venue.domain.engine, digest, at),
            views.balance(token, quote.dealer, at),
            views.allowance(token, quote.dealer, venue.house, at),
        ]

    def _opened(self, offer: Offer, answers: Sequence[Json | RpcError]) -> OpenQuote:
        code, valid, nonces, filled, balance, allowance = answers
        quote = offer.quote
        self._check_signature(offer, is_contract=bool(views.data(code, "code of the dealer")), valid=valid)
        if views.number(nonces, "nonceBitmap") >> (quote.nonce & 0xFF) & 1:
            raise QuoteVoidError("nonce", quote.nonce, "one that is not cancelled or spent")
        spent = views.number(filled, "filled")
        if spent >= quote.max_fill:
            raise QuoteVoidError("maximum fill", quote.max_fill, f"more than the {spent} already filled")
        funds = UNLIMITED
        if not quote.callback:
            funds = min(views.number(balance, "balanceOf"), views.number(allowance, "allowance"))
        opened = OpenQuote(quote, offer.signature, spent, funds)
        if funds < (least := quote.payment(max(opened.least, 1))):
            raise QuoteVoidError("funds", funds, f"at least {least} in balance and allowance")
        return opened

    def _check_signature(self, offer: Offer, *, is_contract: bool, valid: Json | RpcError) -> None:
        """Believe the contract where the dealer is one (ERC-1271), else recover the signer: as the engine."""
        if is_contract:
            magic = b"" if isinstance(valid, RpcError) else views.data(valid, "isValidSignature")
            if magic != views.MAGIC:
                raise QuoteInvalidError("signature", "refused by the dealer's contract", "one it accepts")
            return
        signer = recovered(self._venue.domain.digest(offer.quote), offer.signature)
        if signer != offer.dealer:
            found = "nobody's" if signer is None else f"that of {signer.hex()}"
            raise QuoteInvalidError("signature", found, f"that of {offer.dealer.hex()}")
