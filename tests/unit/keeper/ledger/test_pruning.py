"""What a ledger forgets, and what it keeps however old it is."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.ledger import pruning
from bot.ledger.address import LedgerPlace
from bot.ledger.store import SqlLedger
from bot.ports import DecisionEntry, Hash32, Outcome, Settlement, Verdict
from tests.support.keeper import KEEPER, a_head, a_receipt, a_signature, an_intent
from tests.support.ledgers import Execute

GENESIS = Hash32("0x" + "00" * 32)
KEEP = 1_000
YEARS = 10**7
"""Blocks: so much later that everything there was is due."""


@pytest.fixture
async def ledger(place: LedgerPlace) -> AsyncIterator[SqlLedger]:
    async with await SqlLedger.open(place, chain_id=31337, genesis_hash=GENESIS, keep_blocks=KEEP) as opened:
        yield opened


async def a_decision(ledger: SqlLedger, block: int, account: str = "a") -> int:
    entry = DecisionEntry("sluice", account, {}, None, [])
    (id_,) = await ledger.record_decisions(a_head(block), [entry])
    return id_


async def much_later(ledger: SqlLedger, steps: int = 1) -> None:
    """Let so much time pass that everything before is due, and be forgotten."""
    for step in range(steps):
        await ledger.record_head(a_head(YEARS + step * pruning.STRIDE))


async def decided(ledger: SqlLedger) -> list[int]:
    return sorted(record.id for record in await ledger.recent_decisions(10**6))


async def test_old_heads_and_decisions_go_and_newer_ones_stay(ledger: SqlLedger, execute: Execute) -> None:
    old, older = await a_decision(ledger, 5), await a_decision(ledger, 6)
    last = await a_decision(ledger, 7)
    for block in (3, 4):
        await ledger.record_head(a_head(block))
    await much_later(ledger)
    assert await decided(ledger) == [last]
    assert old < older < last
    assert await ledger.recent_heads(9) == [a_head(YEARS)]


async def test_nothing_goes_before_it_is_due(ledger: SqlLedger) -> None:
    await ledger.record_head(a_head(10))
    first, _ = await a_decision(ledger, 10), await a_decision(ledger, 11)
    distant = replace(a_head(10 + KEEP), timestamp=a_head(YEARS).timestamp)
    await ledger.record_head(distant)
    assert len(await decided(ledger)) == 2
    due = replace(a_head(10 + KEEP + pruning.STRIDE), timestamp=a_head(YEARS).timestamp)
    await ledger.record_head(due)
    assert first not in await decided(ledger)


async def test_without_a_limit_everything_stays(place: LedgerPlace) -> None:
    async with await SqlLedger.open(place, chain_id=1, genesis_hash=GENESIS) as ledger:
        await a_decision(ledger, 5)
        await a_decision(ledger, 6)
        await much_later(ledger)
        assert len(await decided(ledger)) == 2


async def test_the_last_decision_on_each_account_stays(ledger: SqlLedger) -> None:
    await a_decision(ledger, 5, "a")
    kept = [await a_decision(ledger, 6, "a"), await a_decision(ledger, 5, "b")]
    await much_later(ledger)
    assert await decided(ledger) == sorted(kept)


async def test_what_was_signed_or_is_open_stays_with_its_decision_and_its_head(ledger: SqlLedger) -> None:
    ids = [await a_decision(ledger, 5) for _ in range(5)]
    await ledger.record_head(a_head(5))
    await ledger.record_head(a_head(6))
    intents = [replace(an_intent(f"key {id_}"), decision_id=id_) for id_ in ids[:4]]
    landed, refused, waiting, planned = await ledger.plan(intents, KEEPER, a_head(5))
    await ledger.journal({landed.id: a_signature(0), waiting.id: a_signature(1)})
    await ledger.conclude(
        [Verdict(refused.id, Outcome.SIMULATION_REVERTED)],
        [Settlement(landed.id, a_receipt(a_signature(0).hash, 6), 1)],
    )
    await much_later(ledger)
    kept = {row.id for row in await ledger.recent_transactions(9)}
    assert kept == {landed.id, waiting.id, planned.id}
    assert await decided(ledger) == [ids[0], ids[2], ids[3], ids[4]]
    assert await ledger.recent_heads(9) == [a_head(YEARS), a_head(5)]


async def test_heads_of_the_last_day_stay_whatever_their_height(ledger: SqlLedger) -> None:
    await ledger.record_head(a_head(1))
    soon = replace(a_head(YEARS), timestamp=a_head(1).timestamp + 86_399)
    await ledger.record_head(soon)
    assert await ledger.recent_heads(9) == [soon, a_head(1)]


async def test_a_dropped_head_goes_even_if_it_was_decided_on(ledger: SqlLedger, execute: Execute) -> None:
    await ledger.record_head(a_head(5))
    await a_decision(ledger, 5)
    await ledger.roll_back(a_head(4))
    await much_later(ledger)
    assert execute("SELECT count(*) FROM heads") == ["1"]


async def test_a_long_backlog_is_worked_off_window_by_window(ledger: SqlLedger, execute: Execute) -> None:
    blocks = 2 * pruning.WINDOW + 5
    entries = [DecisionEntry("sluice", "a", {}, None, [])]
    for block in range(blocks):
        await ledger.record_decisions(a_head(block), entries)
    left = []
    for step in range(4):
        await ledger.record_head(a_head(YEARS + step * pruning.STRIDE))
        left.append(len(await decided(ledger)))
    assert left == [blocks - pruning.WINDOW, blocks - 2 * pruning.WINDOW, 1, 1]


async def test_a_restart_goes_on_where_it_was(place: LedgerPlace) -> None:
    async with await SqlLedger.open(place, chain_id=1, genesis_hash=GENESIS, keep_blocks=KEEP) as ledger:
        for block in range(3):
            await a_decision(ledger, block)
        await much_later(ledger)
    async with await SqlLedger.open(place, chain_id=1, genesis_hash=GENESIS, keep_blocks=KEEP) as ledger:
        for block in (3, 4):  # below what was forgotten: it is not looked at again
            await a_decision(ledger, block)
        await much_later(ledger)
        assert len(await decided(ledger)) == 3
