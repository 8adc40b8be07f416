"""What the ledger tells execution about the past: rivals, what was spent, failures, halts."""

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import LedgerUnavailableError
from bot.execution.pressing import cancellation
from bot.ledger import landing, store
from bot.ledger.address import LedgerPlace
from bot.ledger.direct import Question
from bot.ledger.landing import SqlLandingMemory
from bot.ledger.store import SqlLedger
from bot.ports import Hash32, Lane, Moved, Outcome, Settlement, Signed, Terms, Verdict
from tests.support.keeper import ENGINE, KEEPER, a_hash, a_head, a_receipt, a_signature, an_intent

GENESIS = Hash32("0x" + "00" * 32)
MOVES = (Moved("WETH", 10**45, "USDC"), Moved("WBTC", 7, "USDC"), Moved('a "symbol"', 0, ""))
TERMS = Terms(Lane.HOUSEKEEPING, worth=10**40, deadline=1_700_000_000, moves=MOVES)


@pytest.fixture
async def ledger(place: LedgerPlace) -> AsyncIterator[SqlLedger]:
    async with await SqlLedger.open(place, chain_id=31337, genesis_hash=GENESIS) as opened:
        yield opened


@pytest.fixture
def memory(ledger: SqlLedger) -> SqlLandingMemory:
    return ledger.landing


def dearer(signed: Signed) -> Signed:
    return replace(signed, hash=Hash32("0x" + "cd" * 32), raw=b"\x02dear", max_fee_per_gas=10**30)


async def sent(ledger: SqlLedger, nonce: int, account: str = "0xborrower", terms: Terms = TERMS) -> int:
    intent = replace(an_intent(f"key {nonce}", account), terms=terms)
    (row,) = await ledger.plan([intent], KEEPER, a_head(1))
    await ledger.journal({row.id: a_signature(nonce)})
    return row.id


async def settled(
    ledger: SqlLedger, nonce: int, block: int, *, succeeded: bool = True, profit: int | None = 5
) -> int:
    row = await sent(ledger, nonce)
    receipt = a_receipt(a_signature(nonce).hash, block, succeeded=succeeded)
    await ledger.conclude([], [Settlement(row, receipt, profit)])
    return row


async def test_terms_come_back_as_they_were_given(ledger: SqlLedger) -> None:
    await sent(ledger, 5)
    (row,) = await ledger.open_transactions()
    assert row.intent.terms == TERMS


async def test_rivals_are_all_that_was_signed_with_a_nonce_and_is_not_open(
    ledger: SqlLedger, memory: SqlLandingMemory
) -> None:
    first = await sent(ledger, 5)
    await sent(ledger, 6)
    assert await memory.rivals(KEEPER, [5, 6]) == []
    await ledger.replace(first, dearer(a_signature(5)))
    assert [row.id for row in await memory.rivals(KEEPER, [5, 6])] == [first]
    assert await memory.rivals(KEEPER, [6]) == []
    assert await memory.rivals(ENGINE, [5]) == []
    assert await memory.rivals(KEEPER, []) == []


async def test_what_was_given_up_is_found_until_its_nonce_has_another_holder(
    ledger: SqlLedger, memory: SqlLandingMemory
) -> None:
    refused, abandoned, landed = [await sent(ledger, nonce) for nonce in (1, 2, 3)]
    await ledger.conclude(
        [Verdict(refused, Outcome.REJECTED, "full"), Verdict(abandoned, Outcome.ABANDONED, "stale")],
        [Settlement(landed, a_receipt(a_signature(3).hash, 5), 1)],
    )
    (planned,) = await ledger.plan([an_intent("never signed")], KEEPER, a_head(1))
    await ledger.conclude([Verdict(planned.id, Outcome.ABANDONED)])
    assert [row.id for row in await memory.given_up(KEEPER, 1)] == [refused, abandoned]
    assert await memory.given_up(KEEPER, 2) == [], "planned at height 1"
    assert await memory.given_up(ENGINE, 1) == []
    (other,) = await ledger.plan([an_intent("other")], KEEPER, a_head(1))
    await ledger.journal({other.id: replace(dearer(a_signature(1)), nonce=1)})
    assert [row.id for row in await memory.given_up(KEEPER, 1)] == [abandoned]


async def test_blocks_of_settlements_and_the_nonce_after_them_are_told(
    ledger: SqlLedger, memory: SqlLandingMemory
) -> None:
    assert await memory.settled_blocks(0) == []
    assert await memory.next_nonce(KEEPER) == 0
    await settled(ledger, 7, 10)
    await settled(ledger, 9, 12, succeeded=False)
    await settled(ledger, 8, 12)
    dropped = await sent(ledger, 11)
    await ledger.conclude([Verdict(dropped, Outcome.DROPPED, "another", 13)])
    await sent(ledger, 12)
    assert sorted(await memory.settled_blocks(9)) == [(10, a_hash(10)), (12, a_hash(12))]
    assert await memory.settled_blocks(10) == [(12, a_hash(12))]
    assert (await memory.next_nonce(KEEPER), await memory.next_nonce(ENGINE)) == (10, 0)
    await ledger.roll_back(a_head(11))
    assert await memory.settled_blocks(9) == [(10, a_hash(10))]
    assert await memory.next_nonce(KEEPER) == 8


async def test_a_replacement_may_be_for_something_else(ledger: SqlLedger) -> None:
    first = await sent(ledger, 5)
    other = replace(
        an_intent("cancel", value=0, data=b""), call=replace(an_intent().call, to=KEEPER, data=b"")
    )
    row = await ledger.replace(first, dearer(a_signature(5)), other)
    assert row.intent == other
    assert (row.cancels, row.outcome, row.planned_block) == (True, Outcome.SIGNED, 1)
    assert await ledger.taken_keys(["key 5", "cancel"]) == {"cancel"}


async def test_what_was_spent_is_counted_from_the_last_head_before(
    ledger: SqlLedger, memory: SqlLandingMemory
) -> None:
    for number in (10, 13, 20):
        await ledger.record_head(a_head(number))
    for nonce, block in enumerate((10, 12, 14, 20)):
        await settled(ledger, nonce, block, succeeded=block != 14)
    spent = await memory.spent_since(a_head(13).timestamp)
    assert [(item.block_number, item.succeeded) for item in spent] == [(14, False), (20, True)]
    assert [item.moves for item in spent] == [(), MOVES], "what reverted moved nothing"
    assert spent[1].gas_cost == 90_000 * 2 * 10**9
    assert spent[1].realised_profit == 5
    blocks = [item.block_number for item in await memory.spent_since(a_head(12).timestamp)]
    assert blocks == [12, 14, 20], "rather more than less: head 12 was never seen, 10 was"
    assert len(await memory.spent_since(0)) == 4


async def test_what_a_reorg_undid_was_not_spent(ledger: SqlLedger, memory: SqlLandingMemory) -> None:
    await ledger.record_head(a_head(10))
    await settled(ledger, 1, 11)
    await ledger.roll_back(a_head(10))
    assert await memory.spent_since(0) == []


async def test_failures_count_back_to_the_last_success(ledger: SqlLedger, memory: SqlLandingMemory) -> None:
    assert await memory.failures_in_a_row() == 0
    for nonce, (block, succeeded) in enumerate(
        [(10, False), (11, True), (12, False), (12, False), (13, False)]
    ):
        await settled(ledger, nonce, block, succeeded=succeeded)
    assert await memory.failures_in_a_row() == 3


async def test_failures_count_anew_from_a_resumption(ledger: SqlLedger, memory: SqlLandingMemory) -> None:
    await settled(ledger, 1, 10, succeeded=False)
    await ledger.record_head(a_head(10))
    await memory.note_halt(halted=True, source="operator", reason="look")
    assert await memory.failures_in_a_row() == 1
    await memory.note_halt(halted=False, source="operator", reason="seen")
    assert await memory.failures_in_a_row() == 0
    await settled(ledger, 2, 11, succeeded=False)
    assert await memory.failures_in_a_row() == 1


async def test_failures_on_heads_that_were_never_recorded_are_behind_a_resumption_too(
    ledger: SqlLedger, memory: SqlLandingMemory
) -> None:
    await ledger.record_head(a_head(8))
    await settled(ledger, 1, 10, succeeded=False)
    await memory.note_halt(halted=True, source="operator", reason="look")
    resumed = await memory.note_halt(halted=False, source="operator", reason="seen")
    assert resumed.block_number == 10
    assert await memory.failures_in_a_row() == 0
    await settled(ledger, 2, 11, succeeded=False)
    assert await memory.failures_in_a_row() == 1


async def test_what_was_dropped_or_is_open_is_neither_failure_nor_success(
    ledger: SqlLedger, memory: SqlLandingMemory
) -> None:
    await settled(ledger, 1, 10, succeeded=False)
    dropped = await sent(ledger, 2)
    await ledger.conclude([Verdict(dropped, Outcome.DROPPED, "another", 11)])
    await sent(ledger, 3)
    assert await memory.failures_in_a_row() == 1
    assert len(await memory.spent_since(0)) == 1


async def test_a_cancel_between_two_failures_does_not_end_their_row(
    ledger: SqlLedger, memory: SqlLandingMemory
) -> None:
    await settled(ledger, 1, 10, succeeded=False)
    row = await sent(ledger, 2)
    (open_row,) = await ledger.open_transactions()
    cancel = await ledger.replace(row, dearer(a_signature(2)), cancellation(open_row, KEEPER, a_head(1)))
    assert cancel.signed is not None
    await ledger.conclude([], [Settlement(cancel.id, a_receipt(cancel.signed.hash, 11), None)])
    await settled(ledger, 3, 12, succeeded=False)
    assert await memory.failures_in_a_row() == 2


async def test_halts_are_kept_with_their_reasons(ledger: SqlLedger, memory: SqlLandingMemory) -> None:
    assert await memory.last_halt() is None
    first = await memory.note_halt(halted=True, source="operator", reason="strange\0prices")
    assert (first.halted, first.block_number) == (True, None)
    assert "strange" in first.reason
    await ledger.record_head(a_head(7))
    second = await memory.note_halt(halted=False, source="operator", reason="understood")
    assert await memory.last_halt() == second
    assert (second.halted, second.block_number, second.id > first.id) == (False, 7, True)


async def test_an_operator_may_halt_beside_a_keeper_that_holds_the_lease(
    ledger: SqlLedger, memory: SqlLandingMemory, place: LedgerPlace
) -> None:
    lease = ledger.lease(["1:sluice:keeper"], 5.0)
    assert await lease.hold() is not None
    async with await SqlLedger.open_to_amend(place) as beside:
        await beside.landing.note_halt(halted=True, source="operator", reason="by hand")
    note = await memory.last_halt()
    assert note is not None
    assert note.reason == "by hand"
    await lease.release()


async def test_a_ledger_that_is_not_there_is_not_made_by_an_operators_word(tmp_path: Path) -> None:
    missing = tmp_path / "none.sqlite"
    with pytest.raises(LedgerUnavailableError, match="no such file"):
        await SqlLedger.open_to_amend(missing)
    assert not missing.exists()


async def test_no_statement_of_a_head_reads_all_history(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    async with await SqlLedger.open(path, chain_id=31337, genesis_hash=GENESIS):
        pass
    values = {"signer": KEEPER, "since": 5, "most": 32, "keys": ["a"]}
    asked = [value for module in (landing, store) for value in vars(module).values()]
    questions = [value for value in asked if isinstance(value, Question)]
    assert len(questions) > 5
    with sqlite3.connect(path) as database:
        for question in questions:
            sql, given = question._written(values)
            steps = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", given)]
            assert "SCAN transactions" not in steps, sql
            settled = "= 'included'" in sql or "included" in given
            assert not (settled and any("ix_transactions_outcome" in step for step in steps)), (sql, steps)
    database.close()
