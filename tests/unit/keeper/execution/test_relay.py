"""A private relay: what goes there, what comes back, and what is broadcast instead."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from bot.execution.broadcast import Answer, Word
from bot.execution.post import Headers
from bot.execution.relay import PrivateRoute, RelayOptions, Style, signing_headers
from bot.ports import Hash32, Head, Lane, Outcome, Signed, Terms, Transaction
from tests.support.keeper import KEEPER, a_head, a_signature, an_intent
from tests.support.private_relay import RefusalError, Server, acknowledge, serving

HEAD = a_head(100)
WORTH = Terms(worth=10**18)


@dataclass
class Pool:
    """The public way, which takes everything."""

    sent: list[Hash32] = field(default_factory=list)

    async def send(self, rows: Sequence[tuple[Transaction, Signed]], head: Head) -> list[Answer]:
        self.sent += [signed.hash for _, signed in rows]
        return [Answer(Word.KNOWN) for _ in rows]

    def hides(self, row: Transaction, head: Head) -> bool:
        return False


def signed(nonce: int) -> Signed:
    raw = b"\x02" + nonce.to_bytes(4)
    return replace(a_signature(nonce), raw=raw, hash=Hash32("0x" + keccak(raw).hex()))


def row(nonce: int, terms: Terms = WORTH, planned: int = 100) -> tuple[Transaction, Signed]:
    intent = replace(an_intent(f"{nonce}"), terms=terms)
    return Transaction(nonce, intent, KEEPER, planned, Outcome.SIGNED, signed=signed(nonce)), signed(nonce)


def route(
    server: Server, pool: Pool, style: Style = "transaction", headers: Headers | None = None
) -> PrivateRoute:
    return PrivateRoute(server.post(headers), pool, RelayOptions(style, blocks=3))


async def test_what_is_urgent_and_worth_something_goes_to_the_relay_alone() -> None:
    async with serving(acknowledge) as server:
        pool = Pool()
        private = route(server, pool)
        answers = await private.send([row(1), row(2)], HEAD)
        assert answers == [Answer(Word.TAKEN)] * 2
        assert pool.sent == []
        request = {
            "tx": "0x" + signed(1).raw.hex(),
            "maxBlockNumber": hex(103),
            "preferences": {"fast": True},
        }
        assert server.asked[0] == ("eth_sendPrivateTransaction", request)
        assert private.hides(row(1)[0], HEAD)


async def test_a_bundle_holds_all_of_a_head_in_order_for_the_next_block() -> None:
    async with serving(acknowledge) as server:
        pool = Pool()
        assert await route(server, pool, "bundle").send([row(1), row(2)], HEAD) == [Answer(Word.TAKEN)] * 2
        raws = ["0x" + signed(nonce).raw.hex() for nonce in (1, 2)]
        assert server.asked == [("eth_sendBundle", {"txs": raws, "blockNumber": hex(101)})]
        assert pool.sent == []


@pytest.mark.parametrize(
    ("terms", "planned"),
    [(Terms(), 100), (Terms(Lane.HOUSEKEEPING, worth=5), 100), (WORTH, 97)],
)
async def test_what_is_unpaid_housekeeping_or_old_is_broadcast(terms: Terms, planned: int) -> None:
    async with serving(acknowledge) as server:
        pool = Pool()
        private = route(server, pool)
        answers = await private.send([row(1), row(2, terms, planned)], HEAD)
        assert answers == [Answer(Word.TAKEN), Answer(Word.KNOWN)]
        assert pool.sent == [signed(2).hash]
        assert not private.hides(row(2, terms, planned)[0], HEAD)


async def test_a_cancel_is_public() -> None:
    plain, bytes_ = row(1)
    call = replace(plain.intent.call, to=KEEPER, data=b"", value=0)
    cancel = replace(plain, intent=replace(plain.intent, call=call))
    async with serving(acknowledge) as server:
        pool = Pool()
        await route(server, pool).send([(cancel, bytes_)], HEAD)
        assert pool.sent == [bytes_.hash]
        assert server.asked == []


def refuse(method: str, params: Any) -> Any:
    raise RefusalError("too busy")


@pytest.mark.parametrize("style", ["transaction", "bundle"])
async def test_a_relay_that_refuses_is_passed_by_and_asked_again(style: Style) -> None:
    async with serving(refuse) as server:
        pool = Pool()
        private = route(server, pool, style)
        assert await private.send([row(1), row(2)], HEAD) == [Answer(Word.KNOWN)] * 2
        assert pool.sent == [signed(1).hash, signed(2).hash]
        server.answer = acknowledge
        assert await private.send([row(3)], HEAD) == [Answer(Word.TAKEN)]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"id": 1}'),
        (200, b"x" * 1_000_001),
        (200, b'{"result": 5}'),
        (200, b'{"result": null}'),
        (403, b'{"id": 1, "error": "no signature"}'),
        (429, b'{"id": 1, "error": {"code": -32005, "message": "rate limited"}}'),
        (200, b'{"id": 1, "error": 7}'),
    ],
)
async def test_a_relay_that_answers_garbage_is_passed_by(status: int, body: bytes) -> None:
    async with serving(acknowledge) as server:
        server.status, server.body = status, body
        pool = Pool()
        assert await route(server, pool).send([row(1)], HEAD) == [Answer(Word.KNOWN)]
        assert pool.sent == [signed(1).hash]


async def test_a_relay_that_is_gone_is_passed_by() -> None:
    async with serving(acknowledge) as server:
        gone = server.url
    async with serving(acknowledge) as server:
        server.url = gone
        private = route(server, pool := Pool())
        assert await private.send([row(1)], HEAD) == [Answer(Word.KNOWN)]
        assert pool.sent == [signed(1).hash]


@pytest.mark.parametrize("style", ["transaction", "bundle"])
async def test_a_relay_that_acknowledges_something_else_is_not_used_again(style: Style) -> None:
    other = "0x" + "99" * 32
    async with serving(lambda method, _: other if "Private" in method else {"bundleHash": other}) as server:
        pool = Pool()
        private = route(server, pool, style)
        assert await private.send([row(1)], HEAD) == [Answer(Word.KNOWN)]
        assert not private.hides(row(1)[0], HEAD)
        server.answer = acknowledge
        await private.send([row(2)], HEAD)
        assert pool.sent == [signed(1).hash, signed(2).hash]
        assert len(server.asked) == 1


async def test_requests_are_signed_by_a_key_of_their_own() -> None:
    key = b"\x07" * 32
    async with serving(acknowledge) as server:
        await route(server, Pool(), headers=signing_headers(key)).send([row(1), row(2)], HEAD)
        assert server.senders == [Account.from_key(key).address] * 2
