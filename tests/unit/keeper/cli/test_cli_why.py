"""``sluice why``: a decision and its transaction, read back from a ledger."""

import asyncio
import dataclasses
import json
from pathlib import Path

import pytest
from eth_utils.address import to_checksum_address

from bot.cli.main import app
from bot.cli.why import checksummed
from bot.domain.wad import WAD
from bot.errors import InvalidInputError
from bot.journals import entry_of
from bot.ledger.store import SqlLedger
from bot.ports import Hash32, Head, Outcome, Settlement, Verdict
from bot.strategy.decide import decide
from bot.strategy.settings import StrategySettings
from tests.support.keeper import KEEPER, a_head, a_receipt, a_signature, an_intent
from tests.support.manifests import manifest
from tests.support.snapshots import Scene, pool_at

ACCOUNT = to_checksum_address((0).to_bytes(20))
STRANGER = to_checksum_address(b"\xee" * 20)
WAITED, ACTED = a_head(10), a_head(20)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        app(["why", *arguments], prog_name="sluice")
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def scene(pool_price: float) -> Scene:
    found = Scene(pools=[pool_at(pool_price, 20e6)])
    found.auction(found.account({"WETH": 100}, {"USDC": 17_000}), ["WETH"], age=600)
    return found


async def decided(ledger: SqlLedger, head: Head, pool_price: float) -> int:
    (decision,) = decide(scene(pool_price).shoot(), StrategySettings()).decisions
    (row,) = await ledger.record_decisions(head, [entry_of("sluice", decision)])
    await ledger.record_head(head)
    return row


async def fill(path: Path) -> None:
    """Write a decision that waited at block 10, and one that acted at block 20 and landed."""
    async with await SqlLedger.open(path, chain_id=31337, genesis_hash=Hash32("0x" + "00" * 32)) as ledger:
        await decided(ledger, WAITED, 150)
        row = await decided(ledger, ACTED, 200)
        intent = dataclasses.replace(
            an_intent(account=ACCOUNT, expected_profit=12 * WAD), decision_id=row, protocol="sluice"
        )
        (planned,) = await ledger.plan([intent], KEEPER, ACTED)
        await ledger.journal({planned.id: a_signature(3)})
        await ledger.conclude([Verdict(planned.id, Outcome.SUBMITTED)])
        receipt = a_receipt(a_signature(3).hash, 21)
        await ledger.conclude(settlements=[Settlement(planned.id, receipt, 15 * WAD)])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    (tmp_path / "manifest.json").write_text(json.dumps(manifest()))
    (tmp_path / "sluice.toml").write_text('manifest = "manifest.json"\n')
    asyncio.run(fill(tmp_path / "sluice.sqlite"))
    return tmp_path


def test_the_last_decision_is_told_with_what_became_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, ACCOUNT)
    assert status == 0, err
    assert f"{ACCOUNT} at block 20" in out
    for part in ("health factor", "100 WETH", "17,000 USDC", "chosen:", a_signature(3).hash, "included"):
        assert part in out
    # 90,000 gas at 2 gwei and 200 a coin are 0.036: 15.00 less that is 14.96.
    for figure in ("12.00", "15.00", "14.96", "0.000180 ETH = 0.04"):
        assert figure in out


def test_a_decision_to_wait_is_told_with_the_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, ACCOUNT, "--block", "10")
    assert status == 0, err
    assert "at block 10" in out
    assert "\n1. " in out
    assert "The keeper waited" in out
    assert "pool pays less than the reserve" in " ".join(out.split())


def test_any_spelling_of_the_address_will_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, ACCOUNT.lower())[0] == 0


def test_a_block_without_a_decision_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, ACCOUNT, "--block", "15")
    assert status == 1
    assert "block 15; nearest: 10 and 20" in err
    assert "nearest: 20 " in run(capsys, ACCOUNT, "--block", "99")[2]


@pytest.mark.parametrize("block", [(), ("--block", "10")])
def test_an_unknown_account_is_told(capsys: pytest.CaptureFixture[str], block: tuple[str, ...]) -> None:
    status, _, err = run(capsys, STRANGER, *block)
    assert status == 1
    assert STRANGER in err
    assert "sluice status" in err


@pytest.mark.parametrize("text", ["0x12", "vitalik.eth", "", "0x" + "zz" * 20])
def test_what_is_no_address_is_refused(capsys: pytest.CaptureFixture[str], text: str) -> None:
    status, _, err = run(capsys, text)
    assert status == 1
    assert err.count("\n") == 1
    assert "40 hex digits" in err
    assert repr(text) in err


def test_a_missing_ledger_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, ACCOUNT, "--ledger", "nowhere.sqlite")
    assert status == 1
    assert "nowhere.sqlite" in err
    assert "no such file" in err


def test_without_a_manifest_assets_have_ids(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    (here / "manifest.json").unlink()
    status, out, err = run(capsys, ACCOUNT)
    assert status == 0, err
    assert "asset 0" in out


def test_a_block_that_a_reorg_undid_is_marked(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    async def undo() -> None:
        path = here / "sluice.sqlite"
        genesis = Hash32("0x" + "00" * 32)
        async with await SqlLedger.open(path, chain_id=31337, genesis_hash=genesis) as ledger:
            await ledger.roll_back(WAITED)

    asyncio.run(undo())
    assert "a reorg has undone this block" in run(capsys, ACCOUNT)[1]
    assert "reorg" not in run(capsys, ACCOUNT, "--block", "10")[1]


def test_an_address_with_a_wrong_digit_is_told_from_one_without_decisions() -> None:
    with pytest.raises(InvalidInputError, match=r"ACCOUNT must be an address; .* a digit is wrong"):
        checksummed("0xc38607aa950A019f635DbCBA36Bc11433d379913")
