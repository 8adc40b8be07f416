"""Who asked for protection, on which terms, from the logs of the contract and of the house.

Kept beside the book: opt-ins are few, so where a branch ended they are simply all read again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, cast

from eth_abi.exceptions import DecodingError
from eth_typing import ABIEvent
from eth_utils.abi import event_abi_to_log_topic

from bot import abi
from bot.chain import codec
from bot.chain.patient import PatientRpc
from bot.domain.protection import DAY, ProtectionRules, ProtectionTerms
from bot.errors import LogMalformedError, RpcError
from bot.ports import Head, Log, Rpc
from bot.protocols.decoding import decode
from bot.protocols.events import Event, EventDecoder
from bot.protocols.sluice.manifest import Manifest
from bot.strategy.protected import Protected, Protections

_EVENTS: Final = EventDecoder(
    abi.load("protection"), ["Protected", "Unprotected", "Deleveraged", "ParametersSet", "PausedSet"]
)
_OPERATORS: Final = EventDecoder(abi.load("clearing_house"), ["OperatorSet"])
_SCENARIO: Final[Mapping[str, Any]] = next(
    e for e in abi.load("protection") if e.get("name") == "ScenarioAdded"
)
_SCENARIO_TOPIC: Final = "0x" + event_abi_to_log_topic(cast("ABIEvent", _SCENARIO)).hex()
_SCENARIO_DATA: Final = ("uint8[]", "int16[]")
_TIMED: Final = frozenset(_EVENTS.topics_of("Deleveraged"))


@dataclass(slots=True)
class ProtectionBook:
    """What the logs have said so far.

    Parameters
    ----------
    protection : bytes
        Address of the contract, 20 bytes.
    """

    protection: bytes
    terms: dict[bytes, ProtectionTerms] = field(default_factory=dict)
    used: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    operated: set[bytes] = field(default_factory=set)
    rules: ProtectionRules = field(default_factory=ProtectionRules)
    scenarios: list[Mapping[int, int]] = field(default_factory=list)
    paused: bool = False

    def follow(self, log: Log, timestamp: int) -> None:
        """Apply a log of the contract, or of the house.

        Parameters
        ----------
        log : Log
            Passed over where it says nothing about protection.
        timestamp : int
            Of its block, unix seconds; it matters for sales alone.

        Raises
        ------
        LogMalformedError
            If the log has an event's signature and not its fields.
        """
        if log.topics and log.topics[0] == _SCENARIO_TOPIC:
            self.scenarios.append(_scenario_of(log))
        elif (event := _EVENTS.decode(log) or _OPERATORS.decode(log)) is not None:
            self._apply(event, timestamp)

    def _apply(self, event: Event, timestamp: int) -> None:
        fields = event.fields
        match event.name:
            case "Protected":
                self.terms[fields["account"]] = _terms_of(fields)
            case "Unprotected":
                self.terms.pop(fields["account"], None)
            case "Deleveraged":
                self._use(fields["account"], fields["value"], timestamp)
            case "ParametersSet":
                self.rules = _rules_of(fields)
            case "PausedSet":
                self.paused = fields["paused"]
            case "OperatorSet" if fields["operator"] == self.protection:
                (self.operated.add if fields["approved"] else self.operated.discard)(fields["account"])

    def _use(self, account: bytes, value: int, timestamp: int) -> None:
        """Count a sale in the day that runs; a day begins with its first sale."""
        sold, since = self.used.get(account, (0, 0))
        self.used[account] = (value, timestamp) if timestamp >= since + DAY else (sold + value, since)

    def view(self) -> Protections:
        """Return a frozen picture."""
        accounts = {
            account: Protected(terms, account in self.operated, *self.used.get(account, (0, 0)))
            for account, terms in self.terms.items()
        }
        return Protections(MappingProxyType(accounts), self.rules, tuple(self.scenarios), self.paused)


class ProtectionFollower:
    """Keeps a `ProtectionBook` at the head: one request for a head, a few after a gap.

    A long reading asks again for what a busy node turns away, instead of being begun anew.

    Parameters
    ----------
    rpc : Rpc
        Endpoint of the manifest's chain.
    manifest : Manifest
        Must name the contract.
    chunk : int
        Most blocks asked for in one request.
    """

    def __init__(self, rpc: Rpc, manifest: Manifest, chunk: int) -> None:
        assert manifest.protection is not None  # who makes one has looked
        self._rpc: Final = rpc
        self._patient: Final = PatientRpc(rpc)
        self._chunk: Final = chunk
        self._first: Final = manifest.block
        self._protection: Final = bytes.fromhex(manifest.protection[2:])
        topics = [*_EVENTS.topics, _SCENARIO_TOPIC, *_OPERATORS.topics]
        self._wanted: Final[dict[str, Any]] = {
            "address": [manifest.protection, manifest.clearing_house],
            "topics": [topics],
        }
        self._book = ProtectionBook(self._protection)
        self._tip: Head | None = None

    def view(self) -> Protections:
        """Return who is protected at the head that was synced last."""
        return self._book.view()

    async def sync(self, head: Head) -> None:
        """Bring the book to ``head``; nothing has changed where this fails.

        Raises
        ------
        EndpointUnreachableError, EndpointBusyError, RpcError, MalformedAnswerError
            If the logs cannot be read.
        LogMalformedError
            If one is not what it says.
        """
        tip = self._tip
        if tip is not None and tip.hash == head.hash:
            return
        if tip is not None and tip.hash == head.parent_hash:
            logs = codec.logs(
                await self._rpc.request("eth_getLogs", ({**self._wanted, "blockHash": head.hash},))
            )
            self._follow(logs, {head.number: head.timestamp})
        elif tip is not None and tip.number < head.number and await self._stands(tip):
            await self._stretch(tip.number + 1, head)
        else:
            self._book, self._tip = ProtectionBook(self._protection), None
            await self._stretch(self._first, head)
        self._tip = head

    async def _stands(self, tip: Head) -> bool:
        """Return whether the block of the tip is still on the chain."""
        return (await self._block(tip.number)).hash == tip.hash

    async def _stretch(self, first: int, head: Head) -> None:
        logs: list[Log] = []
        for start in range(first, head.number + 1, self._chunk):
            last = min(start + self._chunk - 1, head.number)
            window = {"fromBlock": codec.hex_quantity(start), "toBlock": codec.hex_quantity(last)}
            logs += codec.logs(await self._patient.request("eth_getLogs", ({**self._wanted, **window},)))
        times = {}
        for number in sorted({log.block_number for log in logs if log.topics[0] in _TIMED}):
            times[number] = (await self._block(number)).timestamp
        if (found := await self._block(head.number)).hash != head.hash:
            message = f"block {head.number} is {found.hash} there, {head.hash} was announced"
            raise RpcError("eth_getBlockByNumber", 0, message)
        self._follow(logs, times)

    async def _block(self, number: int) -> Head:
        return codec.head(
            await self._patient.request("eth_getBlockByNumber", (codec.hex_quantity(number), False))
        )

    def _follow(self, logs: Iterable[Log], times: Mapping[int, int]) -> None:
        for log in sorted(logs, key=lambda one: (one.block_number, one.log_index)):
            self._book.follow(log, times.get(log.block_number, 0))


def _terms_of(fields: Mapping[str, Any]) -> ProtectionTerms:
    return ProtectionTerms(
        fields["collaterals"],
        fields["minDistanceWad"],
        fields["horizon"],
        fields["targetHealthFactorBps"],
        fields["maxFeeBps"],
        fields["scenarios"],
        fields["expiry"],
        fields["minValue"],
        fields["maxValue"],
        fields["maxDailyValue"],
    )


def _rules_of(fields: Mapping[str, Any]) -> ProtectionRules:
    return ProtectionRules(
        fields["maxFeeBps"], fields["rampBps"], fields["correlationUpBps"], fields["correlationDownBps"]
    )


def _scenario_of(log: Log) -> Mapping[int, int]:
    try:
        ids, shocks = decode(_SCENARIO_DATA, log.data)
        return MappingProxyType(dict(zip(ids, shocks, strict=True)))
    except (DecodingError, ValueError):
        where = (log.block_number, log.log_index, len(log.topics), len(log.data))
        raise LogMalformedError("ScenarioAdded", *where) from None


def follower_of(rpc: Rpc, manifest: Manifest, chunk: int) -> ProtectionFollower | None:
    """Return what follows protection, or None where the manifest does not name what a sale takes."""
    if manifest.protection is None or manifest.flash_protector is None:
        return None
    return ProtectionFollower(rpc, manifest, chunk)
