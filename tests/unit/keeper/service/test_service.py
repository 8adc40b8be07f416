"""The daemon's one loop, between stand-ins for everything it talks to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from bot.errors import BookDivergedError, EndpointUnreachableError, MalformedAnswerError, RpcError
from bot.journals import Recording
from bot.ports import (
    Call,
    DecisionEntry,
    Execution,
    Head,
    HeadEvent,
    Intent,
    NewHead,
    Outcome,
    Receipt,
    Reorg,
    SimulationResult,
)
from bot.service import KeeperService, ServiceOptions
from bot.strategy.decide import decide
from bot.strategy.decision import Action, Decisions
from bot.strategy.inclusion import Inclusions
from bot.strategy.quotes import NOBODY, FirmQuote, OpenQuote
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import Snapshot
from tests.support.keeper import a_head
from tests.support.snapshots import KEEPER, NOW, USDC, WBTC, WETH, Scene, pool_at, units

SETTINGS = StrategySettings(priority_fee=0)
BOOK_WRONG = BookDivergedError("account", 1, 2)
NODE_GONE = EndpointUnreachableError("node", "no answer")


@dataclass
class Stage:
    """Every port at once, writing down what is asked of it, in order."""

    events: Sequence[HeadEvent]
    scene: Scene = field(default_factory=Scene)
    script: list[tuple[Any, ...]] = field(default_factory=list)
    entries: list[DecisionEntry] = field(default_factory=list)
    intents: list[Intent] = field(default_factory=list)
    failures: dict[int, Exception] = field(default_factory=dict)
    outcome: Outcome = Outcome.SUBMITTED
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    name: str = "sluice"
    busy: asyncio.Event | None = None
    stale: bool = False
    checkpoints: int = 0
    wrong: set[int] = field(default_factory=set)

    async def __aiter__(self) -> AsyncIterator[HeadEvent]:
        for event in self.events:
            yield event
            if self.busy is None:
                for _ in range(50):
                    await asyncio.sleep(0)
        await asyncio.Event().wait()

    # protocol
    async def sync(self, head: Head) -> None:
        self.script.append(("sync", head.number))
        if head.number in self.failures:
            raise self.failures.pop(head.number)

    async def roll_back(self, ancestor: Head) -> None:
        self.script.append(("roll_back", ancestor.number))

    def snapshot(self, head: Head) -> Snapshot:
        return self.scene.shoot()

    async def audit(self, head: Head, sample: int) -> int:
        self.script.append(("audit", head.number, sample))
        if head.number in self.wrong:
            raise BOOK_WRONG
        return 0

    async def distrust(self) -> None:
        self.script.append(("distrust",))

    async def checkpoint(self) -> None:
        self.checkpoints += 1

    def explain(self, revert_data: bytes) -> str:
        self.script.append(("explain", revert_data))
        return "words"

    def call_for(self, decision: Action) -> Call:
        return Call(to="0xengine", data=decision.kind.value.encode())  # type: ignore[arg-type]

    def realised(self, receipt: Receipt) -> int | None:
        return None

    # executor
    async def reconcile(self, head: Head) -> list[Any]:
        self.script.append(("reconcile", head.number))
        return []

    async def track(self, head: Head) -> list[Any]:
        self.script.append(("track", head.number))
        return []

    async def simulate(self, calls: Sequence[Call], head: Head) -> list[SimulationResult]:
        raise AssertionError("the service leaves simulation to `execute`")

    async def execute(
        self,
        intents: Sequence[Intent],
        head: Head,
        decisions: Awaitable[Mapping[str, int]] | None = None,
    ) -> list[Execution]:
        ids = await decisions if decisions is not None else {}
        self.script.append(("execute", head.number, len(intents)))
        self.intents += [replace(intent, decision_id=ids.get(intent.account)) for intent in intents]
        return [self._execution(intent) for intent in intents]

    def _execution(self, intent: Intent) -> Execution:
        outcome = self.outcomes.get(intent.key.rpartition(":")[2], self.outcome)
        trial = SimulationResult(outcome is not Outcome.SIMULATION_REVERTED, 1, b"\1\2")
        return Execution(intent, outcome, simulation=trial)

    # ledger
    async def record_head(self, head: Head) -> None:
        self.script.append(("record_head", head.number))

    async def record_decisions(self, head: Head, decisions: Sequence[DecisionEntry]) -> list[int]:
        self.script.append(("record_decisions", head.number, len(decisions)))
        self.entries += decisions
        return list(range(len(self.entries) - len(decisions), len(self.entries)))

    # acknowledger
    async def acknowledge(self, head: Head, sent: int) -> None:
        self.script.append(("acknowledge", head.number, sent))

    # ------------------------------------------------------------------------------ run

    def service(self, options: ServiceOptions | None = None, inclusion: Any = None) -> KeeperService:
        return KeeperService(
            feed=self,
            protocol=self,
            decide=self.decide,
            executor=self,  # type: ignore[arg-type]
            ledger=self,  # type: ignore[arg-type]
            acknowledger=self,
            inclusion=inclusion,
            options=options,
        )

    def decide(self, snapshot: Snapshot) -> Decisions:
        return decide(snapshot, SETTINGS)

    async def play(
        self, options: ServiceOptions | None = None, service: KeeperService | None = None
    ) -> list[tuple[Any, ...]]:
        """Run until nothing happens any more, then cancel, as a signal does."""
        task = asyncio.ensure_future((service or self.service(options)).run())
        await asyncio.wait([task], timeout=0.2)
        if task.done():
            await task
        task.cancel()
        await asyncio.wait([task])
        return self.script

    def acted_on(self) -> list[int]:
        return [step[1] for step in self.script if step[0] == "acknowledge"]


def heads(*numbers: int, behind: int = 0) -> list[HeadEvent]:
    return [NewHead(a_head(number), behind) for number in numbers]


def unhealthy(count: int = 1) -> Scene:
    scene = Scene()
    for _ in range(count):
        scene.account({"WETH": 100}, {"USDC": 18_000})
    return scene


async def test_a_head_goes_through_every_step_in_order() -> None:
    stage = Stage(heads(7), unhealthy())
    assert await stage.play() == [
        ("sync", 7),
        ("reconcile", 7),
        ("audit", 7, 20),
        ("record_decisions", 7, 1),
        ("execute", 7, 1),
        ("record_head", 7),
        ("acknowledge", 7, 1),
    ]


async def test_the_start_reconciles_and_every_later_head_tracks() -> None:
    stage = Stage(heads(7, 8, 9))
    script = await stage.play()
    assert [step for step in script if step[0] in ("reconcile", "track")] == [
        ("reconcile", 7),
        ("track", 8),
        ("track", 9),
    ]


async def test_a_head_that_is_behind_is_synced_and_not_acted_on() -> None:
    stage = Stage([*heads(7, 8, behind=1), *heads(9)], unhealthy())
    await stage.play()
    assert [step for step in stage.script if step[0] == "sync"] == [("sync", 7), ("sync", 8), ("sync", 9)]
    assert stage.acted_on() == [9]


async def test_heads_that_pile_up_while_it_works_are_synced_and_only_the_newest_acted_on() -> None:
    stage = Stage(heads(7, 8, 9), unhealthy(), busy=asyncio.Event())
    await stage.play()
    assert stage.acted_on()[-1] == 9
    assert len(stage.acted_on()) < 3
    assert [step[1] for step in stage.script if step[0] == "sync"] == [7, 8, 9]


async def test_once_ends_after_the_first_head_it_acts_on() -> None:
    stage = Stage([*heads(7, behind=1), *heads(8, 9)], unhealthy())
    await asyncio.wait_for(stage.service(ServiceOptions(once=True)).run(), 2)
    assert stage.acted_on() == [8]


async def test_a_reorg_rolls_back_book_and_transactions() -> None:
    reorg = Reorg(a_head(7), (a_head(8),))
    stage = Stage([*heads(7, 8), reorg, NewHead(a_head(8, 1), 0)])
    await stage.play()
    assert [step for step in stage.script if step[0] == "roll_back"] == [("roll_back", 7)] * 2
    assert stage.acted_on() == [7, 8, 8]


@pytest.mark.parametrize("failure", [NODE_GONE, RpcError("eth_getLogs", -32000, "busy")])
async def test_a_node_that_fails_once_costs_that_head_alone(failure: Exception) -> None:
    stage = Stage(heads(7, 8), failures={7: failure})
    await stage.play()
    assert stage.acted_on() == [8]


async def test_a_node_that_fails_head_after_head_ends_the_process() -> None:
    stage = Stage(heads(*range(30)), failures=dict.fromkeys(range(30), NODE_GONE))
    with pytest.raises(EndpointUnreachableError):
        await stage.play()


async def test_a_head_that_goes_well_makes_good_for_those_that_failed() -> None:
    failing = [number for number in range(36) if number != 18]
    stage = Stage(heads(*range(36)), failures=dict.fromkeys(failing, NODE_GONE))
    await stage.play()
    assert stage.acted_on() == [18]


async def test_an_error_that_nobody_expects_ends_the_process_as_itself() -> None:
    stage = Stage(heads(7, 8), failures={7: ZeroDivisionError("a fault")})
    with pytest.raises(ZeroDivisionError):
        await stage.play()
    assert stage.acted_on() == []


async def test_an_answer_that_makes_no_sense_costs_that_head_alone() -> None:
    stage = Stage(heads(7, 8), failures={7: MalformedAnswerError("log", "0x", "another")})
    await stage.play()
    assert stage.acted_on() == [8]


async def test_a_book_that_is_wrong_is_not_acted_on_and_read_from_the_chain_again() -> None:
    stage = Stage(heads(7, 8), unhealthy(), failures={7: BOOK_WRONG})
    script = await stage.play()
    assert script[:3] == [("sync", 7), ("distrust",), ("sync", 8)]
    assert stage.acted_on() == [8]


async def test_a_book_that_stays_wrong_is_read_ever_more_rarely_and_never_acted_on() -> None:
    stage = Stage(heads(*range(7, 30)), unhealthy(), wrong=set(range(7, 30)))
    service = stage.service()
    await stage.play(service=service)
    assert [step[1] for step in stage.script if step[0] == "sync"] == [7, 8, 10, 14, 22]
    assert stage.acted_on() == []
    assert service.quarantined


async def test_what_was_sent_is_looked_after_while_the_book_is_wrong() -> None:
    stage = Stage(heads(7, 8, 9), unhealthy(), wrong={7, 8, 9})
    await stage.play()
    assert [step for step in stage.script if step[0] in ("sync", "reconcile", "track")][-2:] == [
        ("track", 8),
        ("track", 9),  # on which the book is not read: a halt still cancels, and what waits is pressed
    ]


async def test_a_book_found_right_again_is_acted_on() -> None:
    stage = Stage(heads(7, 8, 9, 10), unhealthy(), wrong={7, 8})
    service = stage.service()
    await stage.play(service=service)
    assert stage.acted_on() == [10]
    assert not service.quarantined


async def test_the_book_is_offered_for_keeping_after_each_head_that_was_acted_on() -> None:
    stage = Stage([*heads(7, behind=1), *heads(8, 9)])
    await stage.play()
    assert stage.checkpoints == 2


async def test_the_book_is_audited_at_the_start_and_at_intervals() -> None:
    stage = Stage(heads(*range(10, 17)))
    await stage.play(ServiceOptions(audit_interval=3, audit_sample=4))
    audits = [step for step in stage.script if step[0] == "audit"]
    assert audits == [("audit", 10, 4), ("audit", 13, 4), ("audit", 16, 4)]


async def test_only_what_the_node_accepted_counts_as_sent() -> None:
    stage = Stage(heads(7), unhealthy(2), outcome=Outcome.SIMULATION_REVERTED)
    script = await stage.play()
    assert script[-1] == ("acknowledge", 7, 0)
    assert ("explain", b"\1\2") in script


async def test_nothing_is_started_while_no_endpoint_brings_new_heads() -> None:
    stage = Stage(heads(7), unhealthy(), stale=True)
    assert await stage.play() == [("sync", 7), ("reconcile", 7)]


async def test_an_intent_names_its_decision_and_is_new_on_every_head() -> None:
    stage = Stage(heads(7, 8), unhealthy(2))
    await stage.play()
    assert [intent.decision_id for intent in stage.intents] == [0, 1, 2, 3]
    assert len({intent.key for intent in stage.intents}) == 4
    assert stage.intents[0].call.data == b"kick"
    account = stage.intents[0].account
    assert stage.intents[0].key == f"sluice:{account}:{a_head(7).hash}:kick"


def in_need_of_two_sales() -> Scene:
    scene = Scene(pools=[pool_at(200, 5e7), pool_at(8_000, 5e7, WBTC)], take_open=False)
    row = scene.account({"WETH": 100, "WBTC": 2.5}, {"USDC": 36_900})
    scene.auction(row, ["WETH", "WBTC"], age=300)
    return scene


@pytest.mark.parametrize("refused", [Outcome.SIMULATION_REVERTED, Outcome.LIMITED])
async def test_of_sales_that_are_refused_together_the_first_is_tried_by_itself(refused: Outcome) -> None:
    stage = Stage(heads(7), in_need_of_two_sales(), outcomes={"swap_2": refused})
    await stage.play(service=stage.service(inclusion=Inclusions(SETTINGS).of))
    both, alone = stage.intents
    assert [intent.key.rpartition(":")[2] for intent in (both, alone)] == ["swap_2", "swap"]
    assert both.decision_id == alone.decision_id is not None
    assert alone.terms.moves == both.terms.moves[:1]
    assert alone.expected_profit < both.expected_profit
    assert ("acknowledge", 7, 1) in stage.script


@pytest.mark.parametrize("outcome", [Outcome.SUBMITTED, Outcome.IN_FLIGHT, Outcome.FEE_ABOVE_CAP])
async def test_sales_that_are_not_refused_are_not_tried_again(outcome: Outcome) -> None:
    stage = Stage(heads(7), in_need_of_two_sales(), outcome=outcome)
    await stage.play()
    assert [intent.key.rpartition(":")[2] for intent in stage.intents] == ["swap_2"]


@pytest.mark.parametrize("appraised", [False, True])
@pytest.mark.parametrize(("filler", "sender"), [(NOBODY, None), (KEEPER, to_checksum_address(KEEPER))])
async def test_a_fill_ends_with_its_quote_and_is_sent_by_its_filler(
    filler: bytes, sender: str | None, appraised: bool
) -> None:
    scene = Scene()
    scene.auction(scene.account({"WETH": 100}, {"USDC": 18_000}), ["WETH"], age=300)
    account = (0).to_bytes(20)
    limits = (199 * 10**6, 1, units("WETH", 100), 1, NOW + 36)
    quote = FirmQuote(b"\xd0" * 20, account, 0, WETH, USDC, *limits, filler, callback=False)
    snapshot = replace(scene.shoot(), quotes={account: (OpenQuote(quote, b"\1" * 65),)})
    stage = Stage(heads(7))
    stage.snapshot = lambda _: snapshot  # type: ignore[method-assign]
    service = stage.service(inclusion=Inclusions(SETTINGS).of if appraised else None)
    await stage.play(service=service)
    (intent,) = stage.intents
    assert intent.call.data == b"fill"
    assert intent.terms.deadline == NOW + 36
    assert intent.terms.sender == sender
    assert (intent.terms.value > 0) is appraised


async def test_what_rests_on_no_quote_has_neither_deadline_nor_sender() -> None:
    stage = Stage(heads(7), unhealthy())
    await stage.play()
    assert (stage.intents[0].terms.deadline, stage.intents[0].terms.sender) == (None, None)


async def test_a_decision_to_wait_is_written_once_for_the_same_reasons() -> None:
    scene = unhealthy()
    scene.halted = True
    stage = Stage(heads(7, 8, 9), scene)
    await stage.play()
    written = [step for step in stage.script if step[0] == "record_decisions"]
    assert written == [("record_decisions", 7, 1)]
    (entry,) = stage.entries
    assert entry.chosen is None
    assert entry.rejected[0]["reason"] == "halted"
    assert int(str(entry.inputs["health_factor"])) < 10**18


async def test_decisions_are_written_when_somebody_first_waits_for_them_and_once() -> None:
    written: list[str] = []

    async def write() -> dict[str, int]:
        written.append("begun")
        await asyncio.sleep(0)
        return {"account": len(written)}

    recording = Recording(write)
    await asyncio.sleep(0)
    assert not written
    hasty = asyncio.ensure_future(recording)
    await asyncio.sleep(0)
    hasty.cancel()
    assert [await recording, await recording] == [{"account": 1}] * 2
    assert written == ["begun"]


async def test_an_entry_holds_what_was_chosen_and_what_it_rests_on() -> None:
    stage = Stage(heads(7), unhealthy())
    await stage.play()
    (entry,) = stage.entries
    assert entry.chosen is not None
    assert entry.chosen["action"]["kind"] == "kick"  # type: ignore[index]
    assert entry.chosen["net"] == entry.chosen["revenue"]
    assert set(entry.inputs) >= {"holdings", "prices", "multipliers", "debt_value"}
    assert entry.account.startswith("0x")


@pytest.mark.parametrize(("freeze", "times"), [(True, 1), (False, 0)])
async def test_what_a_start_has_made_is_frozen_once_if_told_so(
    monkeypatch: pytest.MonkeyPatch, freeze: bool, times: int
) -> None:
    frozen: list[bool] = []
    monkeypatch.setattr("bot.service.gc.freeze", lambda: frozen.append(True))
    stage = Stage(heads(7, 8, 9))
    await stage.play(ServiceOptions(freeze=freeze))
    assert len(frozen) == times
