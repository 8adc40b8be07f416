"""Dealers made by hand: keys, requests, signed quotes, and a chain that answers what a test says."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web
from eth_keys.datatypes import PrivateKey
from eth_utils.abi import function_signature_to_4byte_selector as selector
from eth_utils.crypto import keccak

from bot.errors import RpcError
from bot.ports import Head, Json, RpcCall
from bot.ports.rfq import DealerScore, QuoteRequest
from bot.rfq.messages import dump, signed_message
from bot.rfq.typed_data import QuoteDomain
from bot.rfq.verification import Venue
from bot.strategy.quotes import FirmQuote
from tests.support.keeper import a_head

ENGINE = b"\xe1" * 20
HOUSE = b"\xc1" * 20
TOKENS = (b"\xa0" * 20, b"\xa1" * 20, b"\xa2" * 20)
DOMAIN = QuoteDomain(31337, ENGINE)
VENUE = Venue(DOMAIN, HOUSE, TOKENS)
HEAD = a_head(100)
BORROWER = b"\xb0" * 20
KEEPER = b"\x11" * 20
FAIR = 200 * 10**6
"""Debt units (6 decimals) for a whole unit of collateral (18 decimals)."""


def a_key(name: str = "dealer") -> PrivateKey:
    """Return a key that belongs to a name."""
    return PrivateKey(keccak(name.encode()))


def address_of(key: PrivateKey) -> bytes:
    return key.public_key.to_canonical_address()


def sign(quote: FirmQuote, key: PrivateKey, domain: QuoteDomain = DOMAIN) -> bytes:
    """Return r, s and v (27 or 28) over a quote's digest."""
    signature = key.sign_msg_hash(domain.digest(quote))
    return signature.to_bytes()[:64] + bytes([signature.v + 27])


def a_request(**changes: Any) -> QuoteRequest:
    request = QuoteRequest(BORROWER, 3, 0, 2, 10**18, KEEPER, FAIR)
    return replace(request, **changes)


def a_quote(key: PrivateKey | None = None, **changes: Any) -> FirmQuote:
    """Return a quote that answers `a_request` at `HEAD`."""
    quote = FirmQuote(
        dealer=address_of(key or a_key()),
        account=BORROWER,
        epoch=3,
        collateral_id=0,
        debt_id=2,
        price=FAIR * 99 // 100,
        min_fill=10**16,
        max_fill=10**18,
        nonce=7,
        deadline=HEAD.timestamp + 36,
        filler=KEEPER,
        callback=False,
    )
    return replace(quote, **changes)


@dataclass
class FakeChain:
    """A `bot.ports.Rpc` that knows the few views a quote is verified by.

    Parameters
    ----------
    codes : set of bytes
        Addresses that are contracts.
    spent : set of (bytes, int)
        Nonces that are cancelled, by dealer.
    filled : mapping of bytes to int
        By digest.
    accepts : callable
        What a dealer's contract answers to a signature; it may raise `RpcError`.
    """

    codes: set[bytes] = field(default_factory=set)
    spent: set[tuple[bytes, int]] = field(default_factory=set)
    filled: dict[bytes, int] = field(default_factory=dict)
    balance: int = 10**12
    allowance: int = 10**12
    accepts: Callable[[bytes, bytes], bytes] = lambda _digest, _signature: b""
    label: str = "fake chain"

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        (answer,) = await self.batch([RpcCall(method, params)])
        if isinstance(answer, RpcError):
            raise answer
        return answer

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        return [self._answer(call) for call in calls]

    def _answer(self, call: RpcCall) -> Json | RpcError:
        if call.method == "eth_getCode":
            return "0x60" if bytes.fromhex(str(call.params[0])[2:]) in self.codes else "0x"
        transaction: Any = call.params[0]
        to, data = bytes.fromhex(transaction["to"][2:]), bytes.fromhex(transaction["data"][2:])
        try:
            return "0x" + self._view(to, data[:4], data[4:]).hex()
        except RpcError as error:
            return error

    def _view(self, to: bytes, function: bytes, data: bytes) -> bytes:
        if function == selector("isValidSignature(bytes32,bytes)"):
            length = int.from_bytes(data[64:96])
            return self.accepts(data[:32], data[96 : 96 + length]) if to in self.codes else b""
        numbers = {
            selector("filled(bytes32)"): lambda: self.filled.get(data[:32], 0),
            selector("nonceBitmap(address,uint256)"): lambda: self._bitmap(data[12:32], data[32:64]),
            selector("balanceOf(address)"): lambda: self.balance,
            selector("allowance(address,address)"): lambda: self.allowance,
        }
        return numbers[function]().to_bytes(32)

    def _bitmap(self, dealer: bytes, word: bytes) -> int:
        nonces = [nonce for who, nonce in self.spent if who == dealer and nonce >> 8 == int.from_bytes(word)]
        return sum(1 << (nonce & 0xFF) for nonce in nonces)


@dataclass
class Memory:
    """A `bot.ports.rfq.DealerMemory` in memory."""

    scores: dict[str, DealerScore] = field(default_factory=dict)

    async def load(self) -> Mapping[str, DealerScore]:
        return dict(self.scores)

    async def save(self, scores: Sequence[DealerScore]) -> None:
        self.scores.update({score.dealer: score for score in scores})


def quote_body(quote: FirmQuote, key: PrivateKey, domain: QuoteDomain = DOMAIN) -> bytes:
    """Return a signed quote as a dealer sends it."""
    return dump(signed_message(quote, sign(quote, key, domain)))


Script = Callable[[bytes], Awaitable[bytes | web.StreamResponse] | bytes]
"""Turns the body of a request into the body of the answer, or into a whole response."""


@asynccontextmanager
async def scripted_dealer(script: Script, status: int = 200) -> AsyncIterator[str]:
    """Serve what a test says at every path over HTTP; yield the base URL."""

    async def handle(request: web.Request) -> web.StreamResponse:
        answer = script(await request.read())
        answer = await answer if isinstance(answer, Awaitable) else answer
        if isinstance(answer, web.StreamResponse):
            return answer
        return web.Response(body=answer, status=status, content_type="application/json")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def later(head: Head, blocks: int) -> Head:
    return a_head(head.number + blocks)
