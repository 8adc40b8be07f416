"""A node that answers as a test tells it to, over WebSocket or HTTP."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve

Answer = Callable[[str], Awaitable[str | bytes | None] | str | bytes | None]
"""Turns a request's text into the text of the answer; None says nothing."""


def chain(chain_id: int = 31337, **results: Any) -> Callable[[str], str]:
    """Return an honest answer to each method named, batches included."""
    table = {"eth_chainId": hex(chain_id), **results}

    def one(request: dict[str, Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": request["id"], "result": table[request["method"]]}

    def answer(text: str) -> str:
        request = json.loads(text)
        return json.dumps([one(entry) for entry in request] if isinstance(request, list) else one(request))

    return answer


def after_chain_id(bad: str) -> Callable[[str], str]:
    """Return an answer that is honest about the chain id, and ``bad`` to everything else."""
    honest = chain()
    return lambda text: honest(text) if "eth_chainId" in text else bad.replace("$ID", _id(text))


def _id(text: str) -> str:
    request = json.loads(text)
    return str((request[0] if isinstance(request, list) else request)["id"])


@asynccontextmanager
async def websocket_node(answer: Answer) -> AsyncIterator[str]:
    """Serve ``answer`` over WebSocket; yield the URL."""

    async def handle(socket: ServerConnection) -> None:
        async for message in socket:
            reply = answer(message if isinstance(message, str) else message.decode())
            reply = await reply if isinstance(reply, Awaitable) else reply
            if reply is not None:
                await socket.send(reply)

    async with serve(handle, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


@asynccontextmanager
async def http_node(answer: Answer, status: int = 200) -> AsyncIterator[str]:
    """Serve ``answer`` over HTTP; yield the URL."""

    async def handle(request: web.Request) -> web.Response:
        reply = answer(await request.text())
        reply = await reply if isinstance(reply, Awaitable) else reply
        body = reply if isinstance(reply, bytes) else (reply or "").encode()
        return web.Response(body=body, status=status, content_type="application/json")

    application = web.Application()
    application.router.add_post("/{path:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
