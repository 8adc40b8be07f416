"""A key that is kept elsewhere: nothing it returns is believed before it was compared."""

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from bot.chain.endpoint import Endpoint
from bot.errors import EndpointUnreachableError, MalformedAnswerError, RpcError, SignatureInvalidError
from bot.execution.fees import Fees
from bot.execution.post import JsonRpcPost
from bot.execution.remote import RemoteSigner
from bot.execution.signer import KeystoreSigner, Unsigned
from bot.ports import Address, Call
from tests.support.keeper import ENGINE
from tests.support.private_relay import Params, Server, read, serving, signing

KEY = "0x" + "4c" * 32
OTHER_KEY = "0x" + "4d" * 32
ADDRESS = Address(Account.from_key(KEY).address)
WANTED = Unsigned(Call(ENGINE, b"\x01\x02", value=7), 31337, 5, 90_000, Fees(300, 2))


def remote(server: Server) -> RemoteSigner:
    return RemoteSigner(server.post(), ADDRESS)


def nowhere() -> JsonRpcPost:
    return JsonRpcPost(Endpoint.parse("http://127.0.0.1:1/secret"), "signer.remote_url", timeout_s=1)


async def test_it_signs_what_a_keystore_would() -> None:
    async with serving(signing(KEY)) as server:
        signed = await remote(server).sign(WANTED)
    assert signed == await KeystoreSigner(Account.from_key(KEY)).sign(WANTED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nonce", "0x6"),
        ("gas", "0x1"),
        ("value", "0x8"),
        ("data", "0x0103"),
        ("to", "0x00000000000000000000000000000000000000E2"),
        ("chainId", "0x1"),
        ("maxFeePerGas", "0x12d"),
        ("maxPriorityFeePerGas", "0x3"),
        ("accessList", [{"address": ENGINE, "storageKeys": []}]),
    ],
)
async def test_a_signature_on_anything_else_is_refused(name: str, value: Any) -> None:
    async with serving(lambda method, params: signing(KEY)(method, {**params, name: value})) as server:
        with pytest.raises(SignatureInvalidError, match=name):
            await remote(server).sign(WANTED)


async def test_a_signature_by_another_account_is_refused() -> None:
    def impostor(method: str, params: Params) -> Any:
        return signing(OTHER_KEY)(method, {**params, "from": Account.from_key(OTHER_KEY).address})

    async with serving(impostor) as server:
        with pytest.raises(SignatureInvalidError, match="signed by"):
            await remote(server).sign(WANTED)


@pytest.mark.parametrize("answer", [None, 5, {"accounts": []}, "0x"])
async def test_what_is_no_list_of_keys_is_refused(answer: Any) -> None:
    class Lists(JsonRpcPost):
        async def call(self, method: str, *params: Any) -> Any:
            return answer

    post = Lists(Endpoint.parse("http://127.0.0.1:1"), "signer.remote_url", timeout_s=1)
    with pytest.raises(MalformedAnswerError, match="eth_accounts"):
        await RemoteSigner(post, ADDRESS).check()


async def test_a_signer_that_is_away_is_told_by_its_own_setting_and_without_its_path() -> None:
    post = nowhere()
    with pytest.raises(EndpointUnreachableError, match=r"connection refused.*signer\.remote_url") as caught:
        await RemoteSigner(post, ADDRESS).check()
    await post.close()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("answer", ["0x", "0x02", "0x02c0", "0x" + "ff" * 50, "0x05" + "00" * 40])
async def test_what_is_no_transaction_is_refused(answer: str) -> None:
    async with serving(lambda *_: answer) as server:
        with pytest.raises(SignatureInvalidError):
            await remote(server).sign(WANTED)


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda rest: b"\x02" + rest))
def test_garbage_is_refused_and_never_breaks_anything(raw: bytes) -> None:
    signer = RemoteSigner(nowhere(), ADDRESS)
    with pytest.raises(SignatureInvalidError):
        signer._check(raw, WANTED)


@pytest.mark.parametrize("answer", [None, 5, {"raw": "0x02"}, "hello"])
async def test_what_is_no_data_is_refused(answer: Any) -> None:
    async with serving(lambda *_: answer) as server:
        with pytest.raises(MalformedAnswerError):
            await remote(server).sign(WANTED)


async def test_a_legacy_transaction_is_refused() -> None:
    def legacy(method: str, params: Params) -> Any:
        fields = {name: value for name, value in read(params).items() if not name.startswith("max")}
        raw = Account.from_key(KEY).sign_transaction({**fields, "gasPrice": 300}).raw_transaction
        return "0x" + bytes(raw).hex()

    async with serving(legacy) as server:
        with pytest.raises(SignatureInvalidError):
            await remote(server).sign(WANTED)


async def test_a_refusal_and_silence_are_told_apart() -> None:
    async with serving(signing(OTHER_KEY)) as server:
        with pytest.raises(RpcError, match="no key"):
            await remote(server).sign(WANTED)
        server.url = "http://127.0.0.1:1"
        with pytest.raises(EndpointUnreachableError):
            await remote(server).sign(replace(WANTED, nonce=6))


def test_its_text_shows_the_host_and_no_path() -> None:
    assert repr(RemoteSigner(nowhere(), ADDRESS)) == f"RemoteSigner({ADDRESS} at http://127.0.0.1:1)"
