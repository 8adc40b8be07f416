"""Our keeper and its peers, each a process of its own, as entrants of the benchmark."""

import json
import os
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final
from urllib.parse import urlsplit

from benchmarks.keeper.scene import MULTICALL, Scene
from benchmarks.keeper.trials import PATIENCE_S, ContenderSilentError
from benchmarks.keeper.wire import Wire
from tests.support.daemon import Daemon, keeper
from tests.support.world import KEEPER_KEY

ROOT: Final = Path(__file__).resolve().parents[2]
PEERS: Final = ROOT / "benchmarks" / "peers"
MAX_ACTIONS: Final = 128
"""More than accounts fall at once: all contenders are to send all at once."""
_BATCH_CALLS: Final = 2_000
"""Reads in one multicall of the peers; more in one are not faster on this node."""


@dataclass
class _Keeper:
    daemon: Daemon

    def acknowledged(self, block: int) -> object:
        return self.daemon.acknowledged(block)

    def rss_mib(self) -> float:
        return resident_mib(self.daemon.process.pid)


@dataclass(frozen=True)
class SluiceKeeper:
    """``sluice keeper run`` with its defaults, but for the most actions of a head."""

    name: str = "sluice"

    @contextmanager
    def running(self, scene: Scene, wire: Wire) -> Iterator[_Keeper]:
        """See `benchmarks.keeper.trials.Entrant.running`."""
        with tempfile.TemporaryDirectory() as folder:
            os.environ["SLUICE_CHAIN__ENDPOINT"] = wire.ws
            try:
                with keeper(Path(folder), scene.world, max_actions=MAX_ACTIONS) as daemon:
                    yield _Keeper(daemon)
            finally:
                del os.environ["SLUICE_CHAIN__ENDPOINT"]


@dataclass
class _Peer:
    """A peer that says ``done N`` on standard output once it is done with block N."""

    process: subprocess.Popen[str]
    log: Path
    lines: SimpleQueue[str] = field(default_factory=SimpleQueue)

    def listen(self) -> None:
        """Pass on what it says, to the end."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def acknowledged(self, block: int) -> object:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                word, _, number = self.lines.get(timeout=1.0).strip().partition(" ")
            except Empty:
                continue
            if word == "done" and int(number) >= block:
                return number
        raise ContenderSilentError(f"the peer said nothing: {self.log.read_text()[-2000:]}")

    def rss_mib(self) -> float:
        return resident_mib(self.process.pid)


@dataclass(frozen=True)
class PeerBot(ABC):
    """A bot of the field's own libraries.

    Parameters
    ----------
    form : str
        ``reread`` reads every position on every block; ``cached`` holds a book in memory and follows logs.
    """

    form: str

    @property
    @abstractmethod
    def name(self) -> str:
        """What the results call it."""

    @abstractmethod
    def command(self, folder: Path, settings: Mapping[str, object]) -> tuple[Sequence[str], dict[str, str]]:
        """Return what starts it in ``folder``, and what its environment has beside ours."""

    @contextmanager
    def running(self, scene: Scene, wire: Wire) -> Iterator[_Peer]:
        """See `benchmarks.keeper.trials.Entrant.running`."""
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            command, environment = self.command(folder, peer_settings(scene, wire) | {"form": self.form})
            log = folder / "peer.log"
            wire.clear()
            with (
                log.open("w") as errors,
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    cwd=folder,
                    env=os.environ | environment,
                ) as process,
            ):
                peer = _Peer(process, log)
                listening = Thread(target=peer.listen, daemon=True)
                listening.start()
                try:
                    _await_subscription(peer, wire)
                    yield peer
                finally:
                    process.kill()
                    listening.join()


class ViemBot(PeerBot):
    """viem, with Morpho's SDK."""

    @property
    def name(self) -> str:
        """See `PeerBot.name`."""
        return f"viem_{self.form}"

    def command(self, folder: Path, settings: Mapping[str, object]) -> tuple[Sequence[str], dict[str, str]]:
        """See `PeerBot.command`."""
        place = _installed("install-viem")
        return ["node", str(ROOT / place / "peer.mjs"), json.dumps(settings)], {}


class SilverbackBot(PeerBot):
    """Silverback, on ape."""

    @property
    def name(self) -> str:
        """See `PeerBot.name`."""
        return f"silverback_{self.form}"

    def command(self, folder: Path, settings: Mapping[str, object]) -> tuple[Sequence[str], dict[str, str]]:
        """See `PeerBot.command`."""
        python = ROOT / _installed("install-silverback")
        (folder / "bot.py").write_bytes((PEERS / "silverback" / "bot.py").read_bytes())
        (folder / "ape-config.yaml").write_text(_ape_config(settings))
        environment = {"PEER_SETTINGS": json.dumps(settings), "HOME": str(folder)}
        silverback = str(python.with_name("silverback"))
        return [silverback, "run", "bot", "--network", "ethereum:bench:node"], environment


def peer_settings(scene: Scene, wire: Wire) -> dict[str, object]:
    """Return what a peer is told of the deployment and of its node."""
    manifest, config = scene.world.manifest, scene.world.config
    collateral, debt = manifest.asset("WETH"), manifest.asset("USDC")
    return {
        "http": wire.http,
        "ws": wire.ws,
        "chain_id": manifest.chain_id,
        "key": KEEPER_KEY,
        "multicall": MULTICALL,
        "batch_calls": _BATCH_CALLS,
        "batch_bytes": _BATCH_CALLS * 68,  # of a selector and two words each
        "house": manifest.clearing_house,
        "house_abi": str(ROOT / "bot" / "abi" / "clearing_house.json"),
        "engine": manifest.liquidation_engine,
        "threshold_bps": config.asset("WETH").liquidation_threshold_bps,
        **_described("collateral", collateral.id, collateral.token, collateral.decimals, collateral.feed),
        **_described("debt", debt.id, debt.token, debt.decimals, debt.feed),
    }


def _described(role: str, id_: int, token: str, decimals: int, feed: str) -> dict[str, object]:
    return {f"{role}_id": id_, f"{role}_token": token, f"{role}_decimals": decimals, f"{role}_feed": feed}


def _await_subscription(peer: _Peer, wire: Wire) -> None:
    """Wait until the peer hears of blocks."""
    until = time.monotonic() + PATIENCE_S
    while not wire.calls["eth_subscribe"]:
        if time.monotonic() > until or peer.process.poll() is not None:
            raise ContenderSilentError(f"no subscription: {peer.log.read_text()[-2000:]}")
        time.sleep(0.05)
    time.sleep(0.5)


def _installed(script: str) -> str:
    """Install a peer, or find it installed; return what its script prints."""
    done = subprocess.run([str(PEERS / script)], check=False, capture_output=True, text=True)
    if done.returncode:
        raise ContenderSilentError(f"{script} failed: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()


def _ape_config(settings: Mapping[str, object]) -> str:
    port = urlsplit(str(settings["http"])).port
    return f"""\
networks:
  custom:
    - name: bench
      chain_id: {settings["chain_id"]}
      ecosystem: ethereum
      base_ecosystem_plugin: ethereum
      default_provider: node
node:
  ethereum:
    bench:
      uri: http://127.0.0.1:{port}
      ws_uri: ws://127.0.0.1:{port}
"""


def resident_mib(pid: int) -> float:
    """Return the memory that a process has resident, MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")
