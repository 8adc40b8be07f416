"""The dealer's ledger: no nonce twice, no fill lost, no hedge counted twice, whatever is killed when."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.errors import DealerLedgerError
from bot.ports import Address, Call, Hash32, Signed
from bot.rfq.ledger import DealerLedger
from bot.rfq.records import IssuedQuote, QuoteState, Work, WorkKind, WorkState
from tests.support.keeper import a_head
from tests.support.rfq import DOMAIN, a_quote

HEAD = a_head(100)
ROOT = Path(__file__).parents[3]
OWNER = "chain 31337, engine 0xe1, dealer 0x01"


@asynccontextmanager
async def ledger_at(path: Path, owner: str = OWNER) -> AsyncIterator[DealerLedger]:
    ledger = await DealerLedger.open(path, owner)
    try:
        yield ledger
    finally:
        await ledger.close()


def issued(nonce: int, **changes: int) -> IssuedQuote:
    quote = a_quote(nonce=nonce, **changes)
    return IssuedQuote(quote, DOMAIN.digest(quote), b"\x01" * 65, 100)


def work(nonce: int, kind: WorkKind = WorkKind.HEDGE, sold: int = 0) -> Work:
    signed = Signed(b"\x02" + bytes([nonce]), Hash32(f"0x{nonce:064x}"), nonce, 100_000, 2 * 10**9, 10**9)
    call = Call(Address("0x" + "33" * 20), b"\x01\x02")
    return Work(kind, call, signed, 100, collateral_id=0, debt_id=2, sold=sold)


async def test_quotes_are_found_again_after_a_restart_as_they_were_issued(tmp_path: Path) -> None:
    path = tmp_path / "dealer.sqlite"
    async with ledger_at(path) as ledger:
        first = await ledger.issue(issued)
        second = await ledger.issue(issued)
    async with ledger_at(path) as ledger:
        assert await ledger.open_quotes() == [first, second]


async def test_nonces_never_repeat_through_restarts_failures_and_concurrency(tmp_path: Path) -> None:
    path, seen = tmp_path / "dealer.sqlite", []

    def failing(nonce: int) -> IssuedQuote:
        raise RuntimeError(str(nonce))

    for _ in range(3):
        async with ledger_at(path) as ledger:
            with pytest.raises(RuntimeError):
                await ledger.issue(failing)
            made = await asyncio.gather(*(ledger.issue(issued) for _ in range(10)))
            seen += [quote.quote.nonce for quote in made]
    assert len(set(seen)) == 30


async def test_a_ledger_that_was_lost_is_not_followed_by_the_same_nonces(tmp_path: Path) -> None:
    nonces = []
    for name in ("one", "two"):
        async with ledger_at(tmp_path / name) as ledger:
            nonces.append((await ledger.issue(issued)).quote.nonce)
    assert nonces[0] >> 64 != nonces[1] >> 64
    assert all(nonce < 2**256 for nonce in nonces)


async def test_a_fill_is_seen_once_and_raises_what_is_to_be_hedged(tmp_path: Path) -> None:
    async with ledger_at(tmp_path / "dealer.sqlite") as ledger:
        quote = await ledger.issue(issued)
        (fill,) = await ledger.settle({quote.digest: 4 * 10**17}, HEAD)
        assert (fill.amount, fill.payment) == (4 * 10**17, quote.quote.payment(4 * 10**17))
        assert await ledger.settle({quote.digest: 4 * 10**17}, a_head(101)) == []
        await ledger.settle({quote.digest: 10**18}, a_head(102))
        assert await ledger.exposure() == {(0, 2): 10**18}
        (open_quote,) = await ledger.open_quotes()
        assert (open_quote.filled, open_quote.left, open_quote.reserved) == (10**18, 0, 0)
        assert [fill.amount for fill in await ledger.fills(10)] == [6 * 10**17, 4 * 10**17]


async def test_a_fill_that_a_reorg_takes_back_is_taken_off_again(tmp_path: Path) -> None:
    async with ledger_at(tmp_path / "dealer.sqlite") as ledger:
        quote = await ledger.issue(issued)
        await ledger.settle({quote.digest: 10**18}, HEAD)
        (undone,) = await ledger.settle({quote.digest: 0}, a_head(101, 1))
        assert undone.amount == -(10**18)
        assert await ledger.exposure() == {(0, 2): 0}


async def test_a_hedge_lowers_what_is_open_once_and_only_if_it_went_through(tmp_path: Path) -> None:
    path = tmp_path / "dealer.sqlite"
    async with ledger_at(path) as ledger:
        quote = await ledger.issue(issued)
        await ledger.settle({quote.digest: 10**18}, HEAD)
        reverted = await ledger.plan(work(1, sold=10**18))
        await ledger.conclude(reverted, WorkState.REVERTED, HEAD)
        assert await ledger.exposure() == {(0, 2): 10**18}
        landed = await ledger.plan(work(2, sold=6 * 10**17))
    async with ledger_at(path) as ledger:
        assert await ledger.open_works() == [landed]
        await ledger.conclude(landed, WorkState.INCLUDED, HEAD, bought=118_000_000)
        await ledger.conclude(landed, WorkState.INCLUDED, HEAD, bought=118_000_000)
        assert await ledger.exposure() == {(0, 2): 4 * 10**17}
        assert await ledger.open_works() == []
        newest, _ = await ledger.works(10)
        assert (newest.state, newest.bought) == (WorkState.INCLUDED, 118_000_000)


async def test_two_transactions_with_one_nonce_are_refused(tmp_path: Path) -> None:
    async with ledger_at(tmp_path / "dealer.sqlite") as ledger:
        await ledger.plan(work(1, WorkKind.CANCEL))
        other = work(1)
        twin = Work(other.kind, other.call, Signed(b"\x03", Hash32("0x" + "ff" * 32), 1, 1, 1, 1), 100)
        with pytest.raises(DealerLedgerError):
            await ledger.plan(twin)


async def test_a_quote_that_ended_is_open_no_longer(tmp_path: Path) -> None:
    async with ledger_at(tmp_path / "dealer.sqlite") as ledger:
        first, second = await ledger.issue(issued), await ledger.issue(issued)
        await ledger.end([first.digest], QuoteState.EXPIRED)
        assert await ledger.open_quotes() == [second]


async def test_a_ledger_in_use_or_of_another_dealer_or_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dealer.sqlite"
    async with ledger_at(path):
        with pytest.raises(DealerLedgerError, match="another dealer has it open"):
            await DealerLedger.open(path, OWNER)
    with pytest.raises(DealerLedgerError, match="its identity is"):
        await DealerLedger.open(path, "chain 1, engine 0xe1, dealer 0x01")
    no_ledger = tmp_path / "notes.txt"
    no_ledger.write_bytes(b"these are notes, and no database, for certain" * 100)
    with pytest.raises(DealerLedgerError):
        await DealerLedger.open(no_ledger, OWNER)


_ISSUER = """
import asyncio, sys
from pathlib import Path
from bot.rfq.ledger import DealerLedger
from tests.unit.rfq.test_rfq_ledger import OWNER, issued

async def main():
    ledger = await DealerLedger.open(Path(sys.argv[1]), OWNER)
    while True:
        quote = await ledger.issue(issued)
        print(quote.quote.nonce, flush=True)

asyncio.run(main())
"""


def _quotes_until_killed(path: Path, quotes: int) -> list[int]:
    """Return the nonces of the quotes that left a dealer which was killed after some of them."""
    command = [sys.executable, "-c", _ISSUER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        left = [int(process.stdout.readline()) for _ in range(quotes)]
        process.kill()
        return left + [int(line) for line in process.stdout.read().split()]


async def test_a_dealer_killed_while_it_quotes_loses_no_quote_that_left_and_repeats_no_nonce(
    tmp_path: Path,
) -> None:
    path = tmp_path / "dealer.sqlite"
    left = [nonce for quotes in (3, 7) for nonce in _quotes_until_killed(path, quotes)]
    assert len(set(left)) == len(left)
    async with ledger_at(path) as ledger:
        kept = {quote.quote.nonce for quote in await ledger.open_quotes()}
        assert set(left) <= kept
        assert (await ledger.issue(issued)).quote.nonce not in kept
