"""Dealer and keeper on the real contracts: a process quotes, the keeper fills, the dealer hedges."""

import asyncio
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector as selector

from bot import abi
from bot.protocols.sluice.calls import CallBuilder
from bot.protocols.sluice.fills import QUOTE_TYPE, quote_values
from bot.rfq.ledger import DealerLedger
from bot.rfq.records import WorkKind, WorkState
from bot.rfq.typed_data import QuoteDomain
from bot.strategy.case import Case
from bot.strategy.decision import Candidate
from bot.strategy.fills import fill
from bot.strategy.quotes import FirmQuote, OpenQuote
from bot.strategy.settings import StrategySettings
from scripts.deployment.artifacts import ForgeArtifacts
from tests.support.daemon import SLUICE, Daemon, write_settings
from tests.support.dealer_process import (
    DEALER,
    PATIENCE_S,
    USDC,
    WETH,
    KeeperDesk,
    RunningDealer,
    balance,
    dealer,
    raw,
)
from tests.support.deployment import Web3Deployer
from tests.support.world import KEEPER, World, plain_call

FILLS = any(entry.get("name") == "fill" for entry in abi.load("liquidation_engine"))
pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(not FILLS, reason="the packaged engine settles no quotes"),
]

FUNDS = 500_000 * 10**6
AGED_S = 300


@pytest.fixture
def here(deployed: World) -> Iterator[World]:
    with deployed.scratch():
        deployed.node.call("anvil_impersonateAccount", KEEPER)
        deployed.node.call("anvil_setBalance", DEALER, hex(10**21))
        yield deployed


def mint(here: World, symbol: str, to: str, amount: int) -> None:
    here.send(here.owner, here.manifest.asset(symbol).token, plain_call("mint(address,uint256)", to, amount))


def auctioned(here: World) -> str:
    """Return an account whose auction has run until the reserve is below the market."""
    borrower = here.open({"WETH": 100}, {"USDC": 15_800})
    here.trade("WETH", "USDC", 18_000)
    here.publish("WETH", 184)
    here.act(KEEPER, "liquidation_engine", "kick", borrower, [WETH])
    here.advance(AGED_S)
    here.refresh()
    return borrower


def weighed(case: Case, quote: OpenQuote) -> Candidate:
    found = fill(case, quote, StrategySettings(), 0)
    assert isinstance(found, Candidate), found
    return found


def filled(here: World, candidate: Candidate, *, must_succeed: bool = True) -> bool:
    """Send a fill from the keeper; return whether it went through."""
    call = CallBuilder(here.manifest).call_for(candidate.action)
    return bool(here.send(KEEPER, call.to, call.data, must_succeed=must_succeed)["status"] == "0x1")


def tried(here: World, candidate: Candidate) -> tuple[int, int]:
    """Return what a fill would seize and be paid on the newest head, by the engine itself."""
    call = CallBuilder(here.manifest).call_for(candidate.action)
    transaction = {"from": KEEPER, "to": call.to, "data": "0x" + call.data.hex()}
    answer = bytes.fromhex(here.node.call("eth_call", transaction, "latest")[2:])
    return int.from_bytes(answer[:32]), int.from_bytes(answer[32:64])


def digest_on_chain(here: World, quote: FirmQuote) -> bytes:
    data = selector(f"quoteHash({QUOTE_TYPE})") + encode([QUOTE_TYPE], [quote_values(quote)])
    return here.view(here.manifest.liquidation_engine, data)


async def mined_until(here: World, true: Callable[[], bool], running: RunningDealer) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, running.log.read_text()[-3000:]
        here.node.call("evm_mine")
        await asyncio.sleep(0.4)


async def test_a_process_quotes_the_keeper_fills_and_the_dealer_hedges(here: World, tmp_path: Path) -> None:
    mint(here, "USDC", DEALER, FUNDS)
    borrower = auctioned(here)
    with dealer(tmp_path, here) as running:
        case, quote = await KeeperDesk(here, DEALER, running.port).quoted(borrower)
        candidate = weighed(case, quote)
        domain = QuoteDomain(31337, raw(here.manifest.liquidation_engine))
        assert digest_on_chain(here, quote.quote) == domain.digest(quote.quote)
        assert tried(here, candidate) == (candidate.seized, candidate.payment)
        assert filled(here, candidate)
        bought = balance(here, "WETH", DEALER)
        paid = FUNDS - balance(here, "USDC", DEALER)
        assert bought == pytest.approx(candidate.seized, rel=1e-6)
        assert paid == quote.quote.payment(bought)
        assert here.health(borrower) == pytest.approx(1.05, abs=1e-4)
        await mined_until(here, lambda: balance(here, "WETH", DEALER) == 0, running)
        assert balance(here, "USDC", DEALER) > FUNDS  # the spread covers what the hedge costs
        await mined_until(here, lambda: len(running.events("dealer_transaction")) >= 3, running)
        assert running.stop() == 0
        assert [event["amount"] for event in running.events("dealer_filled")] == [bought]
    ledger = await DealerLedger.open(tmp_path / "dealer.sqlite", _identity(here, DEALER))
    try:
        assert await ledger.exposure() == {(WETH, USDC): 0}
        works = await ledger.works(10)
        assert [work.kind for work in works if work.kind is WorkKind.HEDGE] == [WorkKind.HEDGE]
        assert {work.state for work in works} == {WorkState.INCLUDED}
    finally:
        await ledger.close()


def _identity(here: World, owner: str) -> str:
    engine = here.manifest.liquidation_engine.lower()
    return f"chain 31337, engine {engine}, dealer {owner.lower()}"


def vault_on(here: World) -> str:
    vault = Web3Deployer(here.node.url).deploy(
        ForgeArtifacts().own("DealerVault"), DEALER, here.manifest.clearing_house
    )
    mint(here, "USDC", vault, FUNDS)
    return vault


async def test_a_contract_that_is_called_back_quotes_fills_and_hedges(here: World, tmp_path: Path) -> None:
    vault, borrower = vault_on(here), auctioned(here)
    with dealer(tmp_path, here, vault) as running:
        case, quote = await KeeperDesk(here, vault, running.port).quoted(borrower)
        assert quote.quote.callback
        assert quote.quote.dealer == raw(vault)
        assert filled(here, weighed(case, quote))
        bought, paid = balance(here, "WETH", vault), FUNDS - balance(here, "USDC", vault)
        assert paid == quote.quote.payment(bought) > 0
        await mined_until(here, lambda: balance(here, "WETH", vault) == 0, running)
        assert balance(here, "USDC", vault) > FUNDS
        assert balance(here, "USDC", DEALER) == 0
        assert running.stop() == 0


async def test_a_dealer_killed_after_it_quoted_finds_the_fill_and_hedges_it_once(
    here: World, tmp_path: Path
) -> None:
    mint(here, "USDC", DEALER, FUNDS)
    borrower = auctioned(here)
    with dealer(tmp_path, here) as running:
        case, quote = await KeeperDesk(here, DEALER, running.port).quoted(borrower)
        running.stop(signal.SIGKILL)
    assert filled(here, weighed(case, quote))
    bought = balance(here, "WETH", DEALER)
    with dealer(tmp_path, here) as running:
        await mined_until(here, lambda: balance(here, "WETH", DEALER) == 0, running)
        for _ in range(4):
            here.node.call("evm_mine")
            await asyncio.sleep(0.2)
        hedges = [event for event in running.events("dealer_transaction") if event["kind"] == "hedge"]
        assert [event["sold"] for event in hedges] == [bought]
        assert running.stop() == 0


async def test_open_quotes_are_cancelled_at_the_end_where_that_is_asked_for(
    here: World, tmp_path: Path
) -> None:
    mint(here, "USDC", DEALER, FUNDS)
    borrower = auctioned(here)
    with dealer(tmp_path, here, cancel_on_stop=True) as running:
        case, quote = await KeeperDesk(here, DEALER, running.port).quoted(borrower)
        assert running.stop() == 0
        assert running.events("quotes_cancelled")
    assert not filled(here, weighed(case, quote), must_succeed=False)


async def test_a_quote_is_filled_in_parts_until_it_is_spent_and_never_again(
    here: World, tmp_path: Path
) -> None:
    mint(here, "USDC", DEALER, FUNDS)
    borrower = auctioned(here)
    with dealer(tmp_path, here) as running:
        desk = KeeperDesk(here, DEALER, running.port)
        case, quote = await desk.quoted(borrower)
        whole = weighed(case, quote)
        part = weighed(case, OpenQuote(quote.quote, quote.signature, quote.filled, whole.payment // 2))
        assert filled(here, part)
        assert balance(here, "WETH", DEALER) == part.seized
        case, again = await desk.quoted(borrower)
        if again.quote.nonce == quote.quote.nonce:
            assert again.filled == part.seized
        running.stop()


@pytest.mark.parametrize("trick", ["revoke", "empty"])
async def test_a_dealer_that_cannot_pay_when_it_counts_costs_the_gas_of_a_fill(
    here: World, tmp_path: Path, trick: str
) -> None:
    mint(here, "USDC", DEALER, FUNDS)
    borrower = auctioned(here)
    with dealer(tmp_path, here) as running:
        case, quote = await KeeperDesk(here, DEALER, running.port).quoted(borrower)
        running.stop(signal.SIGKILL)
    here.node.call("anvil_impersonateAccount", DEALER)
    usdc, house = here.manifest.asset("USDC").token, here.manifest.clearing_house
    if trick == "revoke":
        here.send(DEALER, usdc, plain_call("approve(address,uint256)", house, 0))
    else:
        here.send(DEALER, usdc, plain_call("transfer(address,uint256)", here.owner, FUNDS))
    before = here.health(borrower), balance(here, "USDC", KEEPER)
    assert not filled(here, weighed(case, quote), must_succeed=False)
    assert (here.health(borrower), balance(here, "USDC", KEEPER)) == pytest.approx(before)


# ------------------------------------------------------------------------- both processes


@contextmanager
def keeper_with_dealer(folder: Path, here: World, port: int) -> Iterator[Daemon]:
    """Run the keeper with a dealer in its settings, in lockstep."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        settings = write_settings(folder, here, acknowledge_to=f"127.0.0.1:{listener.getsockname()[1]}")
        entry = f'[[rfq.dealers]]\naddress = "{DEALER}"\nurl = "http://127.0.0.1:{port}"\nstream = true\n'
        settings.write_text(settings.read_text() + "[rfq]\ndeadline_s = 3.0\n" + entry)
        log = folder / "keeper.log"
        with log.open("wb") as output:
            command = [str(SLUICE), "keeper", "run", "--config", str(settings)]
            process = subprocess.Popen(command, stderr=output, stdout=output)
        daemon = Daemon(process, listener, log)
        try:
            yield daemon
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(timeout=PATIENCE_S)
            if daemon.stream is not None:
                daemon.stream.close()


def test_the_keeper_process_asks_the_dealer_process_and_fills_where_that_brings_most(
    here: World, tmp_path: Path
) -> None:
    """The flash taker serves another, and the pool lies below the feed, which makes a swap earn less."""
    mint(here, "USDC", DEALER, FUNDS)
    taker = here.manifest.flash_taker
    here.send(here.owner, taker, plain_call("setOperator(address,bool)", KEEPER, False))
    borrower = here.open({"WETH": 100}, {"USDC": 15_800})
    here.trade("WETH", "USDC", 18_000)
    here.publish("WETH", 186)
    folders = [tmp_path / name for name in ("dealer", "keeper")]
    for folder in folders:
        folder.mkdir()
    with dealer(folders[0], here) as running, keeper_with_dealer(folders[1], here, running.port) as daemon:
        daemon.acknowledged(1)
        for _ in range(40):
            here.advance(12)
            daemon.acknowledged(int(here.node.call("eth_blockNumber"), 16))
            if here.health(borrower) >= 1:
                break
        assert here.health(borrower) == pytest.approx(1.05, abs=1e-3)
        here.advance(12)
        daemon.acknowledged(int(here.node.call("eth_blockNumber"), 16))
        assert daemon.stop() == 0
        assert running.stop() == 0
        filled_by_us = running.events("dealer_filled")
    assert sum(event["payment"] for event in filled_by_us) > 0
    with closing(sqlite3.connect(folders[1] / "sluice.sqlite")) as ledger:
        rows = ledger.execute("select outcome, key from transactions order by id").fetchall()
        (score,) = ledger.execute("select fills, failed_fills, faults from dealers").fetchall()
    landed = [key.rpartition(":")[2] for outcome, key in rows if outcome == "included"]
    assert [kind for kind in landed if kind != "poke"] == ["kick", "fill"]
    assert score == (1, 0, 0)
