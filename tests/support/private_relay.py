"""A private relay and a remote signer on the loopback interface, honest or not."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from bot.chain.endpoint import Endpoint
from bot.execution.post import Headers, JsonRpcPost

Params = dict[str, Any]


@dataclass
class Server:
    """Answers JSON-RPC, and remembers what it was asked.

    Parameters
    ----------
    answer : callable
        Turns method and parameters into a result; raising `RefusalError` makes it an error.
    url : str
        Where it listens.
    asked : list
        Method and first parameter of each request.
    senders : list of str
        Accounts that signed the requests by their header.
    status : int
        HTTP status of its answers.
    body : bytes or None
        Sent instead of an answer.
    """

    answer: Callable[[str, Params], Any]
    url: str = ""
    asked: list[tuple[str, Params]] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    status: int = 200
    body: bytes | None = None
    posts: list[JsonRpcPost] = field(default_factory=list)

    def post(self, headers: Headers | None = None) -> JsonRpcPost:
        """Return a client of this server, closed when the server ends."""
        self.posts.append(JsonRpcPost(Endpoint.parse(self.url), "relay.url", timeout_s=10.0, headers=headers))
        return self.posts[-1]

    async def handle(self, request: web.Request) -> web.Response:
        """Serve one request."""
        text = await request.read()
        asked = json.loads(text)
        self.asked.append((asked["method"], asked["params"][0]))
        if (signature := request.headers.get("X-Flashbots-Signature")) is not None:
            self.senders.append(_sender(text, signature))
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": asked["id"]}
        try:
            reply["result"] = self.answer(asked["method"], asked["params"][0])
        except RefusalError as refusal:
            reply["error"] = {"code": -32000, "message": str(refusal)}
        body = json.dumps(reply).encode() if self.body is None else self.body
        return web.Response(body=body, status=self.status, content_type="application/json")


class RefusalError(Exception):
    """The server says no."""


def _sender(body: bytes, header: str) -> str:
    claimed, _, signature = header.partition(":")
    message = encode_defunct(text="0x" + keccak(body).hex())
    found = str(Account.recover_message(message, signature=HexBytes(signature)))
    assert found == claimed
    return found


@asynccontextmanager
async def serving(answer: Callable[[str, Params], Any]) -> AsyncIterator[Server]:
    """Run a server on a free port for as long as the context lasts."""
    server = Server(answer)
    application = web.Application()
    application.router.add_post("/", server.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield server
    finally:
        await runner.cleanup()
        for post in server.posts:
            await post.close()


def acknowledge(method: str, params: Params) -> Any:
    """Acknowledge transactions as an honest relay does, and land nothing."""
    if method == "eth_sendPrivateTransaction":
        return "0x" + keccak(hexstr=params["tx"]).hex()
    hashes = b"".join(keccak(hexstr=raw) for raw in params["txs"])
    return {"bundleHash": "0x" + keccak(hashes).hex()}


def into(send: Callable[[str], Any]) -> Callable[[str, Params], Any]:
    """Return an honest relay that hands everything on to ``send``, as a builder does."""

    def answer(method: str, params: Params) -> Any:
        for raw in params["txs"] if method == "eth_sendBundle" else [params["tx"]]:
            send(raw)
        return acknowledge(method, params)

    return answer


def signing(key: str) -> Callable[[str, Params], Any]:
    """Return a remote signer that signs what it is asked to."""

    def answer(method: str, params: Params) -> Any:
        assert method == "eth_signTransaction"
        if params["from"] != Account.from_key(key).address:
            raise RefusalError("no key for this account")
        signed = Account.from_key(key).sign_transaction({**read(params), "type": 2})
        return "0x" + bytes(signed.raw_transaction).hex()

    return answer


def read(params: Params) -> Params:
    """Return the fields of a request as the library takes them."""
    binary = {name: bytes.fromhex(params[name][2:]) for name in ("to", "data")}
    names = ("value", "gas", "nonce", "chainId", "maxFeePerGas", "maxPriorityFeePerGas")
    access = {"accessList": params["accessList"]} if "accessList" in params else {}
    return binary | {name: int(params[name], 16) for name in names} | access
