"""When the keeper says that it is alive, when that it is ready, and how it is asked."""

import asyncio

import aiohttp
import pytest

from bot.errors import LedgerUnavailableError, MonitorAddressError
from bot.ops.health import Health, Tolerance, forbidden
from bot.ops.metrics import Metrics
from bot.ops.monitor import Monitor
from bot.ops.server import MonitorServer
from bot.ports import HaltNote, NewHead
from tests.support.keeper import a_head


class Stage:
    """A keeper of which everything can be told."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.stale = self.quarantined = False
        self.leads = True
        self.halt: str | None = None
        self.failure: Exception | None = None
        self.monitor = Monitor(Metrics(), "WETH", 0, lambda: self.now)
        self.health = Health(
            self.monitor,
            Tolerance.of(12),
            stale=lambda: self.stale,
            leads=lambda: self.leads,
            quarantined=lambda: self.quarantined,
            halted=self.halted,
        )

    async def halted(self) -> str | None:
        if self.failure is not None:
            raise self.failure
        return self.halt

    def head(self, *, acted: bool = True) -> None:
        self.monitor.on_event(NewHead(a_head(5), 0))
        if acted:
            self.monitor.on_acted(a_head(5))

    async def failing(self) -> set[str]:
        return {name for name, reason in (await self.health.ready()).items() if reason is not None}

    def dead(self) -> set[str]:
        return {name for name, reason in self.health.alive().items() if reason is not None}


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_a_keeper_that_acts_on_its_heads_is_alive_and_ready(stage: Stage) -> None:
    stage.head()
    assert await stage.failing() == set()
    assert stage.dead() == set()


async def test_one_that_starts_is_alive_and_not_ready(stage: Stage) -> None:
    assert await stage.failing() == {"heads", "acting"}
    assert stage.dead() == set()
    stage.head(acted=False)
    assert await stage.failing() == {"acting"}


async def test_silence_beyond_five_blocks_is_not_ready(stage: Stage) -> None:
    stage.head()
    stage.now += 60.0
    assert await stage.failing() == set()
    stage.now += 1.0
    assert await stage.failing() == {"heads", "acting"}


def test_heads_that_arrive_with_none_acted_on_ask_for_a_restart(stage: Stage) -> None:
    stage.head()
    for _ in range(31):
        stage.now += 12.0
        stage.head(acted=False)
    assert stage.dead() == {"work"}
    stage.leads = False
    assert stage.dead() == set()


def test_a_chain_that_stands_still_does_not_ask_for_a_restart(stage: Stage) -> None:
    stage.head()
    stage.now += 4_000.0
    assert stage.dead() == set()
    stage.stale = True
    assert stage.dead() == {"heads"}


async def test_each_trouble_has_a_check_of_its_own(stage: Stage) -> None:
    stage.head()
    stage.stale = True
    assert await stage.failing() == {"heads"}
    stage.stale, stage.quarantined = False, True
    assert await stage.failing() == {"book"}
    stage.quarantined, stage.leads = False, False
    assert await stage.failing() == {"leading"}
    stage.leads, stage.halt = True, "halted by operator: a look"
    assert await stage.failing() == {"permitted"}
    stage.failure = LedgerUnavailableError("x", "locked")
    assert await stage.failing() == {"ledger"}
    assert stage.monitor.metrics.registry.get_sample_value("sluice_check", {"check": "ledger"}) == 0
    assert stage.monitor.metrics.registry.get_sample_value("sluice_check", {"check": "book"}) == 1


async def test_a_ledger_that_hangs_does_not_hang_the_answer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.ops.health._LEDGER_PATIENCE_S", 0.01)

    async def hang() -> str | None:
        await asyncio.Event().wait()
        return None

    stage.halted = hang  # type: ignore[method-assign]
    stage.health._halted = hang  # type: ignore[misc]
    stage.head()
    assert await stage.failing() == {"ledger"}


async def test_a_halt_in_the_ledger_is_told_with_its_reason() -> None:
    class Memory:
        note: HaltNote | None = None

        async def last_halt(self) -> HaltNote | None:
            return self.note

    memory = Memory()
    assert await forbidden(memory) is None  # type: ignore[arg-type]
    memory.note = HaltNote(1, True, "operator", "a look", 5)
    assert await forbidden(memory) == "halted by operator: a look"  # type: ignore[arg-type]
    memory.note = HaltNote(2, False, "operator", "looked", 6)
    assert await forbidden(memory) is None  # type: ignore[arg-type]


# ------------------------------------------------------------------------------- the server


async def test_the_server_answers_by_status_and_says_why(stage: Stage) -> None:
    metrics = stage.monitor.metrics
    async with (
        MonitorServer("127.0.0.1", 0, metrics, stage.health) as server,
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session,
    ):
        async with session.get("/readyz") as answer:
            assert answer.status == 503
            assert (await answer.json())["checks"]["heads"] == "no head yet"
        async with session.get("/healthz") as answer:
            assert answer.status == 200
        stage.head()
        async with session.get("/readyz") as answer:
            assert answer.status == 200
            assert await answer.json() == {
                "ok": True,
                "checks": dict.fromkeys(["heads", "acting", "book", "leading", "ledger", "permitted"], "ok"),
            }
        async with session.get("/metrics") as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            text = await answer.text()
            assert "sluice_heads_seen_total 1.0" in text
            assert 'sluice_check{check="heads"} 1.0' in text
        async with session.get("/") as answer:
            assert answer.status == 404


async def test_an_address_that_is_taken_is_told(stage: Stage) -> None:
    async with MonitorServer("127.0.0.1", 0, stage.monitor.metrics, stage.health) as first:
        with pytest.raises(MonitorAddressError, match=rf"127\.0\.0\.1:{first.port}.*ops\.listen"):
            async with MonitorServer("127.0.0.1", first.port, stage.monitor.metrics, stage.health):
                pass
