"""A bad day for two keepers: faults before the node, reorgs, kills, gas spikes and a rival, from a seed."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

from bot.chain.endpoint import Endpoint
from bot.sim.chaos.proxy import ChaosProxy
from bot.sim.chaos.script import Script
from tests.support.daemon import SLUICE, write_settings
from tests.support.rival import Rival
from tests.support.world import KEEPER, World

CALM = "calm"
BLOCK_S = 12
WALL_BLOCK_S = 0.35
START_S = 90.0
AT_WORK = ("head", "leading", "standing_by")
"""Events that a keeper logs once it follows the chain."""
OF_ENDPOINTS = (
    "endpoint_of_another_chain",
    "endpoint_rotated",
    "endpoint_resting",
    "heads_stale",
    "head_skipped",
    "asked_again",
    "not_acting",
)
"""Events that tell of the endpoints."""
PRICE, CRASH = 200.0, 170.0
GAS_PER_HOUR_ETH = 2.0
LONGEST_STORM = 200
BASE_FEE = 10**9
SPIKE = 50

Faults = list[dict[str, Any]]

BAD_LINE: Faults = [
    {"kind": "delay", "seconds": 0.3, "share": 0.2},
    {"kind": "drop", "share": 0.02},
    {"kind": "cut", "share": 0.01},
    {"kind": "duplicate", "share": 0.2},
]
OVERLOADED: Faults = [
    {"kind": "status", "status": 429, "share": 0.15},
    {"kind": "status", "status": 503, "share": 0.05},
    {"kind": "slow", "bytes_per_second": 40_000, "share": 0.3},
]
BROKEN: Faults = [
    {"kind": "truncate", "share": 0.03},
    {"kind": "malform", "share": 0.03},
    {"kind": "late_receipt", "times": 3},
    {"kind": "lose_logs", "share": 0.2},
    {"kind": "reorder_logs", "share": 0.5},
]
SLUGGISH: Faults = [{"kind": "delay", "seconds": 0.6, "share": 0.5}]
ELSEWHERE: Faults = [
    {"kind": "wrong_chain", "chain_id": 5},
    {"kind": "cut", "share": 0.1},
    {"kind": "status", "status": 503, "share": 0.1},
]
"""Of another chain, and now and then a new connection that finds it out."""

STORMS: dict[str, tuple[Faults, ...]] = {
    "bad line": (BAD_LINE,),
    "overloaded provider": (OVERLOADED,),
    "stuck node": ([{"kind": "freeze"}],),
    "broken node": (BROKEN,),
    "stubborn pool": (
        [
            {"kind": "refuse", "share": 0.3},
            {"kind": "refuse", "message": "already known", "delivered": True, "share": 0.3},
            {"kind": "refuse", "message": "nonce too low", "delivered": True, "share": 0.2},
            {"kind": "refuse", "message": "transaction underpriced", "delivered": True, "share": 0.2},
        ],
    ),
}
"""Of a keeper with one endpoint."""

DOUBLE_STORMS: dict[str, tuple[Faults, ...]] = {
    "first stuck, second sluggish": ([{"kind": "freeze"}], SLUGGISH),
    "first elsewhere, second overloaded": (ELSEWHERE, OVERLOADED),
    "both bad": (BAD_LINE, BROKEN),
    "first sluggish, second elsewhere": (SLUGGISH, ELSEWHERE),
    "both elsewhere": (ELSEWHERE, ELSEWHERE),
}
"""Of a keeper with a WebSocket and, behind a proxy of its own, HTTP."""


@dataclass
class Storm:
    """The proxies, one for each endpoint, steered from another thread."""

    proxies: list[ChaosProxy]
    loop: asyncio.AbstractEventLoop

    @property
    def urls(self) -> list[str]:
        """The first over a WebSocket, any other over HTTP."""
        schemes = ("ws", *("http",) * len(self.proxies))
        return [
            f"{scheme}://127.0.0.1:{proxy.port}" for scheme, proxy in zip(schemes, self.proxies, strict=False)
        ]

    @property
    def struck(self) -> Counter[str]:
        """How often each fault struck, at any of them."""
        return sum((proxy.struck for proxy in self.proxies), Counter[str]())

    def enter(self, phase: str) -> None:
        for proxy in self.proxies:
            asyncio.run_coroutine_threadsafe(proxy.enter(phase), self.loop).result(10)

    def cut_all(self) -> None:
        for proxy in self.proxies:
            self.loop.call_soon_threadsafe(proxy.cut_all)


def scripts_of(storms: Mapping[str, tuple[Faults, ...]], seed: int) -> list[Script]:
    """Return a script for each endpoint, with every storm as a phase, calm at first."""
    (count,) = {len(faults) for faults in storms.values()}
    return [
        Script.model_validate(
            {
                "seed": seed + 1_000 * place,
                "phase": [
                    {"name": CALM},
                    *({"name": name, "faults": faults[place]} for name, faults in storms.items()),
                ],
            }
        )
        for place in range(count)
    ]


@contextmanager
def storm(node_url: str, scripts: Sequence[Script]) -> Iterator[Storm]:
    """Run a proxy for each script, in a thread of their own."""
    proxies = [ChaosProxy(script, Endpoint.parse(node_url)) for script in scripts]
    loop, ready, ended = asyncio.new_event_loop(), Event(), asyncio.Event()

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            for proxy in proxies:
                await stack.enter_async_context(proxy)
            ready.set()
            await ended.wait()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve())
        loop.close()

    thread = Thread(target=run, name="chaos proxies")
    thread.start()
    try:
        assert ready.wait(10)
        yield Storm(proxies, loop)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)


@dataclass
class Crew:
    """Keepers on one ledger and one key, started again when they are gone, as systemd does."""

    folders: list[Path]
    environment: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    begun_at: dict[Path, int] = field(default_factory=dict)
    ended_at_work: list[str] = field(default_factory=list)
    refused_starts: int = 0

    def start(self) -> None:
        """Start all, the first as leader; return when it has acted on a head and the others stand by."""
        for folder, event in zip(self.folders, ("head", *("standing_by",) * len(self.folders)), strict=False):
            self.processes.append(self._begin(folder))
            deadline = time.monotonic() + START_S
            while f'"{event}"' not in (folder / "keeper.log").read_text():
                assert time.monotonic() < deadline, self.logs()
                time.sleep(0.05)

    def kill(self, index: int) -> None:
        """End a keeper without a warning, and start it again."""
        self.processes[index].kill()
        self.processes[index].wait(10)
        self.processes[index] = self._begin(self.folders[index])

    def tend(self) -> None:
        """Start again what ended by itself.

        While it starts, a keeper may end because the node refuses it; at work it may not.
        """
        for index, process in enumerate(self.processes):
            if process.poll() is None:
                continue
            folder = self.folders[index]
            if process.returncode == 1 and not self._works(folder):
                self.refused_starts += 1
            else:
                said = self._said(folder)[-2_000:]
                self.ended_at_work.append(f"status {process.returncode}: {said}")
            self.processes[index] = self._begin(folder)

    def at_work(self) -> bool:
        """Whether every keeper follows the chain, since it was last started."""
        return all(map(self._works, self.folders))

    def _works(self, folder: Path) -> bool:
        return any(f'"{event}"' in self._said(folder) for event in AT_WORK)

    def _said(self, folder: Path) -> str:
        """Return what the keeper has logged since it was last started."""
        return (folder / "keeper.log").read_bytes()[self.begun_at[folder] :].decode()

    def stop(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)

    def resident_mib(self) -> list[float]:
        """Return what each keeper holds in memory."""
        return [_resident_kib(process.pid) / 1024 for process in self.processes]

    def said(self) -> Counter[str]:
        """Return how often the keepers logged what tells of their endpoints."""
        lines = [line for folder in self.folders for line in (folder / "keeper.log").read_text().splitlines()]
        told = [json.loads(line)["event"] for line in lines if line.startswith("{")]
        return Counter(event for event in told if event in OF_ENDPOINTS)

    def logs(self) -> str:
        return "\n".join((folder / "keeper.log").read_text()[-4_000:] for folder in self.folders)

    def _begin(self, folder: Path) -> subprocess.Popen[bytes]:
        command = [str(SLUICE), "keeper", "run", "--config", str(folder / "sluice.toml")]
        with (folder / "keeper.log").open("ab") as output:
            self.begun_at[folder] = output.tell()
            return subprocess.Popen(command, stdout=output, stderr=output, env=self.environment)


def _resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


@dataclass
class Day:
    """One chain's worth of trouble.

    Parameters
    ----------
    here : World
        The chain.
    crew : Crew
        The keepers.
    weather : Storm
        What is between them.
    random : Random
        Decides everything.
    rival : Rival
        Wants what the keepers want, and does nothing that they do not.
    happened : Counter
        What did.
    """

    here: World
    crew: Crew
    weather: Storm
    random: Random
    rival: Rival
    ledger: Path
    happened: Counter[str] = field(default_factory=Counter)
    waits: list[int] = field(default_factory=list)

    def round(
        self, name: str, accounts: int, blocks: int, patience: int, strikes: Collection[str] = ()
    ) -> None:
        """Let accounts fall while a storm rages, then count the calm blocks until all are healthy.

        From the fall on, blocks come by the clock alone: what is sent waits in the pool, for others to see.
        The storm goes on until the faults named in ``strikes`` have struck: on a busy machine keepers that
        were killed may sleep through a short one.
        """
        fallen = self._prepare(accounts)
        self.weather.enter(name)
        if "elsewhere" in name:
            self.weather.cut_all()  # a chain is looked at when a connection is made
        self.here.move_pools("WETH", Fraction(CRASH), window=BLOCK_S)
        self.here.publish("WETH", CRASH)
        self.here.node.call("evm_setAutomine", False)
        since = self._height()
        for index in range(blocks):
            self._misfortune(index, blocks)
            self._block()
        for _ in range(LONGEST_STORM - blocks):
            if self.weather.struck.keys() >= set(strikes):
                break
            self._block()
        self.rival.settle()
        depth = min(self.random.randint(1, 10), self._height() - since)
        self.here.node.call("anvil_reorg", depth, [])
        self.happened["reorg"] += 1
        self.weather.enter(CALM)
        self.waits.append(self._until_healthy(fallen, patience))
        self.rival.settle()
        self.here.node.call("evm_setAutomine", True)

    def settle(self, blocks: int = 8) -> None:
        """Let what was sent last be looked up."""
        for _ in range(blocks):
            self._block()

    def pass_quickly(self, blocks: int, wall_s: float = 0.03) -> list[float]:
        """Mine empty blocks; return the leader's memory in MiB, measured about a hundred times."""
        seen = []
        for index in range(blocks):
            self.here.advance(BLOCK_S)
            time.sleep(wall_s)
            if index % max(1, blocks // 100) == 0:
                seen.append(self.crew.resident_mib()[0])
        self.crew.tend()
        return seen

    # ------------------------------------------------------------------- what happens

    def _prepare(self, accounts: int) -> list[str]:
        self.here.publish("WETH", PRICE)
        self.here.follow_oracle("WETH")
        sizes = [self.random.randint(10, 30) for _ in range(accounts)]
        fallen = [self.here.open({"WETH": size}, {"USDC": 158 * size}) for size in sizes]
        self._block()
        return fallen

    def _misfortune(self, index: int, blocks: int) -> None:
        spiking = blocks // 3 <= index < blocks // 2
        self.here.node.call("anvil_setNextBlockBaseFeePerGas", hex(BASE_FEE * (SPIKE if spiking else 1)))
        if spiking:
            self.happened["spike"] += 1
        chance = self.random.random()
        if chance < 0.08:
            self.crew.kill(self.random.randrange(len(self.crew.processes)))
            self.happened["kill"] += 1
        elif chance < 0.16:
            self.weather.cut_all()
            self.happened["cut"] += 1

    def _block(self) -> None:
        self.rival.look()
        self.here.advance(BLOCK_S)
        time.sleep(WALL_BLOCK_S)
        self.crew.tend()

    def _height(self) -> int:
        return int(self.here.node.call("eth_blockNumber"), 16)

    def _until_healthy(self, accounts: list[str], patience: int) -> int:
        """Count calm blocks until all are healthy, from when every keeper that was killed is up again.

        Blocks come 35 times as fast as on the chain that this stands for, and a program starts no faster.
        """
        deadline = time.monotonic() + START_S
        while not self.crew.at_work():  # while programs start the chain goes on, as it does for any of them
            assert time.monotonic() < deadline, self.crew.logs()
            self._block()
        for waited in range(patience):
            if all(self.here.health(account) >= 1 for account in accounts):
                return waited
            self._block()
        unhealthy = {account: self.here.health(account) for account in accounts}
        raise AssertionError(f"left alone: {unhealthy}; {self.crew.logs()}")

    # ------------------------------------------------------------------ what must hold

    def check(self) -> None:
        """No action lost or doubled, no keeper gone or halted, gas within its limit."""
        assert self.crew.ended_at_work == []
        with sqlite3.connect(self.ledger) as database:
            rows = database.execute("SELECT nonce, key, outcome FROM transactions").fetchall()
            halts = database.execute("SELECT count(*) FROM halts").fetchone()[0]
        database.close()
        assert halts == 0
        states = Counter(outcome for _, _, outcome in rows)
        assert not states.keys() & {"planned", "signed", "submitted"}, states
        mined = sorted(nonce for nonce, _, outcome in rows if outcome in ("included", "reverted"))
        on_chain = int(self.here.node.call("eth_getTransactionCount", KEEPER, "latest"), 16)
        assert mined == list(range(on_chain)), (mined, on_chain, states)
        keys = Counter(key for _, key, outcome in rows if outcome == "included")
        assert max(keys.values()) == 1, keys.most_common(3)
        assert self._gas_of_worst_hour() <= GAS_PER_HOUR_ETH * 10**18

    def report(self) -> str:
        """Return what struck, what happened and what came of it, in a line."""
        return (
            f"{dict(self.weather.struck)}, {dict(self.happened)}, starts refused {self.crew.refused_starts}, "
            f"{self.rival.tally}, calm blocks until healthy {self.waits}, {dict(self.crew.said())}"
        )

    def _gas_of_worst_hour(self) -> int:
        spent: list[tuple[int, int]] = []
        for number in range(self._height() + 1):
            block = self.here.node.call("eth_getBlockByNumber", hex(number), True)
            for sent in block["transactions"]:
                if sent["from"] == KEEPER.lower():
                    receipt = self.here.node.call("eth_getTransactionReceipt", sent["hash"])
                    cost = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
                    spent.append((int(block["timestamp"], 16), cost))
        hours = (sum(cost for at, cost in spent if 0 <= at - start < 3_600) for start, _ in spent)
        return max(hours, default=0)


@contextmanager
def bad_day(
    here: World,
    folder: Path,
    seed: int,
    keepers: int = 2,
    storms: Mapping[str, tuple[Faults, ...]] = STORMS,
) -> Iterator[Day]:
    """Start keepers behind a storm on a deployed chain."""
    ledger = folder / "ledger.sqlite"
    folders = [folder / name for name in "abc"[:keepers]]
    for place in folders:
        place.mkdir()
        write_settings(place, here, minimum_profit=-5)
    with ExitStack() as stack:
        weather = stack.enter_context(storm(here.node.url, scripts_of(storms, seed)))
        first, *others = weather.urls
        chain = {
            "ENDPOINT": first,
            "ENDPOINTS": json.dumps([{"url": url} for url in others]),
            "WRONG_CHAIN_REST_S": "3",
            "BLOCK_TIME_S": "1",
            "REQUEST_TIMEOUT_S": "2",
            "CONNECT_TIMEOUT_S": "2",
            "POLL_INTERVAL_S": "0.2",
        }
        environment = {
            **os.environ,
            **{f"SLUICE_CHAIN__{name}": value for name, value in chain.items()},
            "SLUICE_LEDGER__PATH": str(ledger),
            "SLUICE_LEDGER__LEASE_S": "1",
            "SLUICE_LIMITS__GAS_PER_HOUR": str(GAS_PER_HOUR_ETH),
        }
        crew = Crew(folders, environment)
        crew.start()
        stack.callback(crew.stop)
        random = Random(seed)
        yield Day(here, crew, weather, random, Rival(here, random), ledger)
