"""Reads the deployment's logs: one request for a head, a few for a stretch of the chain."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final, NamedTuple

from eth_abi.exceptions import DecodingError

from bot.chain import codec
from bot.chain.patient import PatientRpc
from bot.errors import MalformedAnswerError, RpcError
from bot.ports import Address, Head, Json, Log, Rpc, RpcCall
from bot.protocols.sluice.calls import Function
from bot.protocols.sluice.manifest import Manifest
from bot.protocols.sluice.state import (
    ENGINE_EVENTS,
    FEED_EVENTS,
    HOUSE_EVENTS,
    ORACLE_EVENTS,
    TAKER_EVENTS,
)
from bot.protocols.uniswap_v3 import POOL_EVENTS

_HEADERS_PER_BATCH: Final = 200
_TIMED: Final = frozenset(ENGINE_EVENTS.topics + FEED_EVENTS.topics + HOUSE_EVENTS.topics_of("Settled"))
"""Events that start a clock, are held against it, or are valued at the prices of their block."""
_DEPOSITED: Final = HOUSE_EVENTS.topics_of("CollateralDeposited")
_BALANCES: Final = (
    "Supplied",
    "Withdrawn",
    "CollateralDeposited",
    "CollateralWithdrawn",
    "Borrowed",
    "Repaid",
    "InterestAccrued",
    "CreditCollected",
    "ReserveWithdrawn",
)
"""Events of the house that move balances and totals and nothing else: most of all logs. Where balances and
totals are read from the chain, they need not be."""


class Stretch(NamedTuple):
    """Logs in the order of the chain, and the time of each block in which time matters (unix seconds)."""

    logs: tuple[Log, ...]
    times: dict[int, int]


def answered(answer: Json | RpcError) -> Json:
    """Return one answer of a batch, or raise the error that stands in its place."""
    if isinstance(answer, RpcError):
        raise answer
    return answer


def returned(function: Function, answer: Json | RpcError, what: str) -> tuple[Any, ...]:
    """Return what a call of a function gave back.

    Raises
    ------
    RpcError
        If an error stands in the answer's place.
    MalformedAnswerError
        If it is not what the function returns.
    """
    data = codec.data(answered(answer), what)
    try:
        return function.result(data)
    except (DecodingError, OverflowError, ValueError):
        raise MalformedAnswerError(what, answer, "what the function returns") from None


class LogReader:
    """Reads the logs of one deployment.

    Parameters
    ----------
    rpc : Rpc
        Endpoint.
    manifest : Manifest
        Where the contracts are.
    chunk : int
        Most blocks asked for in one request.
    """

    def __init__(self, rpc: Rpc, manifest: Manifest, chunk: int) -> None:
        self._rpc: Final = rpc
        self._patient: Final = PatientRpc(rpc)
        self._chunk: Final = chunk
        pools = [pool.address for pool in manifest.pools]
        balances = {topic for name in _BALANCES for topic in HOUSE_EVENTS.topics_of(name)}
        rules = [topic for topic in _topics() if topic not in balances]
        self._all: Final[dict[str, Any]] = {
            "address": [*_rule_makers(manifest), *pools],
            "topics": [_topics()],
        }
        self._rules: Final[dict[str, Any]] = {"address": _rule_makers(manifest), "topics": [rules]}
        self._deposits: Final[dict[str, Any]] = {"address": [manifest.clearing_house], "topics": [_DEPOSITED]}
        self._speakers: dict[Address, Address] = {}

    def hear(self, speakers: Mapping[Address, Address]) -> None:
        """Read the logs of more contracts, each as if another one, of the manifest, had emitted them.

        Parameters
        ----------
        speakers : mapping
            Contract that emits to contract that it emits for; replaces those of an earlier call.
        """
        for wanted in (self._all, self._rules):
            known = [address for address in wanted["address"] if address not in self._speakers]
            wanted["address"] = [*known, *speakers]
        self._speakers = dict(speakers)

    async def of_head(self, head: Head) -> tuple[Log, ...]:
        """Return the logs of one block, by its hash, in order.

        Raises
        ------
        MalformedAnswerError
            If one is of another block, or comes twice.
        """
        logs = self._read(await self._rpc.request("eth_getLogs", ({**self._all, "blockHash": head.hash},)))
        for log in logs:
            if log.block_hash != head.hash:
                raise MalformedAnswerError("block of a log", log.block_hash, f"{head.hash}, as asked for")
        return _in_order(logs)

    async def up_to(self, first: int, head: Head) -> Stretch:
        """Return the logs from block ``first`` to ``head``, both included.

        Raises
        ------
        RpcError
            If the endpoint answers from another branch than that of ``head``.
        """
        return await self._stretch(self._all, first, head)

    async def rules_up_to(self, first: int, head: Head) -> Stretch:
        """Return the same without the logs that only move balances and totals, and without those of pools."""
        return await self._stretch(self._rules, first, head)

    async def depositors_up_to(self, first: int, head: Head) -> list[bytes]:
        """Return every account that ever was given collateral, 20 bytes each, in order of appearance."""
        logs: list[Any] = await self._window(self._deposits, first, head.number)
        try:
            topics = dict.fromkeys([log["topics"][1] for log in logs])
        except (TypeError, KeyError, IndexError):
            raise MalformedAnswerError("log of a deposit", "no topics", "one with its account") from None
        return [bytes.fromhex(codec.hash32(topic, "account of a deposit")[26:]) for topic in topics]

    def _read(self, answer: object) -> tuple[Log, ...]:
        logs = codec.logs(answer)
        for log in logs:
            if not log.topics:
                raise MalformedAnswerError("log", log.data, "one with the event's topic, as asked for")
        if not self._speakers:
            return logs
        return tuple(replace(log, address=self._speakers.get(log.address, log.address)) for log in logs)

    async def _stretch(self, wanted: Mapping[str, Any], first: int, head: Head) -> Stretch:
        logs = _in_order(self._read(await self._window(wanted, first, head.number)))
        for log in logs:
            if not first <= log.block_number <= head.number:
                wanted_blocks = f"from {first} to {head.number}, as asked for"
                raise MalformedAnswerError("block of a log", log.block_number, wanted_blocks)
        timed = {log.block_number for log in logs if log.topics[0] in _TIMED}
        times = await self._times(sorted(timed | {head.number}), head)
        return Stretch(logs, times)

    async def _window(self, wanted: Mapping[str, Any], first: int, last: int) -> list[object]:
        """Return raw logs of a range of blocks, asked for in chunks."""
        found: list[object] = []
        for start in range(first, last + 1, self._chunk):
            found += await self._chunked(wanted, start, min(start + self._chunk - 1, last))
        return found

    async def _chunked(self, wanted: Mapping[str, Any], first: int, last: int) -> Sequence[object]:
        """Return raw logs of a range; one that a node refuses, most often as too long, is halved."""
        window = {"fromBlock": codec.hex_quantity(first), "toBlock": codec.hex_quantity(last)}
        try:
            answer = await self._patient.request("eth_getLogs", ({**wanted, **window},))
        except RpcError:
            if first == last:
                raise
            middle = (first + last) // 2
            lower = await self._chunked(wanted, first, middle)
            return [*lower, *await self._chunked(wanted, middle + 1, last)]
        return codec.sequence(answer, "logs")

    async def _times(self, numbers: list[int], head: Head) -> dict[int, int]:
        times: dict[int, int] = {}
        for start in range(0, len(numbers), _HEADERS_PER_BATCH):
            batch = numbers[start : start + _HEADERS_PER_BATCH]
            calls = [RpcCall("eth_getBlockByNumber", (codec.hex_quantity(n), False)) for n in batch]
            for answer in await self._patient.batch(calls):
                block = codec.head(answered(answer))
                times[block.number] = block.timestamp
                if block.number == head.number and block.hash != head.hash:
                    message = f"block {head.number} is {block.hash} there, {head.hash} was announced"
                    raise RpcError("eth_getBlockByNumber", 0, message)
        return times


def _in_order(logs: tuple[Log, ...]) -> tuple[Log, ...]:
    """Return logs in the order of the chain, whatever order a node answers in."""
    ordered = sorted(logs, key=lambda log: (log.block_number, log.log_index))
    for one, next_ in pairwise(ordered):
        if (one.block_number, one.log_index) == (next_.block_number, next_.log_index):
            raise MalformedAnswerError(
                "place of a log", (one.block_number, one.log_index), "held by one log alone"
            )
    return tuple(ordered)


def _rule_makers(manifest: Manifest) -> list[str]:
    """Return every contract that is watched, pools aside."""
    return [
        manifest.clearing_house,
        manifest.liquidation_engine,
        manifest.price_oracle,
        manifest.flash_taker,
        *manifest.feeds,
    ]


def _topics() -> list[str]:
    decoders = (HOUSE_EVENTS, ENGINE_EVENTS, ORACLE_EVENTS, FEED_EVENTS, TAKER_EVENTS, POOL_EVENTS)
    return sorted({topic for decoder in decoders for topic in decoder.topics})
