"""What no keeper that writes ahead can go below: one call, one signature, two commits on disk, one send."""

import asyncio
import sqlite3
import tempfile
from pathlib import Path
from queue import Empty
from time import perf_counter
from typing import Any, Final

import orjson
from eth_account import Account
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.keeper.scene import Scene
from benchmarks.keeper.trials import PATIENCE_S, ContenderSilentError
from benchmarks.keeper.wire import Wire
from bot.execution.fees import Fees
from bot.execution.signer import KeystoreSigner, Unsigned
from bot.ledger.engines import SQLITE_WRITER
from bot.ports import Address, Call
from bot.protocols.sluice.calls import Function
from tests.support.world import KEEPER, KEEPER_KEY

_GAS: Final = 300_000
_FEES: Final = Fees(10**12, 10**9)
_ROW: Final = "x" * 1_000
"""About what a plan, and a signed transaction, are in the ledger."""


def floor_ms(scene: Scene, wire: Wire, rounds: int) -> list[float]:
    """Measure it so many times, on accounts that have really fallen; milliseconds each."""
    return asyncio.run(_measured(scene, wire, rounds))


async def _measured(scene: Scene, wire: Wire, rounds: int) -> list[float]:
    manifest = scene.world.manifest
    signer = KeystoreSigner(Account.from_key(KEEPER_KEY))
    (account,) = scene.falling(1)
    data = Function("liquidation_engine", "kick").data(account, [manifest.asset("WETH").id])
    call = Call(Address(manifest.liquidation_engine), data)
    took = []
    with tempfile.TemporaryDirectory() as folder:
        database = _database(Path(folder) / "floor.sqlite")
        async with connect(wire.ws, max_size=None, proxy=None, compression=None) as node:
            for _ in range(rounds):
                scene.fall(1)
                nonce = int(scene.world.node.call("eth_getTransactionCount", KEEPER, "latest"), 16)
                wire.clear()
                started = perf_counter()
                await _ask(node, "eth_call", {"to": call.to, "data": "0x" + data.hex()}, "latest")
                _commit(database)
                signed = await signer.sign(Unsigned(call, manifest.chain_id, nonce, _GAS, _FEES))
                _commit(database)
                await _ask(node, "eth_sendRawTransaction", "0x" + signed.raw.hex())
                took.append((_arrival(wire) - started) * 1e3)
                scene.restore([account])
        database.close()
    return took


def _database(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    for pragma in SQLITE_WRITER:
        database.execute(pragma)
    database.execute("CREATE TABLE notes (text TEXT)")
    return database


def _commit(database: sqlite3.Connection) -> None:
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO notes VALUES (?)", (_ROW,))
    database.execute("COMMIT")


async def _ask(node: ClientConnection, method: str, *params: Any) -> Any:
    await node.send(orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}), text=True)
    answer = orjson.loads(await node.recv())
    if "error" in answer:
        raise RuntimeError(f"{method}: {answer['error']}")
    return answer["result"]


def _arrival(wire: Wire) -> float:
    try:
        return wire.arrivals.get(timeout=PATIENCE_S).at
    except Empty:
        raise ContenderSilentError("the floor's own transaction did not arrive") from None
