"""A relay and a remote signer that keep to the letter of the protocols that they stand for.

The relay is Flashbots': every body signed in its header by whoever sends it, single requests alone, the
documented fields and limits, ids given back as text. The signer is Web3Signer's, on its port for execution
clients: a chain of its own, unknown fields passed over, defaults for what is left out, its words and codes.
Sources: docs.flashbots.net (JSON-RPC endpoints, eth_sendPrivateTransaction), docs.web3signer.consensys.io.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keys.exceptions import BadSignature
from eth_keys.exceptions import ValidationError as KeysValidationError
from eth_utils import ValidationError
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from bot.chain.endpoint import Endpoint
from bot.execution.decoding import decoded
from bot.execution.post import Headers, JsonRpcPost

MOST_IN_A_BUNDLE, LARGEST_BUNDLE = 100, 300_000
"""Transactions and bytes."""
PRIVATE_BLOCKS = 25
"""Blocks ahead to which a later last block is cut, without a word."""


class RefusedError(Exception):
    """An answer that is an error.

    Parameters
    ----------
    status : int
        Of HTTP.
    code : int
        Of JSON-RPC.
    message : str
        What it says.
    """

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class Wire:
    """A server that answers by the letter.

    Parameters
    ----------
    answer : callable
        Turns a request's headers, body and decoded content into a result.
    text_ids : bool
        Whether ids come back as text.
    url : str
        Where it listens.
    taken : list
        Method and parameter of each request that was not refused.
    delay_s : float
        Seconds before it answers.
    """

    answer: Callable[[web.Request, bytes, dict[str, Any]], Any]
    text_ids: bool
    url: str = ""
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    delay_s: float = 0.0
    posts: list[JsonRpcPost] = field(default_factory=list)

    def post(self, headers: Headers | None = None, timeout_s: float = 10.0) -> JsonRpcPost:
        """Return a client of this server, closed when the server ends."""
        post = JsonRpcPost(Endpoint.parse(self.url), "relay.url", timeout_s=timeout_s, headers=headers)
        self.posts.append(post)
        return self.posts[-1]

    async def handle(self, request: web.Request) -> web.Response:
        """Serve one request."""
        body = await request.read()
        await asyncio.sleep(self.delay_s)
        said: Any = None
        try:
            said = _single(request, body)
            result = self.answer(request, body, said)
        except RefusedError as refusal:
            reply: dict[str, Any] = {"error": {"code": refusal.code, "message": refusal.message}}
            status = refusal.status
        else:
            self.taken.append((said["method"], said["params"][0] if said["params"] else {}))
            reply, status = {"result": result}, 200
        identity = said.get("id") if isinstance(said, dict) else None
        reply |= {"jsonrpc": "2.0", "id": str(identity) if self.text_ids else identity}
        return web.Response(body=json.dumps(reply), status=status, content_type="application/json")


@asynccontextmanager
async def wired(
    answer: Callable[[web.Request, bytes, dict[str, Any]], Any], *, text_ids: bool = False
) -> AsyncIterator[Wire]:
    """Run a server on a free port for as long as the context lasts."""
    wire = Wire(answer, text_ids)
    application = web.Application()
    application.router.add_post("/", wire.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    wire.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield wire
    finally:
        for post in wire.posts:
            await post.close()
        await runner.cleanup()


def _single(request: web.Request, body: bytes) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise RefusedError(415, -32600, "Invalid Request")
    try:
        said = json.loads(body)
    except ValueError:
        raise RefusedError(400, -32700, "Parse error") from None
    if not isinstance(said, dict) or said.get("jsonrpc") != "2.0" or "id" not in said:
        raise RefusedError(400, -32600, "Invalid Request")
    wanted = 0 if said.get("method") == "eth_accounts" else 1
    if not isinstance(said.get("params"), list) or len(said["params"]) != wanted:
        raise RefusedError(400, -32602, "Invalid params")
    return said


# ------------------------------------------------------------------------------------- the relay


def flashbots(head: int) -> Callable[[web.Request, bytes, dict[str, Any]], Any]:
    """Return a relay at a height."""

    def answer(request: web.Request, body: bytes, said: dict[str, Any]) -> Any:
        _authenticate(body, request.headers.get("X-Flashbots-Signature"))
        methods = {"eth_sendPrivateTransaction": _private, "eth_sendBundle": _bundle}
        if said["method"] not in methods:
            raise RefusedError(400, -32601, f"the method {said['method']} does not exist")
        return methods[said["method"]](said["params"][0], head)

    return answer


def _authenticate(body: bytes, header: str | None) -> None:
    if header is None:
        raise RefusedError(403, -32600, "signature is required")
    claimed, separator, signature = header.partition(":")
    try:
        message = encode_defunct(text="0x" + keccak(body).hex())
        signer = Account.recover_message(message, signature=HexBytes(signature))
    except (ValueError, IndexError, BadSignature, ValidationError, KeysValidationError):
        signer = None
    if not separator or signer is None or signer.lower() != claimed.lower():
        raise RefusedError(403, -32600, f"error in signature check {claimed}")


def _private(params: dict[str, Any], head: int) -> str:
    _known(params, {"tx"}, {"maxBlockNumber", "preferences"})
    if _quantity(params.get("maxBlockNumber", hex(head + PRIVATE_BLOCKS))) <= head:
        raise RefusedError(400, -32602, "maxBlockNumber is in the past")
    said = _transaction(params["tx"])
    if not said["maxPriorityFeePerGas"]:
        raise RefusedError(400, -32000, "priority fee too low")
    return "0x" + keccak(hexstr=params["tx"]).hex()


def _bundle(params: dict[str, Any], head: int) -> dict[str, str]:
    optional = {"minTimestamp", "maxTimestamp", "revertingTxHashes", "replacementUuid", "builders"}
    _known(params, {"txs", "blockNumber"}, optional)
    raws = params["txs"]
    size = sum(len(raw) // 2 - 1 for raw in raws)
    if not 0 < len(raws) <= MOST_IN_A_BUNDLE or size > LARGEST_BUNDLE:
        raise RefusedError(400, -32602, f"bundle of {len(raws)} transactions and {size} bytes")
    if _quantity(params["blockNumber"]) <= head:
        raise RefusedError(400, -32602, "blockNumber is in the past")
    for raw in raws:
        _transaction(raw)
    return {"bundleHash": "0x" + keccak(b"".join(keccak(hexstr=raw) for raw in raws)).hex()}


def _known(params: dict[str, Any], required: set[str], optional: set[str]) -> None:
    if not required <= params.keys() <= required | optional:
        raise RefusedError(400, -32602, f"unexpected or missing among {sorted(params)}")


def _quantity(text: Any) -> int:
    if not isinstance(text, str) or not text.startswith("0x") or text != hex(int(text, 16)):
        raise RefusedError(400, -32602, f"{text!r} is no hex quantity")
    return int(text, 16)


def _transaction(raw: str) -> Any:
    try:
        return decoded(bytes.fromhex(raw[2:]))[0]
    except ValueError:
        raise RefusedError(400, -32602, "unable to decode txs") from None


# ------------------------------------------------------------------------------------ the signer


def web3signer(keys: list[str], chain_id: int) -> Callable[[web.Request, bytes, dict[str, Any]], Any]:
    """Return a signer with keys, configured for a chain: what a request says of the chain it passes over."""
    accounts = {Account.from_key(key).address.lower(): Account.from_key(key) for key in keys}

    def answer(request: web.Request, body: bytes, said: dict[str, Any]) -> Any:
        if said["method"] == "eth_accounts":
            return sorted(accounts)
        if said["method"] != "eth_signTransaction":
            raise RefusedError(400, -32601, "Method not found")
        params = said["params"][0]
        if not params.get("from"):
            raise RefusedError(400, -32602, "Invalid params")
        account = accounts.get(params["from"].lower())
        if account is None:
            raise RefusedError(400, -32000, "No unlocked account matches the Sender")
        signed = account.sign_transaction(_as_signed(params, chain_id))
        return "0x" + bytes(signed.raw_transaction).hex()

    return answer


def _as_signed(params: dict[str, Any], chain_id: int) -> dict[str, Any]:
    try:
        given = {"gas": hex(90_000), "value": "0x0"} | params
        names = ("nonce", "gas", "value", "maxFeePerGas", "maxPriorityFeePerGas")
        numbers = {name: int(given[name], 16) for name in names}
        data = params.get("data") or params.get("input") or "0x"
        to = bytes.fromhex(params.get("to", "0x")[2:])
        return {**numbers, "to": to, "data": data, "chainId": chain_id, "type": 2}
    except (KeyError, TypeError, ValueError):
        raise RefusedError(400, -32602, "Invalid params") from None
