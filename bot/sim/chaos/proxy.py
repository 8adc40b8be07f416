"""The proxy: HTTP and WebSocket on one port, a node behind it, and faults between the two."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import orjson
import structlog
from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, WSMsgType, web

from bot.chain.endpoint import Endpoint
from bot.chain.trouble import words_of
from bot.errors import ChaosAddressError, EndpointUnreachableError
from bot.sim.chaos.script import Phase, Script
from bot.sim.chaos.weather import NOTIFICATION, Message, Weather, refused

MAX_MESSAGE_BYTES: Final = 256 * 1024 * 1024
_PIECES_PER_SECOND: Final = 10
_SWALLOWED_S: Final = 60.0

Ask: TypeAlias = Callable[[list[Message] | Message], Awaitable[list[Message] | Message]]

_log = structlog.get_logger(__name__)


class ChaosProxy:
    """Serves a node through the faults of a script, for as long as its context lasts.

    Parameters
    ----------
    script : Script
        What goes wrong when.
    upstream : Endpoint
        The node, http or ws; the other of the two is taken to be at the same place.
    host, port : str, int
        Where to listen; port 0 takes a free one.
    """

    def __init__(self, script: Script, upstream: Endpoint, host: str = "127.0.0.1", port: int = 0) -> None:
        self._script: Final = script
        self._upstream: Final = upstream
        self._host: Final = host
        self._port: Final = port
        self.struck: Final[Counter[str]] = Counter()
        self._weather = Weather(script.seed, Phase(name="start"), 0, self.struck)
        self._sockets: set[_Socket] = set()
        self._session: ClientSession
        application = web.Application(client_max_size=MAX_MESSAGE_BYTES)
        application.router.add_get("/", self._socket)
        application.router.add_post("/", self._post)
        self._runner: Final = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        self._clock: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._runner.addresses[0][1])

    @property
    def phase(self) -> str:
        """The name of the phase that is on."""
        return self._weather.phase.name

    async def __aenter__(self) -> Self:
        """Listen, and begin with the first phase.

        Raises
        ------
        EndpointUnreachableError
            If the node does not answer.
        ChaosAddressError
            If the address is taken, or not ours.
        """
        self._session = ClientSession()
        try:
            await self.enter(self._script.phase[0].name)
            await self._runner.setup()
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._end()
            detail = (error.strerror or str(error)).lower()
            raise ChaosAddressError(self._host, self._port, detail) from error
        except EndpointUnreachableError:
            await self._end()
            raise
        self._clock = asyncio.create_task(self._keep_time(), name="chaos clock")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def _end(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            await asyncio.gather(self._clock, return_exceptions=True)
        self.cut_all()
        await self._runner.cleanup()
        await self._session.close()

    async def enter(self, name: str) -> None:
        """Begin a phase of the script, whatever its turn; the clock goes on from there when it next ticks.

        Raises
        ------
        EndpointUnreachableError
            If the node does not answer.
        ConfigValueError
            If there is no such phase.
        """
        phase = self._script.phase[self._script.position(name)]
        height = await self._height()
        self._weather = Weather(self._script.seed, phase, height, self.struck)
        _log.info("chaos_phase", phase=name, block=height, faults=[fault.kind for fault in phase.faults])

    def cut_all(self) -> None:
        """End every WebSocket at once, without a word."""
        for socket in list(self._sockets):
            socket.cut()

    async def _keep_time(self) -> None:
        """Enter phase after phase, as long as each says; an unreachable node keeps the phase on."""
        while True:
            position = self._script.position(self.phase)
            seconds = self._script.phase[position].seconds
            following = position + 1
            if following == len(self._script.phase):
                following = 0 if self._script.loop else position
            if seconds is None or following == position:
                return
            await asyncio.sleep(seconds)
            try:
                await self.enter(self._script.phase[following].name)
            except EndpointUnreachableError as error:
                _log.warning("chaos_node_unreachable", reason=str(error))

    # ---------------------------------------------------------------------------- node

    def _url(self, scheme: str) -> str:
        """Return the node's URL as http or ws, with the same security."""
        own, _, rest = self._upstream.url.partition("://")
        return f"{scheme}{'s' if own in ('https', 'wss') else ''}://{rest}"

    async def _ask(self, message: list[Message] | Message) -> list[Message] | Message:
        try:
            headers = {"Content-Type": "application/json"}
            async with self._session.post(
                self._url("http"), data=orjson.dumps(message), headers=headers
            ) as answer:
                parsed: list[Message] | Message = orjson.loads(await answer.read())
        except (ClientError, OSError, TimeoutError, orjson.JSONDecodeError) as error:
            # The cause is cut off on purpose: its text may hold the URL.
            raise EndpointUnreachableError(self._upstream.label, words_of(error), "--upstream") from None
        return parsed

    async def _height(self) -> int:
        answer = await self._ask({"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []})
        if not isinstance(answer, dict) or not isinstance(answer.get("result"), str):
            raise EndpointUnreachableError(self._upstream.label, "no height in its answer", "--upstream")
        return int(answer["result"], 16)

    # ---------------------------------------------------------------------------- HTTP

    async def _post(self, request: web.Request) -> web.StreamResponse:
        weather = self._weather
        message, calls = parse(await request.read())
        if not calls:
            return web.Response(status=400)
        fate = weather.fate(calls)
        if fate.dropped:
            await asyncio.sleep(_SWALLOWED_S)
        if fate.dropped or fate.cut:
            return _hung_up(request)
        if fate.status is not None:
            return web.Response(status=fate.status)
        try:
            answer = await exchange(weather, message, self._ask)
        except EndpointUnreachableError:
            return web.Response(status=502)
        await asyncio.sleep(fate.delay_s)
        body = weather.bodies(calls, answer)[0]
        if fate.bytes_per_second is None:
            return web.Response(body=body, content_type="application/json")
        return await _dribbled(request, body, fate.bytes_per_second)

    # ----------------------------------------------------------------------- WebSocket

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        client = web.WebSocketResponse(max_msg_size=MAX_MESSAGE_BYTES, compress=False)
        await client.prepare(request)
        try:
            node = await self._session.ws_connect(self._url("ws"), max_msg_size=MAX_MESSAGE_BYTES)
        except (ClientError, OSError):
            await client.close()
            return client
        socket = _Socket(client, node, request.transport, lambda: self._weather)
        self._sockets.add(socket)
        try:
            await socket.run()
        finally:
            self._sockets.discard(socket)
            await node.close()
        return client


class _Socket:
    """One client and the node's socket that is its alone."""

    def __init__(
        self,
        client: web.WebSocketResponse,
        node: ClientWebSocketResponse,
        transport: asyncio.Transport | None,
        weather: Callable[[], Weather],
    ) -> None:
        self._client = client
        self._node = node
        self._transport = transport
        self._weather = weather
        self._waiting: dict[object, asyncio.Future[list[Message] | Message]] = {}

    def cut(self) -> None:
        """Break the connection, as a network does."""
        if self._transport is not None:
            self._transport.abort()

    async def run(self) -> None:
        """Serve until either side is gone."""
        async with asyncio.TaskGroup() as group:
            down = group.create_task(self._down())
            work: set[asyncio.Task[None]] = set()
            down.add_done_callback(lambda _: self.cut())
            async for frame in self._client:
                if frame.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    task = group.create_task(self._serve(_bytes(frame.data)))
                    work.add(task)
                    task.add_done_callback(work.discard)
            for task in (down, *work):
                task.cancel()

    async def _serve(self, body: bytes) -> None:
        weather = self._weather()
        message, calls = parse(body)
        fate = weather.fate(calls)
        if fate.cut:
            self.cut()
        if fate.cut or fate.dropped or not calls:
            return
        if fate.status is not None:
            answers = refused(calls, fate.status)
            await self._send(orjson.dumps(answers if isinstance(message, list) else answers[0]))
            return
        try:
            answer = await exchange(weather, message, self._ask)
        except ConnectionError:
            self.cut()
            return
        for copy in weather.bodies(calls, answer):
            rate = fate.bytes_per_second
            await asyncio.sleep(fate.delay_s + (len(copy) / rate if rate else 0.0))
            await self._send(copy)

    async def _ask(self, message: list[Message] | Message) -> list[Message] | Message:
        identifier = _identifier(message)
        future: asyncio.Future[list[Message] | Message] = asyncio.get_running_loop().create_future()
        self._waiting[identifier] = future
        try:
            await self._node.send_str(orjson.dumps(message).decode())
            return await future
        finally:
            self._waiting.pop(identifier, None)

    async def _down(self) -> None:
        """Hand answers to those who wait, and notifications on."""
        async for frame in self._node:
            if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                continue
            message: Any = orjson.loads(frame.data)
            waiting = self._waiting.get(_identifier(message))
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
            elif isinstance(message, dict) and message.get("method") == NOTIFICATION:
                await self._notify(message)

    async def _notify(self, message: Message) -> None:
        weather = self._weather()
        fate = weather.fate([message])
        if fate.cut:
            self.cut()
        if fate.cut or fate.dropped or fate.status is not None or not weather.notified():
            return
        await asyncio.sleep(fate.delay_s)
        for copy in weather.bodies([message], message):
            await self._send(copy)

    async def _send(self, body: bytes) -> None:
        try:
            await self._client.send_frame(body, WSMsgType.TEXT)
        except (ConnectionError, RuntimeError):
            self.cut()


def parse(body: bytes) -> tuple[list[Message] | Message, list[Message]]:
    """Return a message and its calls; none if it is not JSON-RPC."""
    try:
        message: list[Message] | Message = orjson.loads(body)
    except orjson.JSONDecodeError:
        return [], []
    calls = message if isinstance(message, list) else [message]
    if not all(isinstance(call, dict) and isinstance(call.get("method"), str) for call in calls):
        return [], []
    return message, calls


async def exchange(weather: Weather, message: list[Message] | Message, ask: Ask) -> list[Message] | Message:
    """Ask the node what it is to be asked of a message, and return what the asker is to see."""
    calls = message if isinstance(message, list) else [message]
    local = {index: answer for index, call in enumerate(calls) if (answer := weather.instead(call))}
    passed = {index: weather.asked(call) for index, call in enumerate(calls) if index not in local}
    answers = dict(local)
    if passed:
        sent = list(passed.values())
        got = await ask(sent if isinstance(message, list) else sent[0])
        by_id = {entry.get("id"): entry for entry in (got if isinstance(got, list) else [got])}
        for index in passed:
            raw = by_id.get(calls[index].get("id"), got if isinstance(got, dict) else {})
            answers[index] = weather.answered(calls[index], raw)
    ordered = [answers[index] for index in range(len(calls))]
    return ordered if isinstance(message, list) else ordered[0]


def _identifier(message: object) -> object:
    """Return what an answer is recognised by: its id, a batch's smallest."""
    if isinstance(message, list):
        return ("batch", min(str(entry.get("id")) for entry in message)) if message else None
    return message.get("id") if isinstance(message, dict) else None


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _hung_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _dribbled(request: web.Request, body: bytes, rate: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    size = max(1, rate // _PIECES_PER_SECOND)
    with suppress(ConnectionError):  # who asked may not have waited
        for start in range(0, len(body), size):
            await asyncio.sleep(size / rate)
            await response.write(body[start : start + size])
    return response
