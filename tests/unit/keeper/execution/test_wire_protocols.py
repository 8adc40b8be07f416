"""Relay and remote signer by the letter of the protocols that are spoken out there."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from eth_account import Account
from structlog.testing import capture_logs

from bot.errors import EndpointUnreachableError, RemoteKeyMissingError, RpcError, SignatureInvalidError
from bot.execution.broadcast import Answer, Word
from bot.execution.fees import Fees
from bot.execution.post import Headers
from bot.execution.relay import PrivateRoute, RelayOptions, Style, signing_headers
from bot.execution.remote import RemoteSigner
from bot.execution.signer import KeystoreSigner, Unsigned
from bot.ports import Address, Call, Hash32, Head, Outcome, Signed, Terms, Transaction
from tests.support.keeper import ENGINE, KEEPER, a_head, an_intent
from tests.support.wire import RefusedError, Wire, flashbots, web3signer, wired

CHAIN_ID = 31337
HEAD = a_head(100)
KEY, OTHER_KEY = "0x" + "4c" * 32, "0x" + "4d" * 32
ADDRESS = Address(Account.from_key(KEY).address)
SIGNER = KeystoreSigner(Account.from_key(KEY))
SENDER = signing_headers(b"\x07" * 32)
WANTED = Unsigned(Call(ENGINE, b"\x01\x02", value=7), CHAIN_ID, 5, 90_001, Fees(300, 2))


class Pool:
    """The public way, which takes everything."""

    def __init__(self) -> None:
        self.sent: list[Hash32] = []

    async def send(self, rows: Sequence[tuple[Transaction, Signed]], head: Head) -> list[Answer]:
        self.sent += [signed.hash for _, signed in rows]
        return [Answer(Word.KNOWN) for _ in rows]

    def hides(self, row: Transaction, head: Head) -> bool:
        return False


async def row(nonce: int, tip: int = 2, data: bytes = b"\x01") -> tuple[Transaction, Signed]:
    """Return a transaction that a real key has signed."""
    signed = await SIGNER.sign(replace(WANTED, nonce=nonce, fees=Fees(300, tip), call=Call(ENGINE, data)))
    intent = replace(an_intent(str(nonce)), terms=Terms(worth=10**18))
    return Transaction(nonce, intent, KEEPER, 100, Outcome.SIGNED, signed=signed), signed


def route(
    wire: Wire, pool: Pool, style: Style, headers: Headers | None = SENDER, timeout_s: float = 10.0
) -> PrivateRoute:
    return PrivateRoute(wire.post(headers, timeout_s), pool, RelayOptions(style, blocks=3))


# -------------------------------------------------------------------------------------- relay


@pytest.mark.parametrize("style", ["transaction", "bundle"])
async def test_the_relay_takes_what_it_is_sent_and_acknowledges_its_hash(style: Style) -> None:
    rows = [await row(1), await row(2)]
    async with wired(flashbots(100), text_ids=True) as wire:
        private = route(wire, pool := Pool(), style)
        assert await private.send(rows, HEAD) == [Answer(Word.TAKEN)] * 2
        assert pool.sent == []
        assert private.hides(rows[0][0], HEAD)
        assert len(wire.taken) == (2 if style == "transaction" else 1)


async def refused(wire: Wire, rows: Sequence[tuple[Transaction, Signed]], style: Style, **how: object) -> str:
    """Send what the relay refuses; return why, once all of it went the public way."""
    pool = Pool()
    private = route(wire, pool, style, **how)  # type: ignore[arg-type]
    with capture_logs() as logs:
        assert await private.send(rows, HEAD) == [Answer(Word.KNOWN)] * len(rows)
    assert pool.sent == [signed.hash for _, signed in rows]
    assert wire.taken == []
    assert private.hides(rows[0][0], HEAD), "a refusal is no reason for distrust"
    (told,) = [entry for entry in logs if entry["event"] == "relay_failed"]
    return str(told["reason"])


@pytest.mark.parametrize("style", ["transaction", "bundle"])
async def test_a_request_that_nobody_signed_is_refused(style: Style) -> None:
    async with wired(flashbots(100)) as wire:
        assert "signature is required" in await refused(wire, [await row(1)], style, headers=None)


@pytest.mark.parametrize(
    "header", ["", ":", "0x12:0x34", f"{ADDRESS}:0x" + "00" * 65, f"{ADDRESS}:0x" + "11" * 65]
)
async def test_a_signature_of_another_body_or_account_is_refused(header: str) -> None:
    async with wired(flashbots(100)) as wire:
        headers = lambda _: {"X-Flashbots-Signature": header}  # noqa: E731
        assert "signature" in await refused(wire, [await row(1)], "transaction", headers=headers)


async def test_a_transaction_without_a_tip_is_refused_and_broadcast() -> None:
    async with wired(flashbots(100)) as wire:
        assert "priority fee" in await refused(wire, [await row(1, tip=0)], "transaction")


@pytest.mark.parametrize("style", ["transaction", "bundle"])
async def test_what_comes_after_its_last_block_is_refused_and_broadcast(style: Style) -> None:
    async with wired(flashbots(500)) as wire:
        assert "in the past" in await refused(wire, [await row(1)], style)


async def test_a_bundle_beyond_the_relays_limits_is_broadcast() -> None:
    many = [await row(nonce) for nonce in range(101)]
    large = [await row(nonce, data=bytes(160_000)) for nonce in range(2)]
    async with wired(flashbots(100)) as wire:
        assert "101 transactions" in await refused(wire, many, "bundle")
        assert "bytes" in await refused(wire, large, "bundle")


@pytest.mark.parametrize("style", ["transaction", "bundle"])
async def test_a_relay_that_does_not_answer_costs_its_time_out_and_no_more(style: Style) -> None:
    async with wired(flashbots(100)) as wire:
        wire.delay_s = 30.0
        started = time.monotonic()
        await refused(wire, [await row(1)], style, timeout_s=0.3)
        assert time.monotonic() - started < 10


# ------------------------------------------------------------------------------------- signer


async def test_the_signer_signs_what_a_keystore_would() -> None:
    async with wired(web3signer([KEY], CHAIN_ID)) as wire:
        assert await RemoteSigner(wire.post(), ADDRESS).sign(WANTED) == await SIGNER.sign(WANTED)


async def test_nothing_is_left_to_the_signers_defaults() -> None:
    async with wired(web3signer([KEY], CHAIN_ID)) as wire:
        await RemoteSigner(wire.post(), ADDRESS).sign(replace(WANTED, call=Call(ENGINE, b"")))
        ((_, asked),) = wire.taken
    assert {"from", "to", "gas", "nonce", "value", "data"} <= asked.keys()
    assert {"maxFeePerGas", "maxPriorityFeePerGas"} <= asked.keys()
    assert "gasPrice" not in asked


async def test_a_signer_that_is_set_up_for_another_chain_is_found_out() -> None:
    async with wired(web3signer([KEY], 1)) as wire:
        with pytest.raises(SignatureInvalidError, match="chainId is 1, not 31337"):
            await RemoteSigner(wire.post(), ADDRESS).sign(WANTED)


async def test_an_account_that_the_signer_has_no_key_for_is_told_in_its_words() -> None:
    async with wired(web3signer([OTHER_KEY], CHAIN_ID)) as wire:
        with pytest.raises(RpcError, match="No unlocked account matches the Sender") as caught:
            await RemoteSigner(wire.post(), ADDRESS).sign(WANTED)
    assert caught.value.code == -32000


async def test_a_signer_is_asked_for_its_keys_before_it_is_trusted_with_anything() -> None:
    async with wired(web3signer([OTHER_KEY, KEY], CHAIN_ID)) as wire:
        await RemoteSigner(wire.post(), ADDRESS).check()
    async with wired(web3signer([OTHER_KEY], CHAIN_ID)) as wire:
        with pytest.raises(RemoteKeyMissingError, match=r"signer\.remote_address") as caught:
            await RemoteSigner(wire.post(), ADDRESS).check()
    assert (caught.value.address, caught.value.held) == (ADDRESS, 1)


async def test_a_signer_that_lists_no_keys_is_told_and_used() -> None:
    async with wired(flashbots(100)) as wire:
        wire.answer = refusing
        with capture_logs() as logs:
            await RemoteSigner(wire.post(), ADDRESS).check()
    assert [log["event"] for log in logs] == ["remote_signer_unproven"]


def refusing(request: web.Request, body: bytes, said: dict[str, Any]) -> Any:
    raise RefusedError(400, -32601, "Method not found")


async def test_a_signer_that_does_not_answer_costs_its_time_out_and_no_more() -> None:
    async with wired(web3signer([KEY], CHAIN_ID)) as wire:
        wire.delay_s = 30.0
        started = time.monotonic()
        with pytest.raises(EndpointUnreachableError):
            await RemoteSigner(wire.post(timeout_s=0.3), ADDRESS).sign(WANTED)
        assert time.monotonic() - started < 10
