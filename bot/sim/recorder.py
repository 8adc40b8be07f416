"""Recording a run: stands before the endpoint, the protocol and the strategy, and notes what passes."""

from collections.abc import Callable, Coroutine, Sequence
from importlib.metadata import version
from typing import Any, Final, TypeAlias, TypeVar

from bot.domain.volatility import LiveCovariance
from bot.errors import RpcError, SluiceError
from bot.ports import BookMemory, Call, Head, Json, LiquidationProtocol, Receipt, Rpc, RpcCall
from bot.protocols.sluice.manifest import Manifest
from bot.sim.tape import VERSION, TapeWriter, fields_line, head_line, text_of
from bot.strategy.decision import Action, Decisions
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import Snapshot

_T = TypeVar("_T")

Strategy: TypeAlias = Callable[[Snapshot], Decisions]


class RecordingRpc:
    """A `bot.ports.Rpc` whose answers are noted.

    Parameters
    ----------
    rpc : Rpc
        Answers.
    tape : TapeWriter
        Where to.
    """

    def __init__(self, rpc: Rpc, tape: TapeWriter) -> None:
        self._rpc: Final = rpc
        self._tape: Final = tape

    @property
    def label(self) -> str:
        """See `bot.ports.Rpc.label`."""
        return self._rpc.label

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        """See `bot.ports.Rpc.request`."""
        asked = [[method, params]]
        try:
            answer = await self._rpc.request(method, params)
        except SluiceError as error:
            self._tape.write({"kind": "request", "asked": asked, "failed": failure_line(error)})
            raise
        self._tape.write({"kind": "request", "asked": asked, "answers": [{"result": answer}]})
        return answer

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        """See `bot.ports.Rpc.batch`."""
        asked = [[call.method, call.params] for call in calls]
        try:
            answers = await self._rpc.batch(calls)
        except SluiceError as error:
            self._tape.write({"kind": "batch", "asked": asked, "failed": failure_line(error)})
            raise
        noted = [
            {"error": failure_line(answer)} if isinstance(answer, RpcError) else {"result": answer}
            for answer in answers
        ]
        self._tape.write({"kind": "batch", "asked": asked, "answers": noted})
        return answers


def failure_line(error: SluiceError) -> dict[str, Any]:
    """Return an error of the endpoint, as a recording keeps it."""
    if isinstance(error, RpcError):
        return {"method": error.method, "code": error.code, "message": error.message, "data": error.data}
    return {"name": type(error).__name__, "message": str(error)}


class RecordingProtocol:
    """A `bot.ports.LiquidationProtocol` whose steps are noted, each after the answers that it took.

    Parameters
    ----------
    protocol : LiquidationProtocol
        Does the work, over a `RecordingRpc` on the same tape.
    tape : TapeWriter
        Where to.
    """

    def __init__(self, protocol: LiquidationProtocol[Snapshot, Action], tape: TapeWriter) -> None:
        self._protocol: Final = protocol
        self._tape: Final = tape

    @property
    def name(self) -> str:
        """See `bot.ports.LiquidationProtocol.name`."""
        return self._protocol.name

    async def sync(self, head: Head) -> None:
        """See `bot.ports.LiquidationProtocol.sync`."""
        await self._noted(head_line("sync", head), self._protocol.sync(head))

    async def roll_back(self, ancestor: Head) -> None:
        """See `bot.ports.LiquidationProtocol.roll_back`."""
        await self._noted(head_line("roll_back", ancestor), self._protocol.roll_back(ancestor))

    async def audit(self, head: Head, sample: int) -> int:
        """See `bot.ports.LiquidationProtocol.audit`."""
        return await self._noted(
            {**head_line("audit", head), "sample": sample}, self._protocol.audit(head, sample)
        )

    async def distrust(self) -> None:
        """See `bot.ports.LiquidationProtocol.distrust`."""
        await self._noted({"kind": "distrust"}, self._protocol.distrust())

    async def checkpoint(self) -> None:
        """See `bot.ports.LiquidationProtocol.checkpoint`."""
        await self._protocol.checkpoint()

    def snapshot(self, head: Head) -> Snapshot:
        """See `bot.ports.LiquidationProtocol.snapshot`."""
        self._tape.write(head_line("snapshot", head))
        return self._protocol.snapshot(head)

    def explain(self, revert_data: bytes) -> str:
        """See `bot.ports.LiquidationProtocol.explain`."""
        return self._protocol.explain(revert_data)

    def call_for(self, decision: Action) -> Call:
        """See `bot.ports.LiquidationProtocol.call_for`."""
        return self._protocol.call_for(decision)

    def realised(self, receipt: Receipt) -> int | None:
        """See `bot.ports.LiquidationProtocol.realised`."""
        return self._protocol.realised(receipt)

    async def _noted(self, line: dict[str, Any], step: Coroutine[Any, Any, _T]) -> _T:
        try:
            done = await step
        except SluiceError as error:
            self._tape.write({**line, "failed": type(error).__name__})
            raise
        self._tape.write(line)
        return done


class Recorder:
    """What `bot.bootstrap` puts in the place of endpoint, protocol and strategy to record a run.

    Parameters
    ----------
    tape : TapeWriter
        Where to.
    """

    def __init__(self, tape: TapeWriter) -> None:
        self._tape: Final = tape

    def begin(
        self, manifest: Manifest, sender: str, limits: StrategySettings, covariance: LiveCovariance | None
    ) -> None:
        """Write the first line: what decisions rest on besides the chain.

        Parameters
        ----------
        manifest : Manifest
            The deployment.
        sender : str
            Who acts.
        limits : StrategySettings
            What the operator chose.
        covariance : LiveCovariance or None
            What was known of the feeds before the first log.
        """
        header = {
            "kind": "header",
            "version": VERSION,
            "program": version("sluice"),
            "manifest": manifest.model_dump(mode="json"),
            "sender": sender,
            "limits": fields_line(limits),
            "covariance": None if covariance is None else covariance.plain(),
        }
        self._tape.write(header, flush=True)

    def memory(self, memory: BookMemory) -> BookMemory | None:
        """Return nothing: a recording begins with the chain, not with what another run kept."""
        return None

    def rpc(self, rpc: Rpc) -> Rpc:
        """Return an endpoint whose answers are noted."""
        return RecordingRpc(rpc, self._tape)

    def protocol(
        self, protocol: LiquidationProtocol[Snapshot, Action]
    ) -> LiquidationProtocol[Snapshot, Action]:
        """Return a protocol whose steps are noted."""
        return RecordingProtocol(protocol, self._tape)

    def strategy(
        self, protocol: str, decide: Callable[[Snapshot], Decisions]
    ) -> Callable[[Snapshot], Decisions]:
        """Return a strategy whose decisions are noted, and whatever it was told that no log tells."""

        def noted(snapshot: Snapshot) -> Decisions:
            decisions = decide(snapshot)
            quotes = [fields_line(quote) for quotes in snapshot.quotes.values() for quote in quotes]
            line = {"kind": "decide", "quotes": quotes, "decisions": text_of(protocol, decisions)}
            self._tape.write(line, flush=True)
            return decisions

        return noted


class Bystander:
    """A `Recorder` where nothing is recorded: everything stays as it is."""

    def begin(self, *known: object) -> None:
        """Write nothing."""

    def memory(self, memory: BookMemory) -> BookMemory | None:
        """Return where the book is kept between two runs."""
        return memory

    def rpc(self, rpc: Rpc) -> Rpc:
        """Return the endpoint."""
        return rpc

    def protocol(
        self, protocol: LiquidationProtocol[Snapshot, Action]
    ) -> LiquidationProtocol[Snapshot, Action]:
        """Return the protocol."""
        return protocol

    def strategy(
        self, protocol: str, decide: Callable[[Snapshot], Decisions]
    ) -> Callable[[Snapshot], Decisions]:
        """Return the strategy."""
        return decide
