"""``sluice risk report``: calibration from a ledger, or a plain word where there is too little."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from bot.cli.main import app
from bot.cli.risk import answers
from bot.domain import scoring
from bot.ledger.store import SqlLedger
from bot.ports import Hash32, PredictionRecord
from bot.strategy.predictions import Fate, Fates, Prediction
from tests.support.keeper import a_head

GENESIS = Hash32("0x" + "00" * 32)


def a_prediction(index: int, probability: float, health: float) -> Prediction:
    account = index.to_bytes(20)
    return Prediction(account, 10, 1_600_000_000, 3_600, health, 1.3, probability, 0.0, "ab")


def made(count: int) -> dict[Prediction, Fates]:
    """Return calibrated predictions, every seventh without an answer."""
    random = Random(7)
    found = {}
    for index in range(count):
        probability = random.random()
        fell = Fate.HAPPENED if random.random() < probability else Fate.DID_NOT
        fates = Fates(fell if index % 7 else Fate.CHANGED, Fate.PENDING)
        found[a_prediction(index, probability, 1.0 + 0.01 * (index % 15))] = fates
    return found


def write(path: Path, predictions: dict[Prediction, Fates]) -> None:
    async def writing() -> None:
        async with await SqlLedger.open(path, chain_id=1, genesis_hash=GENESIS) as ledger:
            ids = await ledger.risk.record_predictions("sluice", a_head(10), list(predictions), 10**6)
            fates = dict(zip(ids, predictions.values(), strict=True))
            await ledger.risk.settle_predictions(a_head(400), fates)

    asyncio.run(writing())


def report(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        app(["risk", "report", *map(str, arguments)], prog_name="sluice")
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_scores_are_those_of_the_answered_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predictions = made(700)
    write(tmp_path / "ledger.sqlite", predictions)
    status, said, _ = report(capsys, "--ledger", tmp_path / "ledger.sqlite")
    assert status == 0
    assert "600 answered, 0 pending, 100 without an answer" in said
    known = [(p.liquidatable, f.liquidatable is Fate.HAPPENED) for p, f in predictions.items()]
    kept = [pair for pair, f in zip(known, predictions.values(), strict=True) if Fate.CHANGED not in f]
    p, y = ([pair[0] for pair in kept], [float(pair[1]) for pair in kept])
    overall = next(line for line in said.splitlines() if line.split()[:1] == ["all"])
    for score in (scoring.brier(p, y), scoring.log_loss(p, y), scoring.expected_calibration_error(p, y, 10)):
        assert f"{score:.4f}" in overall
    assert "[1.02, 1.05)" in said
    assert "0.9 to 1.0" in said
    assert "insolvency within the horizon: 0 answered, 700 pending" in said


def test_too_little_is_told_and_not_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "ledger.sqlite", made(20))
    status, said, _ = report(capsys, "--ledger", tmp_path / "ledger.sqlite")
    assert status == 0
    assert "too little to judge" in said
    assert "Brier" not in said


def test_the_plot_is_a_png(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "ledger.sqlite", made(200))
    picture = tmp_path / "plot.png"
    status, _, _ = report(capsys, "--ledger", tmp_path / "ledger.sqlite", "--plot", picture)
    assert status == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_ledger_that_is_not_there_is_an_error_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, error = report(capsys, "--ledger", tmp_path / "none.sqlite")
    assert status == 1
    assert "there is no such file" in error


def test_what_is_pending_or_void_is_counted_apart() -> None:
    fates = (Fate.HAPPENED, Fate.DID_NOT, Fate.PENDING, Fate.CHANGED, Fate.UNSEEN)
    records = [
        PredictionRecord(index, "sluice", a_prediction(index, 0.5, 1.1), Fates(fate, fate))
        for index, fate in enumerate(fates)
    ]
    found = answers(records, "insolvency", lambda record: record.prediction.insolvency)
    assert (len(found), found.pending, found.void) == (2, 1, 2)
    assert found.happened.tolist() == [1.0, 0.0]
