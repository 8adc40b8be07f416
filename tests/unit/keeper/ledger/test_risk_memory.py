"""What the ledger remembers of forecasts, and what a reorg takes from it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.ledger.address import LedgerPlace
from bot.ledger.risk import CHECKPOINTS_KEPT, SqlRiskMemory
from bot.ledger.store import SqlLedger
from bot.ports import Checkpoint, Hash32
from bot.strategy.predictions import Fate, Fates, Prediction, Watched
from tests.support.keeper import a_hash, a_head

GENESIS = Hash32("0x" + "00" * 32)


@pytest.fixture
async def ledger(place: LedgerPlace) -> AsyncIterator[SqlLedger]:
    async with await SqlLedger.open(place, chain_id=31337, genesis_hash=GENESIS) as opened:
        yield opened


@pytest.fixture
def memory(ledger: SqlLedger) -> SqlRiskMemory:
    return ledger.risk


def a_prediction(block: int = 10, account: int = 1) -> Prediction:
    health = 1.01 + account / 7
    return Prediction(account.to_bytes(20), block, 1_600_000_000, 3_600, health, 1.3, 0.1, 1e-12, "ab")


async def test_a_prediction_comes_back_as_it_was_made(memory: SqlRiskMemory) -> None:
    made = [a_prediction(account=1), a_prediction(account=2)]
    ids = await memory.record_predictions("sluice", a_head(10), made, keep=100)
    assert await memory.open_predictions("sluice") == [
        Watched(id_, prediction) for id_, prediction in zip(ids, made, strict=True)
    ]
    assert [record.prediction for record in await memory.predictions(9)] == made[::-1]
    assert await memory.open_predictions("aave") == []
    assert await memory.record_predictions("sluice", a_head(10), [], keep=100) == []


async def test_each_part_settles_once_and_a_settled_prediction_is_not_open(memory: SqlRiskMemory) -> None:
    (id_,) = await memory.record_predictions("sluice", a_head(10), [a_prediction()], keep=100)
    await memory.settle_predictions(a_head(11), {id_: Fates(Fate.HAPPENED, Fate.PENDING)})
    (open_,) = await memory.open_predictions("sluice")
    assert open_.fates == Fates(Fate.HAPPENED, Fate.PENDING)
    await memory.settle_predictions(a_head(12), {id_: Fates(Fate.HAPPENED, Fate.CHANGED)})
    assert await memory.open_predictions("sluice") == []
    (record,) = await memory.predictions(1)
    assert record.fates == Fates(Fate.HAPPENED, Fate.CHANGED)


async def test_a_reorg_opens_what_it_undid_and_forgets_what_was_made_on_it(memory: SqlRiskMemory) -> None:
    (old,) = await memory.record_predictions("sluice", a_head(10), [a_prediction()], keep=100)
    await memory.settle_predictions(a_head(11), {old: Fates(Fate.HAPPENED, Fate.PENDING)})
    await memory.record_predictions("sluice", a_head(12), [a_prediction(12)], keep=100)
    await memory.settle_predictions(a_head(13), {old: Fates(Fate.HAPPENED, Fate.DID_NOT)})
    await memory.save_checkpoint("sluice", Checkpoint(12, a_hash(12), {"a": 1.5}))
    await memory.forget_above(a_head(11))
    (left,) = await memory.predictions(9)
    assert left.fates == Fates(Fate.HAPPENED, Fate.PENDING)
    assert await memory.checkpoints("sluice") == []
    await memory.forget_above(a_head(10))
    (left,) = await memory.predictions(9)
    assert left.fates == Fates()


async def test_only_the_newest_predictions_are_kept(memory: SqlRiskMemory) -> None:
    for block in range(10, 20):
        pair = [a_prediction(block, 1), a_prediction(block, 2)]
        await memory.record_predictions("sluice", a_head(block), pair, keep=5)
    assert [record.prediction.block for record in await memory.predictions(99)] == [19, 19, 18, 18, 17]


async def test_checkpoints_come_back_exact_and_newest_first(memory: SqlRiskMemory) -> None:
    for number in range(1, CHECKPOINTS_KEPT + 4):
        checkpoint = Checkpoint(number, a_hash(number), {"sums": [[0.1 + 0.2, 1e-300]]})
        await memory.save_checkpoint("sluice", checkpoint)
        await memory.save_checkpoint("sluice", checkpoint)
    await memory.save_checkpoint("other", Checkpoint(99, a_hash(99), {}))
    found = await memory.checkpoints("sluice")
    assert [item.block_number for item in found] == list(range(CHECKPOINTS_KEPT + 3, 3, -1))
    assert found[0].state == {"sums": [[0.1 + 0.2, 1e-300]]}


async def test_the_last_height_is_that_of_a_head_that_stands(ledger: SqlLedger) -> None:
    assert await ledger.risk.last_height() is None
    for number in (5, 6, 7):
        await ledger.record_head(a_head(number))
    assert await ledger.risk.last_height() == 7
    await ledger.roll_back(a_head(5))
    assert await ledger.risk.last_height() == 5


async def test_a_reader_sees_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    async with await SqlLedger.open(path, chain_id=1, genesis_hash=GENESIS) as writer:
        await writer.risk.record_predictions("sluice", a_head(3), [a_prediction(3)], keep=9)
        async with await SqlLedger.open_to_read(path) as reader:
            (record,) = await reader.risk.predictions(9)
    assert record.prediction == replace(a_prediction(3))
