"""Reads the deployment's logs: one request for a head, a few for a stretch of the chain."""

from typing import Any, Final, NamedTuple

from bot.chain import codec
from bot.errors import RpcError
from bot.ports import Head, Json, Log, Rpc, RpcCall
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
_TIMED: Final = frozenset(
    ENGINE_EVENTS.topics + FEED_EVENTS.topics + HOUSE_EVENTS.topics_of("SettlementBooked")
)
"""Events that start a clock, are held against it, or are valued at the prices of their block."""


class Stretch(NamedTuple):
    """Logs in the order of the chain, and the time of each block in which time matters (unix seconds)."""

    logs: tuple[Log, ...]
    times: dict[int, int]


def answered(answer: Json | RpcError) -> Json:
    """Return one answer of a batch, or raise the error that stands in its place."""
    if isinstance(answer, RpcError):
        raise answer
    return answer


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
        self._chunk: Final = chunk
        self._filter: Final[dict[str, Any]] = {"address": _addresses(manifest), "topics": [_topics()]}

    async def of_head(self, head: Head) -> tuple[Log, ...]:
        """Return the logs of one block, by its hash."""
        answer = await self._rpc.request("eth_getLogs", ({**self._filter, "blockHash": head.hash},))
        return codec.logs(answer)

    async def up_to(self, first: int, head: Head) -> Stretch:
        """Return the logs from block ``first`` to ``head``, both included.

        Raises
        ------
        RpcError
            If the endpoint answers from another branch than that of ``head``.
        """
        logs: list[Log] = []
        for start in range(first, head.number + 1, self._chunk):
            end = min(start + self._chunk - 1, head.number)
            window = {"fromBlock": codec.hex_quantity(start), "toBlock": codec.hex_quantity(end)}
            logs += codec.logs(await self._rpc.request("eth_getLogs", ({**self._filter, **window},)))
        timed = {log.block_number for log in logs if log.topics[0] in _TIMED}
        times = await self._times(sorted(timed | {head.number}), head)
        return Stretch(tuple(logs), times)

    async def _times(self, numbers: list[int], head: Head) -> dict[int, int]:
        times: dict[int, int] = {}
        for start in range(0, len(numbers), _HEADERS_PER_BATCH):
            batch = numbers[start : start + _HEADERS_PER_BATCH]
            calls = [RpcCall("eth_getBlockByNumber", (codec.hex_quantity(n), False)) for n in batch]
            for answer in await self._rpc.batch(calls):
                block = codec.head(answered(answer))
                times[block.number] = block.timestamp
                if block.number == head.number and block.hash != head.hash:
                    message = f"block {head.number} is {block.hash} there, {head.hash} was announced"
                    raise RpcError("eth_getBlockByNumber", 0, message)
        return times


def _addresses(manifest: Manifest) -> list[str]:
    return [
        manifest.clearing_house,
        manifest.liquidation_engine,
        manifest.price_oracle,
        manifest.flash_taker,
        *(asset.feed for asset in manifest.assets),
        *(pool.address for pool in manifest.pools),
    ]


def _topics() -> list[str]:
    decoders = (HOUSE_EVENTS, ENGINE_EVENTS, ORACLE_EVENTS, FEED_EVENTS, TAKER_EVENTS, POOL_EVENTS)
    return sorted({topic for decoder in decoders for topic in decoder.topics})
