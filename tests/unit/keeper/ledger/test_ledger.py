"""What the ledger keeps, refuses and undoes."""

import asyncio
import dataclasses
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.errors import (
    DuplicateTransactionError,
    LedgerMismatchError,
    LedgerUnavailableError,
    LedgerValueError,
)
from bot.ledger.address import LedgerAddress, LedgerPlace
from bot.ledger.store import SqlLedger
from bot.ports import DecisionEntry, Hash32, Head, Outcome, Settlement, Transaction, Verdict
from tests.support.keeper import KEEPER, a_head, a_receipt, a_signature, an_intent

GENESIS = Hash32("0x" + "00" * 32)


@pytest.fixture
async def ledger(place: LedgerPlace) -> AsyncIterator[SqlLedger]:
    async with await SqlLedger.open(place, chain_id=31337, genesis_hash=GENESIS) as opened:
        yield opened


async def submitted(ledger: SqlLedger, *nonces: int) -> list[Transaction]:
    """Return transactions that went as far as the node."""
    intents = [an_intent(key=f"key {nonce}") for nonce in nonces]
    planned = await ledger.plan(intents, KEEPER, a_head(10))
    await ledger.journal({row.id: a_signature(nonce) for row, nonce in zip(planned, nonces, strict=True)})
    return await ledger.conclude([Verdict(row.id, Outcome.SUBMITTED) for row in planned])


async def test_an_intent_comes_back_as_it_was_planned(ledger: SqlLedger) -> None:
    intent = an_intent(expected_profit=-(10**40), value=10**30, gas_limit=1_000_000)
    (row,) = await ledger.plan([intent], KEEPER, a_head(7))
    assert row.intent == intent
    assert (row.outcome, row.planned_block, row.signer, row.signed) == (Outcome.PLANNED, 7, KEEPER, None)
    assert await ledger.open_transactions(KEEPER) == [row]


async def test_amounts_beyond_64_bits_are_exact(ledger: SqlLedger) -> None:
    (row,) = await submitted(ledger, 0)
    receipt = dataclasses.replace(a_receipt(a_signature(0).hash, 11), effective_gas_price=2**70 + 1)
    (settled,) = await ledger.conclude(settlements=[Settlement(row.id, receipt, 2**90 + 1)])
    assert settled.realised_profit == 2**90 + 1
    assert settled.effective_gas_price == 2**70 + 1


async def test_what_was_journalled_survives_the_process(ledger: SqlLedger, place: LedgerPlace) -> None:
    (row,) = await ledger.plan([an_intent()], KEEPER, a_head(10))
    await ledger.journal({row.id: a_signature(3)})
    await ledger.close()
    async with await SqlLedger.open(place, chain_id=31337, genesis_hash=GENESIS) as reopened:
        (found,) = await reopened.open_transactions(KEEPER)
    assert found.outcome is Outcome.SIGNED
    assert found.signed == a_signature(3)


async def test_a_nonce_is_never_signed_twice(ledger: SqlLedger) -> None:
    await submitted(ledger, 5)
    (second,) = await ledger.plan([an_intent(key="other")], KEEPER, a_head(10))
    with pytest.raises(DuplicateTransactionError, match="nonce"):
        await ledger.journal({second.id: dataclasses.replace(a_signature(5), hash=Hash32("0x" + "ee" * 32))})


@pytest.mark.parametrize("given_up", [Outcome.REJECTED, Outcome.ABANDONED])
async def test_a_nonce_given_back_can_be_signed_again(ledger: SqlLedger, given_up: Outcome) -> None:
    (row,) = await submitted(ledger, 5)
    await ledger.conclude([Verdict(row.id, given_up)])
    (second,) = await ledger.plan([an_intent(key="other")], KEEPER, a_head(10))
    await ledger.journal({second.id: dataclasses.replace(a_signature(5), hash=Hash32("0x" + "ee" * 32))})
    assert [row.outcome for row in await ledger.transactions_with_nonce(KEEPER, 5)] == [
        given_up,
        Outcome.SIGNED,
    ]


async def test_a_key_is_never_planned_twice_while_the_first_may_land(ledger: SqlLedger) -> None:
    (row,) = await submitted(ledger, 0)
    with pytest.raises(DuplicateTransactionError, match="key 0"):
        await ledger.plan([an_intent(key="fresh"), an_intent(key="key 0")], KEEPER, a_head(11))
    assert await ledger.open_transactions() == [row]
    assert await ledger.taken_keys(["key 0", "fresh"]) == {"key 0"}
    with pytest.raises(DuplicateTransactionError, match="twin"):
        await ledger.plan([an_intent(key="twin"), an_intent(key="twin")], KEEPER, a_head(11))


async def test_a_plan_that_is_taken_back_was_never_made_and_what_was_signed_stays(ledger: SqlLedger) -> None:
    (kept,) = await submitted(ledger, 0)
    signed, planned = await ledger.plan([an_intent(key="signed"), an_intent(key="plan")], KEEPER, a_head(11))
    await ledger.journal({signed.id: a_signature(1)})
    await ledger.withdraw([kept.id, signed.id, planned.id])
    assert {row.id for row in await ledger.open_transactions()} == {kept.id, signed.id}
    assert await ledger.taken_keys(["key 0", "signed", "plan"]) == {"key 0", "signed"}
    (again,) = await ledger.plan([an_intent(key="plan")], KEEPER, a_head(12))
    await ledger.withdraw([])
    assert again in await ledger.open_transactions()


async def test_two_that_plan_one_key_at_the_same_moment_do_not_both_succeed(
    ledger: SqlLedger, place: LedgerPlace
) -> None:
    async with await SqlLedger.open(place, chain_id=31337, genesis_hash=GENESIS) as other:
        for number in range(10):
            intents = [an_intent(key=f"key {number}")]
            attempts = [opened.plan(intents, KEEPER, a_head(1)) for opened in (ledger, other, ledger, other)]
            planned = await asyncio.gather(*attempts, return_exceptions=True)
            refused = [result for result in planned if isinstance(result, DuplicateTransactionError)]
            assert len(refused) == 3
    assert len(await ledger.open_transactions()) == 10


async def test_a_key_that_reverted_may_be_tried_again(ledger: SqlLedger) -> None:
    (row,) = await submitted(ledger, 0)
    receipt = a_receipt(a_signature(0).hash, 11, succeeded=False)
    await ledger.conclude(settlements=[Settlement(row.id, receipt, None)])
    (again,) = await ledger.plan([an_intent(key="key 0")], KEEPER, a_head(12))
    assert again.outcome is Outcome.PLANNED


async def test_open_transactions_come_in_order_of_their_nonces(ledger: SqlLedger) -> None:
    await submitted(ledger, 8, 7, 9)
    rows = await ledger.open_transactions(KEEPER)
    assert [row.signed.nonce for row in rows if row.signed] == [7, 8, 9]


async def test_a_replacement_takes_the_nonce_over(ledger: SqlLedger) -> None:
    (old,) = await submitted(ledger, 4)
    dearer = dataclasses.replace(a_signature(4), hash=Hash32("0x" + "dd" * 32), max_fee_per_gas=10**12)
    new = await ledger.replace(old.id, dearer)
    assert new.intent == old.intent
    assert (new.outcome, new.signed) == (Outcome.SIGNED, dearer)
    rows = await ledger.transactions_with_nonce(KEEPER, 4)
    assert [row.outcome for row in rows] == [Outcome.REPLACED, Outcome.SIGNED]


async def test_the_cheaper_of_two_rivals_may_be_the_one_that_lands(ledger: SqlLedger) -> None:
    (old,) = await submitted(ledger, 4)
    new = await ledger.replace(old.id, dataclasses.replace(a_signature(4), hash=Hash32("0x" + "dd" * 32)))
    landed = Settlement(old.id, a_receipt(a_signature(4).hash, 11), 1)
    await ledger.conclude([Verdict(new.id, Outcome.DROPPED, block_number=11)], [landed])
    rows = await ledger.transactions_with_nonce(KEEPER, 4)
    assert [row.outcome for row in rows] == [Outcome.INCLUDED, Outcome.DROPPED]
    await ledger.roll_back(a_head(10))
    rows = await ledger.transactions_with_nonce(KEEPER, 4)
    assert [row.outcome for row in rows] == [Outcome.SUBMITTED, Outcome.REPLACED]


async def test_a_reorg_opens_what_it_undid_and_nothing_below(ledger: SqlLedger) -> None:
    low, high = await submitted(ledger, 0, 1)
    await ledger.conclude(
        settlements=[
            Settlement(low.id, a_receipt(a_signature(0).hash, 11), 5),
            Settlement(high.id, a_receipt(a_signature(1).hash, 12), 6),
        ]
    )
    (undone,) = await ledger.roll_back(a_head(11))
    assert undone == high
    assert await ledger.open_transactions(KEEPER) == [high]


async def test_heads_above_a_reorg_are_void_until_they_return(ledger: SqlLedger) -> None:
    assert await ledger.recent_heads(5) == []
    for number in (10, 11, 12):
        await ledger.record_head(a_head(number))
    assert await ledger.recent_heads(2) == [a_head(12), a_head(11)]
    await ledger.roll_back(a_head(10))
    assert await ledger.recent_heads(5) == [a_head(10)]
    await ledger.record_head(a_head(11, branch=1))
    assert await ledger.recent_heads(1) == [a_head(11, branch=1)]
    await ledger.roll_back(a_head(10))
    await ledger.record_head(a_head(11))
    assert await ledger.recent_heads(5) == [a_head(11), a_head(10)]


async def test_a_decision_keeps_every_rejected_candidate_with_its_reason(ledger: SqlLedger) -> None:
    entry = DecisionEntry(
        protocol="sluice",
        account="0xabc",
        inputs={"debt": 2**80, "head": a_head(3), "data": b"\x01\x02"},
        chosen=None,
        rejected=[{"route": Outcome.DRY_RUN, "reason": "profit 1 below 2", "profit": -1}],
    )
    (identifier,) = await ledger.record_decisions(a_head(9), [entry])
    (record,) = await ledger.recent_decisions(5)
    assert (record.id, record.block_number, record.block_hash) == (identifier, 9, a_head(9).hash)
    assert record.decision.inputs["debt"] == str(2**80)
    assert record.decision.inputs["data"] == "0x0102"
    assert record.decision.inputs["head"]["number"] == 3
    assert record.decision.chosen is None
    assert record.decision.rejected == [{"route": "dry_run", "reason": "profit 1 below 2", "profit": -1}]


async def test_a_reader_sees_what_is_written_and_writes_nothing(
    ledger: SqlLedger, place: LedgerPlace
) -> None:
    await submitted(ledger, 0)
    async with await SqlLedger.open_to_read(place) as reader:
        (row,) = await reader.recent_transactions(10)
        assert row.outcome is Outcome.SUBMITTED
        with pytest.raises(LedgerUnavailableError, match=r"read-?only"):
            await reader.record_head(a_head(1))


@pytest.mark.parametrize(("chain_id", "genesis"), [(1, GENESIS), (31337, Hash32("0x" + "11" * 32))])
async def test_a_ledger_of_another_chain_is_refused(
    ledger: SqlLedger, place: LedgerPlace, chain_id: int, genesis: Hash32
) -> None:
    await ledger.close()
    with pytest.raises(LedgerMismatchError, match=f"31337.*this run wants {chain_id}, genesis {genesis}"):
        await SqlLedger.open(place, chain_id=chain_id, genesis_hash=genesis)


@pytest.fixture
def no_database(path: Path) -> Path:
    path.write_text("not a database, but long enough to be read as one" * 100)
    return path


async def test_a_file_that_is_no_database_is_named(no_database: Path) -> None:
    with pytest.raises(LedgerUnavailableError, match="not a database"):
        await SqlLedger.open(no_database, chain_id=31337, genesis_hash=GENESIS)


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerUnavailableError, match="file"):
        await SqlLedger.open(tmp_path / "file" / "ledger.sqlite", chain_id=1, genesis_hash=GENESIS)


async def test_reading_a_ledger_that_is_not_there_makes_none(path: Path) -> None:
    with pytest.raises(LedgerUnavailableError, match="no such file"):
        await SqlLedger.open_to_read(path)
    assert os.listdir(path.parent) == []


async def test_commits_are_synced_to_the_disk(ledger: SqlLedger, backend: str) -> None:
    wanted = {
        "sqlite": {"PRAGMA journal_mode": "wal", "PRAGMA synchronous": 2},
        "postgresql": {"SHOW synchronous_commit": "on"},
    }
    async with ledger._database.writing() as connection:
        for question, answer in wanted[backend].items():
            assert (await connection.exec_driver_sql(question)).scalar() == answer


async def test_decisions_wait_for_the_disk_with_the_plan_that_rests_on_them(
    ledger: SqlLedger, backend: str
) -> None:
    questions = {
        "sqlite": ("PRAGMA synchronous", 1, 2),
        "postgresql": ("SHOW synchronous_commit", "off", "on"),
    }
    question, lax, strict = questions[backend]
    async with ledger._database.noting() as connection:
        assert (await connection.exec_driver_sql(question)).scalar() == lax
    async with ledger._database.writing() as connection:
        assert (await connection.exec_driver_sql(question)).scalar() == strict


async def test_words_that_a_database_does_not_take_are_replaced(ledger: SqlLedger) -> None:
    (row,) = await submitted(ledger, 0)
    (judged,) = await ledger.conclude([Verdict(row.id, Outcome.REJECTED, "no\0good \ud800!")])
    assert judged.reason == "no\N{REPLACEMENT CHARACTER}good ?!"


@pytest.mark.parametrize("block", [2**63, 2**200])
async def test_a_number_that_no_column_holds_is_refused(ledger: SqlLedger, block: int) -> None:
    (row,) = await submitted(ledger, 0)
    with pytest.raises(LedgerValueError, match="cannot hold"):
        await ledger.conclude([Verdict(row.id, Outcome.DROPPED, block_number=block)])
    (row,) = await ledger.open_transactions()
    assert row.outcome is Outcome.SUBMITTED


async def test_a_database_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    address = LedgerAddress.parse(f"postgresql://keeper:swordfish@/ledger?host={tmp_path}")
    with pytest.raises(LedgerUnavailableError, match=str(tmp_path)) as refusal:
        await SqlLedger.open(address, chain_id=1, genesis_hash=GENESIS)
    assert "swordfish" not in str(refusal.value)


async def test_an_unserialisable_decision_is_refused_whole(ledger: SqlLedger) -> None:
    good = DecisionEntry("sluice", "a", {}, None, [])
    bad = DecisionEntry("sluice", "b", {"x": object()}, None, [])
    with pytest.raises(TypeError, match="no rule to write"):
        await ledger.record_decisions(a_head(1), [good, bad])
    assert await ledger.recent_decisions(5) == []


def test_heads_are_built_as_a_chain() -> None:
    head: Head = a_head(5)
    assert head.parent_hash == a_head(4).hash
