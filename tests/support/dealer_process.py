"""The reference dealer as its operator runs it, and a keeper's desk that asks it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_account import Account

from bot.chain.endpoint import Endpoint
from bot.ports.rfq import QuoteRequest
from bot.protocols.sluice.adapter import SluiceProtocol
from bot.rfq.asking import DeskOptions, KnownDealer, RequestDesk
from bot.rfq.client import HttpDealer, session_for_dealers
from bot.rfq.typed_data import QuoteDomain
from bot.rfq.verification import QuoteVerifier, Venue
from bot.strategy.case import Case
from bot.strategy.quotes import OpenQuote
from tests.support.node_rpc import NodeRpc, latest
from tests.support.rfq import Memory
from tests.support.world import KEEPER, World, plain_call

SLUICE = Path(sys.executable).parent / "sluice"
PASSWORD = "correct horse"
DEALER_KEY = "0x" + "d1" * 32
DEALER: str = Account.from_key(DEALER_KEY).address
PATIENCE_S = 40.0
WETH, USDC = 0, 2


def raw(address: str) -> bytes:
    return bytes.fromhex(address[2:])


@dataclass
class RunningDealer:
    """A dealer's process.

    Parameters
    ----------
    process : Popen
        It.
    log : Path
        Its standard error.
    """

    process: subprocess.Popen[bytes]
    log: Path

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return what it has logged under a name."""
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line for line in lines if line["event"] == name]

    @property
    def port(self) -> int:
        """Where it listens."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if listening := self.events("dealer_listens"):
                return int(listening[-1]["port"])
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            time.sleep(0.02)
        raise AssertionError(f"the dealer does not listen: {self.log.read_text()[-3000:]}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_S)


def write_dealer_settings(folder: Path, world: World, contract: str | None = None, **quotes: Any) -> Path:
    """Write manifest, keystore, password and settings for the world's node; return the settings file."""
    (folder / "manifest.json").write_text(world.manifest.model_dump_json())
    keystore = Account.encrypt(DEALER_KEY, PASSWORD, kdf="pbkdf2", iterations=1)
    (folder / "dealer.json").write_text(json.dumps(keystore))
    (folder / "password").write_text(PASSWORD + "\n")
    lines = [
        'manifest = "manifest.json"',
        "[chain]",
        f'endpoint = "{world.node.url.replace("http", "ws")}"',
        "[signer]",
        'keystore = "dealer.json"',
        'password_file = "password"',
        "[server]",
        "port = 0",
        "[hedge]",
        "depth = 0",
        "[log]",
        'format = "json"',
        "[quotes]",
        'pairs = ["WETH/USDC"]',
        *(f"{name} = {str(value).lower()}" for name, value in quotes.items()),
        *([f'contract = "{contract}"'] if contract else []),
    ]
    path = folder / "dealer.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


@contextmanager
def dealer(folder: Path, world: World, contract: str | None = None, **quotes: Any) -> Iterator[RunningDealer]:
    """Run ``sluice dealer run`` for as long as the context lasts."""
    settings = write_dealer_settings(folder, world, contract, **quotes)
    log = folder / f"dealer-{time.monotonic_ns()}.log"
    with log.open("wb") as output:
        command = [str(SLUICE), "dealer", "run", "--config", str(settings)]
        process = subprocess.Popen(command, stderr=output, stdout=output, env=dict(os.environ))
    try:
        yield RunningDealer(process, log)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(timeout=PATIENCE_S)


@dataclass
class KeeperDesk:
    """A keeper that asks one dealer, on the newest head.

    Parameters
    ----------
    world : World
        The deployment.
    signer : str
        Who must sign.
    port : int
        Where the dealer listens.
    """

    world: World
    signer: str
    port: int

    async def ask(self, account: str) -> tuple[Case, list[OpenQuote], Memory]:
        """Ask for all the WETH of an account; return it at the head, what held, and the dealer's score."""
        manifest, head = self.world.manifest, latest(self.world.node)
        rpc, memory = NodeRpc(self.world.node), Memory()
        protocol = SluiceProtocol(rpc, manifest, KEEPER)
        await protocol.sync(head)
        snapshot = protocol.snapshot(head)
        case = Case.of(snapshot, snapshot.positions.accounts.index(raw(account)))
        domain = QuoteDomain(manifest.chain_id, raw(manifest.liquidation_engine))
        tokens = tuple(raw(asset.token) for asset in manifest.assets)
        verifier = QuoteVerifier(rpc, Venue(domain, raw(manifest.clearing_house), tokens))
        sold, owed = snapshot.terms(WETH), snapshot.terms(USDC)
        request = QuoteRequest(
            raw(account),
            case.auction.epoch if case.auction else 0,
            WETH,
            USDC,
            case.position(WETH, USDC).collateral,
            raw(KEEPER),
            fair_price=10**18 * sold.price * owed.unit // (sold.unit * owed.price),
        )
        async with session_for_dealers(5.0) as session:
            link = HttpDealer(Endpoint.parse(f"http://127.0.0.1:{self.port}"), session)
            known = [KnownDealer(raw(self.signer), link)]
            desk = RequestDesk(known, domain, verifier, memory, DeskOptions(deadline_s=3.0))
            found = await desk.ask([request], head)
        return case, list(found.get(raw(account), ())), memory

    async def quoted(self, account: str) -> tuple[Case, OpenQuote]:
        """Mine and ask until the dealer quotes."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            case, quotes, memory = await self.ask(account)
            if quotes:
                return case, quotes[0]
            await asyncio.sleep(0.4)
            self.world.node.call("evm_mine")
        raise AssertionError(f"no quote: {memory.scores}")


def balance(world: World, symbol: str, owner: str) -> int:
    """Return a balance."""
    token = world.manifest.asset(symbol).token
    return int.from_bytes(world.view(token, plain_call("balanceOf(address)", owner)))
