"""The messages of the protocol: strict models, and the way between them and values.

Integers that may pass 2**53 are decimal strings without leading zeros, the others JSON numbers; addresses
and signatures are hex. A field too many, a number where a string belongs, a checksum that is wrong: each is
an error, never a guess. `docs/openapi/rfq.yaml` is written from these models.
"""

from enum import StrEnum
from typing import Annotated, Any, Final, Literal, TypeVar

import orjson
from eth_utils.address import is_checksum_address, to_checksum_address
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bot.errors import QuoteMessageError
from bot.ports.rfq import QuoteRequest
from bot.strategy.quotes import FirmQuote

VERSION: Final = 1
"""Of the protocol; the first part of every path."""

MAX_BODY: Final = 8_192
"""Bytes of a message, at most: more than any quote with a contract's signature."""

_MAX_SIGNATURE: Final = 1_024


def _address(text: str) -> str:
    body = text[2:]
    if body not in (body.lower(), body.upper()) and not is_checksum_address(text):
        raise ValueError("an address; in mixed case it must carry its checksum (EIP-55)")
    return text


def _someone(text: str) -> str:
    if int(text, 16) == 0:
        raise ValueError("an address other than zero, which is nobody")
    return text


def _within(bits: int) -> AfterValidator:
    def check(text: str) -> str:
        if int(text) >> bits:
            raise ValueError(f"must be below 2**{bits}")
        return text

    return AfterValidator(check)


_DECIMAL: Final = r"^(0|[1-9][0-9]{0,77})$"
AddressText = Annotated[
    str,
    Field(pattern=r"^0x[0-9a-fA-F]{40}$", description="20 bytes.", examples=["0x" + "11" * 20]),
    AfterValidator(_address),
]
PartyText = Annotated[
    str,
    Field(pattern=r"^0x[0-9a-fA-F]{40}$", description="20 bytes, not all zero.", examples=["0x" + "11" * 20]),
    AfterValidator(_address),
    AfterValidator(_someone),
]
Uint256Text = Annotated[
    str, Field(pattern=_DECIMAL, description="Below 2**256.", examples=["250000000"]), _within(256)
]
Uint128Text = Annotated[
    str, Field(pattern=_DECIMAL, description="Below 2**128.", examples=["1000000000000000000"]), _within(128)
]
SignatureText = Annotated[
    str,
    Field(pattern=r"^0x([0-9a-fA-F]{2})+$", max_length=2 + 2 * _MAX_SIGNATURE, examples=["0x" + "22" * 65]),
]
AssetId = Annotated[int, Field(ge=0, lt=64)]
Uint32 = Annotated[int, Field(ge=0, lt=2**32)]
Uint40 = Annotated[int, Field(ge=0, lt=2**40)]
ChainId = Annotated[int, Field(gt=0, lt=2**53)]
MessageId = Annotated[int, Field(ge=0, lt=2**53)]


class Code(StrEnum):
    """Why there is no quote."""

    MALFORMED = "malformed"
    """The message is not one of the protocol."""
    TOO_LARGE = "too_large"
    """The message is longer than a message may be."""
    WRONG_VENUE = "wrong_venue"
    """Another chain, or another liquidation engine."""
    NOT_FOR_SALE = "not_for_sale"
    """The account has no auction of this epoch, or none of this collateral and debt."""
    NOT_DEALT = "not_dealt"
    """The dealer does not deal in this pair."""
    NO_PRICE = "no_price"
    """The dealer has no price that it trusts."""
    BELOW_RESERVE = "below_reserve"
    """The dealer would pay less than the reserve."""
    LIMIT = "limit"
    """Inventory, quote or open quotes are at their limit."""
    BUSY = "busy"
    """Too many requests at once."""
    NOT_READY = "not_ready"
    """The dealer starts, stops, or follows no chain."""


class _Message(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class RequestMessage(_Message):
    """A request for a firm quote on one pair of one account.

    Parameters
    ----------
    chain_id, engine
        Where the quote is to hold.
    account, epoch, collateral_id, debt_id
        The auction, and the pair.
    amount
        Collateral units wanted at most.
    filler
        Who will fill, and nobody else may.
    """

    chain_id: ChainId
    engine: PartyText
    account: PartyText
    epoch: Uint32
    collateral_id: AssetId
    debt_id: AssetId
    amount: Uint128Text
    filler: PartyText


class QuoteMessage(_Message):
    """The EIP-712 struct ``Quote``; see docs/rfq.md for each member."""

    dealer: PartyText
    account: PartyText
    epoch: Uint32
    collateral_id: AssetId
    debt_id: AssetId
    price: Uint256Text
    min_fill: Uint128Text
    max_fill: Uint128Text
    nonce: Uint256Text
    deadline: Uint40
    filler: AddressText
    callback: bool


class SignedMessage(_Message):
    """A firm quote."""

    quote: QuoteMessage
    signature: SignatureText


class RefusalMessage(_Message):
    """No quote, and why."""

    code: Annotated[Code, Field(strict=False)]
    detail: Annotated[str, Field(max_length=400)]


class DealerMessage(_Message):
    """Who deals here, and where its quotes hold."""

    protocol: Literal["sluice-rfq"] = "sluice-rfq"
    version: Literal[1] = 1
    chain_id: ChainId
    engine: PartyText
    dealer: PartyText
    validity_s: Annotated[int, Field(gt=0, le=3_600)]


class StreamRequest(_Message):
    """A request over a WebSocket; the answer carries the same id."""

    id: MessageId
    request: RequestMessage


class StreamReply(_Message):
    """An answer over a WebSocket: a quote or a refusal. Without an id, the request had none to read."""

    id: MessageId | None = None
    signed: SignedMessage | None = None
    refusal: RefusalMessage | None = None


MessageT = TypeVar("MessageT", bound=_Message)


def parse(kind: type[MessageT], body: bytes | str) -> MessageT:
    """Return the message in a body.

    Parameters
    ----------
    kind : type
        One of the models here.
    body : bytes or str
        What came, of any size and content.

    Raises
    ------
    QuoteMessageError
        If it is longer than `MAX_BODY`, no JSON, or not that message.
    """
    if len(body) > MAX_BODY:
        raise QuoteMessageError("message", f"{len(body)} bytes", f"at most {MAX_BODY} bytes")
    try:
        plain = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise QuoteMessageError("message", body[:80], "JSON in UTF-8") from None
    try:
        return kind.model_validate(plain)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "message"
        raise QuoteMessageError(field, first["input"], _requirement(first["type"], first["msg"])) from None


def dump(message: BaseModel) -> bytes:
    """Return a message as JSON; members that are None are left out."""
    return orjson.dumps(message.model_dump(mode="json", exclude_none=True))


def request_message(request: QuoteRequest, chain_id: int, engine: bytes) -> RequestMessage:
    """Return a request as it is sent."""
    return RequestMessage(
        chain_id=chain_id,
        engine=_text(engine),
        account=_text(request.account),
        epoch=request.epoch,
        collateral_id=request.collateral_id,
        debt_id=request.debt_id,
        amount=str(request.amount),
        filler=_text(request.filler),
    )


def request_of(message: RequestMessage) -> QuoteRequest:
    """Return what a message asks for."""
    return QuoteRequest(
        account=_raw(message.account),
        epoch=message.epoch,
        collateral_id=message.collateral_id,
        debt_id=message.debt_id,
        amount=int(message.amount),
        filler=_raw(message.filler),
    )


def signed_message(quote: FirmQuote, signature: bytes) -> SignedMessage:
    """Return a signed quote as it is sent."""
    fields: dict[str, Any] = {name: getattr(quote, name) for name in QuoteMessage.model_fields}
    for name in ("dealer", "account", "filler"):
        fields[name] = _text(fields[name])
    for name in ("price", "min_fill", "max_fill", "nonce"):
        fields[name] = str(fields[name])
    return SignedMessage(quote=QuoteMessage(**fields), signature="0x" + signature.hex())


def quote_of(message: SignedMessage) -> tuple[FirmQuote, bytes]:
    """Return the quote and the signature in a message."""
    fields = message.quote.model_dump()
    for name in ("dealer", "account", "filler"):
        fields[name] = _raw(fields[name])
    for name in ("price", "min_fill", "max_fill", "nonce"):
        fields[name] = int(fields[name])
    return FirmQuote(**fields), bytes.fromhex(message.signature[2:])


def _text(address: bytes) -> str:
    return str(to_checksum_address(address))


def _raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


_REQUIREMENTS: Final = {"missing": "given", "extra_forbidden": "left out", "model_type": "a JSON object"}
"""What faults of the shape are called, in place of pydantic's words, which name classes."""


def _requirement(kind: str, words: str) -> str:
    """Return what pydantic wants, in the grammar of our errors."""
    if kind in _REQUIREMENTS:
        return _REQUIREMENTS[kind]
    if kind == "string_pattern_mismatch":
        return words.replace("String should match pattern", "text of the pattern")
    for prefix in ("Value error, ", "Input should be ", "must be "):
        words = words.removeprefix(prefix)
    return words[0].lower() + words[1:]
