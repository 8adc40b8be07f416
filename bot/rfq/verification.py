"""Whether a quote holds: every field against what was asked, the signature, and what the chain says.

Two steps. The fields and an ordinary signature are checked here, with no node. What is left is asked of the
chain in one batch, pinned to the head: whether the dealer is a contract and what it says of the signature,
whether the nonce is spent or the quote filled, and whether the dealer can pay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address

from bot.chain import codec
from bot.domain.wad import BPS
from bot.errors import QuoteInvalidError, RpcError
from bot.ports import Head, Json, Rpc, RpcCall
from bot.ports.rfq import QuoteRequest
from bot.rfq.typed_data import QuoteDomain, recovered
from bot.strategy.quotes import UNLIMITED, FirmQuote, OpenQuote

_FILLED: Final = function_signature_to_4byte_selector("filled(bytes32)")
_NONCES: Final = function_signature_to_4byte_selector("nonceBitmap(address,uint256)")
_BALANCE: Final = function_signature_to_4byte_selector("balanceOf(address)")
_ALLOWANCE: Final = function_signature_to_4byte_selector("allowance(address,address)")
_VALID: Final = function_signature_to_4byte_selector("isValidSignature(bytes32,bytes)")
_SIGNATURE_GAS: Final = 1_000_000
"""What a dealer's contract may burn while it is asked; the fill itself pays for it on chain."""


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
        quote, engine = offer.quote, self._venue.domain.engine
        token, digest = self._venue.tokens[quote.debt_id], self._venue.domain.digest(quote)
        question = _VALID + encode(["bytes32", "bytes"], [digest, offer.signature])
        dealer, at = quote.dealer, codec.at(head)
        return [
            RpcCall("eth_getCode", (to_checksum_address(dealer), at)),
            _view(dealer, question, at, _SIGNATURE_GAS),
            _view(engine, _NONCES + encode(["address", "uint256"], [dealer, quote.nonce >> 8]), at),
            _view(engine, _FILLED + digest, at),
            _view(token, _BALANCE + encode(["address"], [dealer]), at),
            _view(token, _ALLOWANCE + encode(["address", "address"], [dealer, self._venue.house]), at),
        ]

    def _opened(self, offer: Offer, answers: Sequence[Json | RpcError]) -> OpenQuote:
        code, valid, nonces, filled, balance, allowance = answers
        quote = offer.quote
        self._check_signature(offer, is_contract=bool(_data(code, "code of the dealer")), valid=valid)
        if _number(nonces, "nonceBitmap") >> (quote.nonce & 0xFF) & 1:
            raise QuoteInvalidError("nonce", quote.nonce, "one that is not cancelled or spent")
        spent = _number(filled, "filled")
        if spent >= quote.max_fill:
            raise QuoteInvalidError("maximum fill", quote.max_fill, f"more than the {spent} already filled")
        funds = UNLIMITED
        if not quote.callback:
            funds = min(_number(balance, "balanceOf"), _number(allowance, "allowance"))
        opened = OpenQuote(quote, offer.signature, spent, funds)
        if funds < (least := quote.payment(max(opened.least, 1))):
            raise QuoteInvalidError("funds", funds, f"at least {least} in balance and allowance")
        return opened

    def _check_signature(self, offer: Offer, *, is_contract: bool, valid: Json | RpcError) -> None:
        """Believe the contract where the dealer is one (ERC-1271), else recover the signer: as the engine."""
        if is_contract:
            magic = b"" if isinstance(valid, RpcError) else _data(valid, "isValidSignature")
            if magic != _VALID.ljust(32, b"\0"):
                raise QuoteInvalidError("signature", "refused by the dealer's contract", "one it accepts")
            return
        signer = recovered(self._venue.domain.digest(offer.quote), offer.signature)
        if signer != offer.dealer:
            found = "nobody's" if signer is None else f"that of {signer.hex()}"
            raise QuoteInvalidError("signature", found, f"that of {offer.dealer.hex()}")


def _view(to: bytes, data: bytes, at: Json, gas: int | None = None) -> RpcCall:
    transaction: dict[str, Json] = {"to": to_checksum_address(to), "data": codec.hex_data(data)}
    if gas is not None:
        transaction["gas"] = codec.hex_quantity(gas)
    return RpcCall("eth_call", (transaction, at))


def _data(answer: Json | RpcError, what: str) -> bytes:
    if isinstance(answer, RpcError):
        raise answer
    return codec.data(answer, what)


def _number(answer: Json | RpcError, what: str) -> int:
    return int.from_bytes(_data(answer, what)[:32])
