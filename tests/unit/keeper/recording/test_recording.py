"""What a run leaves on tape, and what replaying it compares."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot.errors import DecisionsDivergedError, EndpointUnreachableError, RpcError, TapeError
from bot.ports import Json, RpcCall
from bot.sim.recorder import Recorder, RecordingRpc
from bot.sim.rerun import TapeRpc, quotes_of, rerun
from bot.sim.tape import TapeWriter, built, fields_line, head_line, head_of, read_tape, text_of
from bot.strategy.decide import decide
from bot.strategy.quotes import FirmQuote, OpenQuote
from bot.strategy.settings import StrategySettings
from tests.support.keeper import a_head
from tests.support.snapshots import Scene

HEADER: dict[str, Any] = {"kind": "header", "version": 1}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.tape.gz"


def written(file: Path, *lines: dict[str, Any]) -> list[Any]:
    with TapeWriter(file) as tape:
        for line in lines:
            tape.write(line)
    return list(read_tape(file))


def test_lines_come_back_as_they_were_written(file: Path) -> None:
    lines = [HEADER, {"kind": "x", "amount": 2**200, "text": "Å\n", "float": 0.1, "none": None}]
    assert written(file, *lines) == lines


def test_equal_runs_are_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        written(tmp_path / name, HEADER, {"kind": "x", "b": 1, "a": 2})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_recording_that_was_cut_off_is_read_as_far_as_it_goes(file: Path) -> None:
    tape = TapeWriter(file)
    tape.write(HEADER)
    tape.write({"kind": "decide", "n": 1}, flush=True)
    survived = file.read_bytes()
    with tape:
        tape.write({"kind": "decide", "n": 2})
    file.write_bytes(survived)
    with capture_logs() as logs:
        assert [line["kind"] for line in read_tape(file)] == ["header", "decide"]
    assert [(log["event"], log["after_line"]) for log in logs] == [("recording_cut_off", 2)]


def test_a_recording_that_is_there_is_not_overwritten(file: Path) -> None:
    written(file, HEADER)
    before = file.read_bytes()
    with pytest.raises(TapeError, match="not overwritten; name another file"):
        TapeWriter(file)
    assert file.read_bytes() == before
    file.write_bytes(b"")
    assert written(file, HEADER) == [HEADER]


def test_a_full_disk_ends_the_recording_and_not_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    with TapeWriter(Path("/dev/full")) as tape:
        tape.write(HEADER, flush=True)
        tape.write(HEADER, flush=True)
    assert capsys.readouterr().out.count("recording_stopped") == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"not gzip at all", "no gzip"),
        (gzip.compress(b""), "empty"),
        (gzip.compress(b"{\n"), "line 1 is not JSON"),
        (gzip.compress(b"[1]\n"), "line 1 is not a line of a recording"),
        (gzip.compress(b'{"kind": "sync"}\n'), "header"),
        (gzip.compress(b'{"kind": "header", "version": 99}\n'), "version 1"),
        (gzip.compress(b'{"kind": "header", "version": 1}\n\xff\n'), "utf-8"),
    ],
)
def test_what_is_no_recording_is_refused_by_name(file: Path, content: bytes, problem: str) -> None:
    file.write_bytes(content)
    with pytest.raises(TapeError, match=problem) as refusal:
        list(read_tape(file))
    assert str(file) in str(refusal.value)


def test_a_recording_that_is_not_there_or_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="nowhere"):
        list(read_tape(tmp_path / "nowhere"))
    with pytest.raises(TapeError, match="nowhere"):
        TapeWriter(tmp_path / "nowhere" / "file")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from(["manifest", "sender", "limits", "covariance", "program", "number", "hash", "asked"])


@given(
    st.lists(
        st.fixed_dictionaries(
            {"kind": st.sampled_from(["request", "batch", "sync", "audit", "decide", "snapshot", "??"])},
            optional={"x": _JSON},
        ).flatmap(lambda line: st.dictionaries(_NAMES, _JSON, max_size=5).map(lambda more: {**more, **line})),
        max_size=4,
    ),
    st.dictionaries(_NAMES, _JSON, max_size=6),
)
async def test_garbage_on_a_tape_is_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, lines: list[dict[str, Any]], known: dict[str, Any]
) -> None:
    file = tmp_path_factory.mktemp("tape") / "garbage"
    written(file, {**known, **HEADER}, *lines)
    with pytest.raises((TapeError, DecisionsDivergedError)):
        await rerun(file)


def test_a_head_survives_the_tape() -> None:
    assert head_of(head_line("sync", a_head(7))) == a_head(7)


def test_settings_and_quotes_survive_the_tape_and_strange_fields_do_not() -> None:
    settings = StrategySettings(minimum_profit=-(10**30), housekeeping=False)
    line = json.loads(json.dumps(fields_line(settings)))
    assert built(StrategySettings, line) == settings
    quote = FirmQuote(b"\1" * 20, b"\2" * 20, 1, 0, 1, 2**200, 3, 4, 5, 6, bytes(20), False)
    open_ = OpenQuote(quote, b"\3" * 65, filled=2**100)
    assert built(OpenQuote, json.loads(json.dumps(fields_line(open_)))) == open_
    with pytest.raises(KeyError, match="strange"):
        built(StrategySettings, {**line, "strange": 1})
    with pytest.raises(TypeError, match="max_actions"):
        built(StrategySettings, {**line, "max_actions": "many"})


class Node:
    """An endpoint with an answer to everything."""

    label = "node"

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        if method == "gone":
            raise EndpointUnreachableError("node", "no answer in time")
        if method == "refused":
            raise RpcError(method, -32000, "no", "0x01")
        return {"asked": method, "with": list(params)}

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        return [
            RpcError(call.method, 3, "reverted") if call.method == "refused" else call.method
            for call in calls
        ]


async def test_answers_come_back_from_tape_whatever_the_order(file: Path) -> None:
    with TapeWriter(file) as tape:
        tape.write(HEADER)
        rpc = RecordingRpc(Node(), tape)
        first = await rpc.request("a", ({"blockHash": "0x1"},))
        second = await rpc.request("b")
        both = await rpc.batch([RpcCall("c", [1]), RpcCall("refused")])
        for method in ("gone", "refused"):
            with pytest.raises((EndpointUnreachableError, RpcError)):
                await rpc.request(method)
    replayed = TapeRpc()
    for line in list(read_tape(file))[1:]:
        replayed.add(line)
    assert await replayed.request("b") == second
    assert await replayed.request("a", [{"blockHash": "0x1"}]) == first
    found = await replayed.batch([RpcCall("c", (1,)), RpcCall("refused")])
    assert found[0] == both[0]
    assert isinstance(found[1], RpcError)
    assert found[1].code == 3
    with pytest.raises(EndpointUnreachableError, match="no answer in time"):
        await replayed.request("gone")
    with pytest.raises(RpcError, match="-32000"):
        await replayed.request("refused")
    with pytest.raises(DecisionsDivergedError, match="questions to the endpoint: now a"):
        await replayed.request("a", [{"blockHash": "0x2"}])


def test_equal_decisions_are_equal_text_and_others_are_not() -> None:
    scene = Scene()
    scene.account({"WETH": 100}, {"USDC": 18_000})
    texts = [text_of("sluice", decide(scene.shoot(), StrategySettings())) for _ in range(2)]
    assert texts[0] == texts[1]
    other = text_of("sluice", decide(scene.shoot(), StrategySettings(priority_fee=10**10)))
    assert other != texts[0]


def test_quotes_that_a_decision_rested_on_are_on_the_tape(file: Path) -> None:
    scene = Scene()
    scene.account({"WETH": 100}, {"USDC": 18_000})
    account = scene.shoot().positions.accounts[0]
    quote = FirmQuote(b"\1" * 20, account, 1, 0, 2, 10**8, 1, 10**20, 7, 2**40, bytes(20), True)
    quotes = {account: (OpenQuote(quote, b"\3" * 65), OpenQuote(quote, b"\4" * 65, filled=5))}
    with TapeWriter(file) as tape:
        tape.write(HEADER)
        noted = Recorder(tape).strategy("sluice", lambda shown: decide(shown, StrategySettings()))
        noted(replace(scene.shoot(), quotes=quotes))
    _, line = read_tape(file)
    assert quotes_of(line["quotes"]) == quotes
