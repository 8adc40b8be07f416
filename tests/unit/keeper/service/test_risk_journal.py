"""The daemon's memory of forecasts: what it writes on a head, and how it starts again."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.domain.volatility import Limits, LiveCovariance
from bot.errors import ConfigFileError
from bot.forecasting import RiskSettings, warm_files, warmed
from bot.journals import RiskJournal, entry_of
from bot.ledger.store import SqlLedger
from bot.ports import Hash32, Head
from bot.strategy.decide import decide
from bot.strategy.outlook import OutlookSettings, outlook_of
from bot.strategy.predictions import Fate, PredictionSettings
from bot.strategy.settings import StrategySettings
from tests.support.keeper import a_head
from tests.support.snapshots import Scene

GENESIS = Hash32("0x" + "00" * 32)
SETTINGS = PredictionSettings(interval_blocks=10, longest_gap=400)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    path = tmp_path / "ledger.sqlite"
    async with await SqlLedger.open(path, chain_id=31337, genesis_hash=GENESIS) as opened:
        yield opened


def scene(price: float = 200.0) -> Scene:
    made = Scene()
    made.prices["WETH"] = price
    made.account({"WETH": 100}, {"USDC": 15_800})
    return made


async def act(journal: RiskJournal, head: Head, shot: Scene) -> None:
    covariance = LiveCovariance.fresh(3).after(0, head.timestamp, 200.0)
    snapshot = replace(shot.shoot(), covariance=covariance, block=head.number, timestamp=head.timestamp)
    await journal.record(head, snapshot, outlook_of(snapshot, OutlookSettings(), 0.02))


async def test_predictions_are_made_and_answered(ledger: SqlLedger) -> None:
    journal = RiskJournal("sluice", ledger.risk, SETTINGS)
    for number in range(5, 32):
        await act(journal, a_head(number), scene(200.0 if number < 25 else 180.0))
    records = await ledger.risk.predictions(99)
    assert [record.prediction.block for record in records] == [20, 10]
    assert {record.fates.liquidatable for record in records} == {Fate.HAPPENED}


async def test_a_restart_goes_on_with_what_was_open(ledger: SqlLedger) -> None:
    await act(RiskJournal("sluice", ledger.risk, SETTINGS), a_head(10), scene())
    await ledger.record_head(a_head(10))
    await act(RiskJournal("sluice", ledger.risk, SETTINGS), a_head(320), scene())
    records = await ledger.risk.predictions(99)
    assert [record.fates.liquidatable for record in records] == [Fate.PENDING, Fate.DID_NOT]


async def test_what_happened_while_it_was_down_for_long_is_unknown(ledger: SqlLedger) -> None:
    await act(RiskJournal("sluice", ledger.risk, SETTINGS), a_head(10), scene())
    await ledger.record_head(a_head(10))
    await act(RiskJournal("sluice", ledger.risk, SETTINGS), a_head(501), scene(180.0))
    (record,) = await ledger.risk.predictions(99)
    assert record.fates.liquidatable is Fate.UNSEEN


async def test_a_reorg_opens_the_answer_again(ledger: SqlLedger) -> None:
    journal = RiskJournal("sluice", ledger.risk, SETTINGS)
    await act(journal, a_head(10), scene())
    await act(journal, a_head(11), scene(180.0))
    await journal.roll_back(a_head(10))
    await act(journal, a_head(11, branch=1), scene())
    (record,) = await ledger.risk.predictions(99)
    assert record.fates.liquidatable is Fate.PENDING
    await act(journal, a_head(12, branch=1), scene(180.0))
    (record,) = await ledger.risk.predictions(99)
    assert record.fates.liquidatable is Fate.HAPPENED


async def test_checkpoints_are_kept_at_the_interval_and_come_back(ledger: SqlLedger) -> None:
    journal = RiskJournal("sluice", ledger.risk, SETTINGS, checkpoint_interval=4)
    for number in range(1, 11):
        await act(journal, a_head(number), scene())
    kept = await ledger.risk.checkpoints("sluice")
    assert [item.block_number for item in kept] == [9, 5, 1]
    expected = LiveCovariance.fresh(3).after(0, a_head(9).timestamp, 200.0)
    assert LiveCovariance.restored(kept[0].state) == expected


async def test_without_an_estimate_nothing_is_written(ledger: SqlLedger) -> None:
    await RiskJournal("sluice", ledger.risk, SETTINGS).record(a_head(10), scene().shoot(), None)
    assert await ledger.risk.predictions(9) == []
    assert await ledger.risk.checkpoints("sluice") == []


def test_a_decision_is_kept_with_its_outlook_and_no_infinity() -> None:
    made = Scene()
    made.account({"WETH": 100}, {"USDC": 18_000})
    settings = StrategySettings(priority_fee=0)
    (bare,) = decide(made.shoot(), settings).decisions
    assert entry_of("sluice", bare).inputs["outlook"] is None
    snapshot = replace(made.shoot(), covariance=LiveCovariance.fresh(3))
    (decision,) = decide(snapshot, settings).decisions
    assert decision.outlook is not None
    kept = entry_of("sluice", decision).inputs["outlook"]
    assert kept == decision.outlook._asdict()
    endless = replace(decision, outlook=decision.outlook._replace(distance=-float("inf")))
    outlook = entry_of("sluice", endless).inputs["outlook"]
    assert isinstance(outlook, dict)
    assert outlook["distance"] is None


# ------------------------------------------------------------------------------ warm start

ROWS = "ts,open,high,low,close\n" + "".join(
    f"{1_600_000_000 + 60 * k},100,102,99,{100 + k % 2}\n" for k in range(200)
)


def test_closes_are_learnt_at_the_end_of_their_bar_and_none_from_the_future(tmp_path: Path) -> None:
    (tmp_path / "WETH.csv").write_text(ROWS)
    fresh = LiveCovariance.fresh(2)
    until = 1_600_000_000 + 6_030
    state = warmed(fresh, warm_files(tmp_path, ["WETH", "USDC"]), until)
    assert state.times.tolist() == [1_600_000_000 + 6_000, -1]
    limits = Limits([0.0, 0.0], [0.8, 0.01], 99.0, 4_200.0)  # type: ignore[arg-type]
    assert state.estimate(until, limits).volatilities[0] > 2.0


def test_a_folder_without_a_file_for_any_asset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match=r"WETH\.csv, USDC\.csv"):
        warm_files(tmp_path, ["WETH", "USDC"])


def test_the_history_takes_what_a_feed_would_have_published_and_outlives_the_ledger(tmp_path: Path) -> None:
    (tmp_path / "WETH.csv").write_text(ROWS)
    fresh = RiskSettings().fresh(2)
    until = 1_600_000_000 + 6_030
    state = warmed(fresh, warm_files(tmp_path, ["WETH", "USDC"]), until)
    assert state.history is not None
    assert until - 60 <= state.history.times[0] < until
    bars = np.exp(state.history.closed.logs()[1:, :, 0])
    assert bars[:, 0] == pytest.approx(99.0, rel=1e-6)
    assert bars[:, 1] == pytest.approx(102.0, rel=1e-6)
    assert LiveCovariance.restored(json.loads(json.dumps(state.plain()))) == state
    assert not LiveCovariance.fresh(2).fits(state)


def test_bars_are_as_long_as_those_of_the_price_files_at_least() -> None:
    assert RiskSettings().fresh(1).history.bar == 300  # type: ignore[union-attr]
    assert RiskSettings().fresh(1, 3_600).history.bar == 3_600  # type: ignore[union-attr]
    assert RiskSettings(bar_s=600, refit_s=60).fresh(1, 300).history.refit == 1  # type: ignore[union-attr]
