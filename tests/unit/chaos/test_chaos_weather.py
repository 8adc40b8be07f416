"""What each fault does to calls and answers."""

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from bot.errors import ConfigFileError, ConfigValueError
from bot.sim.chaos.dice import Dice
from bot.sim.chaos.proxy import exchange, parse
from bot.sim.chaos.script import Phase, Script, load_script
from bot.sim.chaos.weather import Weather, malformed, refused

HEIGHT = 100
CALL = {"jsonrpc": "2.0", "id": 7, "method": "eth_call", "params": [{"to": "0x1"}, "latest"]}


def weather(*faults: dict[str, Any], seed: int = 1) -> Weather:
    phase = Phase.model_validate({"name": "test", "faults": faults})
    return Weather(seed, phase, HEIGHT, Counter())


def call(method: str, *params: Any, id_: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": list(params)}


def answer(result: Any, id_: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, "result": result}


class Node:
    """Answers each call with its own method and parameters, and keeps what it was asked."""

    def __init__(self, results: dict[str, Any] | None = None) -> None:
        self.asked: list[Any] = []
        self.results = results or {}

    async def __call__(self, message: Any) -> Any:
        self.asked.append(message)
        if isinstance(message, list):
            return [self._one(entry) for entry in reversed(message)]
        return self._one(message)

    def _one(self, entry: dict[str, Any]) -> dict[str, Any]:
        return answer(self.results.get(entry["method"], entry["params"]), entry["id"])


# ------------------------------------------------------------------------------- script


def test_the_script_in_the_documentation_can_be_read_and_shows_every_fault() -> None:
    script = load_script(Path(__file__).parents[3] / "docs" / "chaos.toml")
    shown = {fault.kind for phase in script.phase for fault in phase.faults}
    assert shown == {
        "cut", "delay", "drop", "duplicate", "freeze", "late_receipt", "lose_logs", "malform", "refuse",
        "reorder_logs", "slow", "status", "truncate", "wrong_chain",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "phase"),
        ('[[phase]]\nname = "a"\nfaults = [{ kind = "earthquake" }]', "earthquake"),
        ('[[phase]]\nname = "a"\nfaults = [{ kind = "delay" }]', "seconds"),
        ('[[phase]]\nname = "a"\nfaults = [{ kind = "drop", share = 1.5 }]', "1.5"),
        ('[[phase]]\nname = "a"\n[[phase]]\nname = "a"', "twice"),
        ('[[phase]]\nname = "a"\nlength = 3', "length"),
    ],
)
def test_a_script_that_makes_no_sense_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "script.toml"
    path.write_text(text)
    with pytest.raises(ConfigValueError, match=named):
        load_script(path)


@pytest.mark.parametrize("content", [None, b"[[phase", b"\xff\xfe"])
def test_a_file_that_is_no_script_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "script.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigFileError, match=r"script\.toml"):
        load_script(path)


def test_an_unknown_phase_is_refused_with_those_that_exist() -> None:
    script = Script.model_validate({"phase": [{"name": "calm"}, {"name": "storm"}]})
    assert script.position("storm") == 1
    with pytest.raises(ConfigValueError, match="calm, storm"):
        script.position("fog")


# --------------------------------------------------------------------------------- dice


def test_the_same_seed_strikes_the_same_calls_in_whatever_order_they_come() -> None:
    subjects = [f"call {index}" for index in range(300)]
    first, second = Dice(1, "a"), Dice(1, "a")
    forward = {subject: first.strikes(0, 0.3, subject) for subject in subjects}
    backward = {subject: second.strikes(0, 0.3, subject) for subject in reversed(subjects)}
    assert forward == backward
    assert 60 < sum(forward.values()) < 120
    other = Dice(2, "a")
    assert forward != {subject: other.strikes(0, 0.3, subject) for subject in subjects}


def test_a_call_that_is_repeated_is_drawn_for_anew() -> None:
    dice = Dice(1, "a")
    draws = [dice.strikes(0, 0.5, "the same") for _ in range(100)]
    assert 30 < sum(draws) < 70


# --------------------------------------------------------------------------------- fates


def test_calm_weather_changes_nothing() -> None:
    calm = weather()
    fate = calm.fate([CALL])
    assert (fate.dropped, fate.cut, fate.status, fate.delay_s, fate.bytes_per_second) == (
        False, False, None, 0.0, None,
    )  # fmt: skip
    assert calm.asked(CALL) == CALL
    assert calm.instead(CALL) is None
    assert calm.answered(CALL, answer("0x1", 7)) == answer("0x1", 7)
    assert calm.bodies([CALL], answer("0x1", 7)) == [orjson.dumps(answer("0x1", 7))]


def test_faults_of_transport_strike_only_the_methods_that_they_name() -> None:
    stormy = weather(
        {"kind": "drop", "methods": ["a"]},
        {"kind": "cut", "methods": ["b"]},
        {"kind": "delay", "seconds": 2, "methods": ["c"]},
        {"kind": "slow", "bytes_per_second": 10, "methods": ["d"]},
        {"kind": "status", "status": 429, "methods": ["e"]},
    )
    assert stormy.fate([call("a")]).dropped
    assert stormy.fate([call("b")]).cut
    assert stormy.fate([call("c")]).delay_s == 2
    assert stormy.fate([call("d")]).bytes_per_second == 10
    assert stormy.fate([call("e")]).status == 429
    assert not stormy.fate([call("b")]).dropped
    assert stormy.fate([call("z"), call("e", id_=2)]).status == 429


def test_an_answer_ends_in_its_middle() -> None:
    (body,) = weather({"kind": "truncate"}).bodies([CALL], answer("0x1234", 7))
    assert orjson.dumps(answer("0x1234", 7)).startswith(body)
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(body)


def test_an_answer_comes_twice() -> None:
    first, second = weather({"kind": "duplicate"}).bodies([CALL], answer("0x1", 7))
    assert first == second == orjson.dumps(answer("0x1", 7))


def test_no_malformed_answer_is_the_answer() -> None:
    true = answer("0x1234", 7)
    bodies = {malformed(true, Random(seed)) for seed in range(200)}
    assert len(bodies) == 9
    assert orjson.dumps(true) not in bodies


def test_a_status_says_over_a_websocket_what_it_says_over_http() -> None:
    (too_many,) = refused([call("a", id_=3)], 429)
    (down,) = refused([call("a", id_=3)], 503)
    assert (too_many["id"], too_many["error"]["code"]) == (3, -32005)
    assert "503" in down["error"]["message"]


# --------------------------------------------------------------------------------- heads


def test_a_frozen_node_stands_at_its_height() -> None:
    frozen = weather({"kind": "freeze"})
    assert frozen.instead(call("eth_blockNumber")) == answer(hex(HEIGHT))
    assert frozen.instead(call("eth_getBlockByNumber", hex(HEIGHT + 1), False)) == answer(None)
    assert frozen.instead(call("eth_getBlockByNumber", hex(HEIGHT), False)) is None
    pinned = frozen.asked(call("eth_getBlockByNumber", "latest", False))
    assert pinned["params"] == [hex(HEIGHT), False]
    logs = frozen.asked(call("eth_getLogs", {"fromBlock": "0x1", "toBlock": "latest", "topics": []}))
    assert logs["params"] == [{"fromBlock": "0x1", "toBlock": hex(HEIGHT), "topics": []}]
    later = answer({"blockNumber": hex(HEIGHT + 1)})
    assert frozen.answered(call("eth_getTransactionReceipt", "0xa"), later) == answer(None)
    known = answer({"blockNumber": hex(HEIGHT)})
    assert frozen.answered(call("eth_getTransactionReceipt", "0xa"), known) == known
    assert not frozen.notified()
    assert weather().notified()


def test_another_chain_is_named() -> None:
    lying = weather({"kind": "wrong_chain", "chain_id": 5})
    assert lying.answered(call("eth_chainId"), answer("0x7a69")) == answer("0x5")
    assert lying.answered(call("net_version"), answer("31337")) == answer("5")


# -------------------------------------------------------------------- receipts and logs


def test_a_receipt_is_late_by_so_many_questions_each() -> None:
    late = weather({"kind": "late_receipt", "times": 2})
    true = answer({"blockNumber": "0x1"})
    for hash_ in ("0xa", "0xb"):
        seen = [late.answered(call("eth_getTransactionReceipt", hash_), true) for _ in range(3)]
        assert seen == [answer(None), answer(None), true]
    assert late.answered(call("eth_getTransactionReceipt", "0xc"), answer(None)) == answer(None)


def test_some_logs_are_lost_and_the_others_keep_their_order() -> None:
    logs = [{"logIndex": hex(index)} for index in range(200)]
    struck: Counter[str] = Counter()
    phase = Phase.model_validate({"name": "x", "faults": [{"kind": "lose_logs", "share": 0.25}]})
    kept = Weather(1, phase, HEIGHT, struck).answered(call("eth_getLogs", {}), answer(logs))["result"]
    assert 120 < len(kept) < 180
    assert kept == [log for log in logs if log in kept]
    assert struck == {"lose_logs": 1}


def test_logs_come_in_another_order_and_none_is_missing() -> None:
    logs = [{"logIndex": hex(index)} for index in range(20)]
    shuffled = weather({"kind": "reorder_logs"}).answered(call("eth_getLogs", {}), answer(logs))["result"]
    assert shuffled != logs
    assert sorted(map(str, shuffled)) == sorted(map(str, logs))


# -------------------------------------------------------------------------- transactions


async def test_a_refused_transaction_never_reaches_the_node() -> None:
    node = Node()
    refusal = await exchange(weather({"kind": "refuse"}), call("eth_sendRawTransaction", "0x02"), node)
    assert isinstance(refusal, dict)
    assert "underpriced" in refusal["error"]["message"]
    assert node.asked == []


async def test_a_transaction_can_be_delivered_and_refused_all_the_same() -> None:
    node = Node()
    lying = weather({"kind": "refuse", "delivered": True, "message": "already known"})
    refusal = await exchange(lying, call("eth_sendRawTransaction", "0x02"), node)
    assert isinstance(refusal, dict)
    assert refusal["error"]["message"] == "already known"
    assert node.asked == [call("eth_sendRawTransaction", "0x02")]


# ------------------------------------------------------------------------------- batches


async def test_a_batch_of_calls_that_fare_differently_is_answered_in_its_order() -> None:
    node = Node()
    frozen = weather({"kind": "freeze"}, {"kind": "refuse"})
    batch = [
        call("eth_sendRawTransaction", "0x02", id_=4),
        call("eth_call", {"to": "0x1"}, "latest", id_=5),
        call("eth_blockNumber", id_=6),
        call("eth_gasPrice", id_=7),
    ]
    answers = await exchange(frozen, batch, node)
    assert isinstance(answers, list)
    assert [entry["id"] for entry in answers] == [4, 5, 6, 7]
    assert "error" in answers[0]
    assert answers[1]["result"] == [{"to": "0x1"}, hex(HEIGHT)]
    assert answers[2]["result"] == hex(HEIGHT)
    assert [entry["id"] for entry in node.asked[0]] == [5, 7]


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"id": 1}', b'{"method": 5}', b'"text"'])
def test_what_is_not_json_rpc_has_no_calls(body: bytes) -> None:
    assert parse(body)[1] == []
