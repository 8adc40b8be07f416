"""A start that the node refuses: tried again for a bounded time, and given up in words."""

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from bot.errors import (
    ChainError,
    EndpointUnreachableError,
    ManifestError,
    RpcError,
    StartRefusedError,
    WrongChainError,
)
from bot.starting import PatientStart, StartOptions

BUSY = EndpointUnreachableError("http://node", "HTTP status 429 (too many requests)")
QUICK = StartOptions(patience_s=0.2, backoff_start_s=0.01, backoff_limit_s=0.04)


class Step:
    """Fails as often as it is told to."""

    def __init__(self, failures: int, error: Exception = BUSY) -> None:
        self.failures, self.error, self.attempts = failures, error, 0

    async def __call__(self) -> str:
        self.attempts += 1
        if self.attempts <= self.failures:
            raise self.error
        return "done"


@pytest.mark.parametrize("error", [BUSY, RpcError("eth_chainId", -32005, "too many requests")])
async def test_a_step_that_the_node_fails_is_taken_again_and_each_failure_told(error: ChainError) -> None:
    step = Step(3, error)
    with capture_logs() as logs:
        assert await PatientStart(QUICK).step("connecting", step) == "done"
    assert step.attempts == 4
    assert [(entry["event"], entry["step"], entry["attempt"]) for entry in logs] == [
        ("start_delayed", "connecting", attempt) for attempt in (1, 2, 3)
    ]
    assert all(str(error) == entry["reason"] for entry in logs)


async def test_waits_double_up_to_their_limit() -> None:
    started = time.monotonic()
    with capture_logs() as logs:
        await PatientStart(StartOptions(5.0, 0.1, 0.2)).step("connecting", Step(3))
    assert [entry["retry_in_s"] for entry in logs] == [0.1, 0.2, 0.2]
    assert time.monotonic() - started >= 0.5


async def test_a_start_is_given_up_when_its_time_is_over_and_says_so() -> None:
    step, started = Step(10**6), time.monotonic()
    with pytest.raises(StartRefusedError, match="start_patience_s") as caught:
        await PatientStart(QUICK).step("connecting", step)
    assert 0.2 <= time.monotonic() - started < 2
    error = caught.value
    assert (error.step, error.attempts, error.patience_s, error.last) == (
        "connecting",
        step.attempts,
        0.2,
        BUSY,
    )
    assert "within 0.2 s" in str(error)
    assert "HTTP status 429" in str(error)


async def test_all_steps_share_one_time() -> None:
    start = PatientStart(QUICK)
    await start.step("connecting", Step(0))
    await asyncio.sleep(QUICK.patience_s)
    late = Step(10**6)
    with pytest.raises(StartRefusedError, match="looking failed once"):
        await start.step("looking", late)
    assert late.attempts == 1


@pytest.mark.parametrize(
    "error", [WrongChainError("ws://node", 1, 2), ManifestError("m.json", "is no manifest", "deploy")]
)
async def test_what_time_does_not_mend_ends_the_start_at_once(error: Exception) -> None:
    step = Step(1, error)
    with pytest.raises(type(error)):
        await PatientStart(QUICK).step("connecting", step)
    assert step.attempts == 1


async def test_without_patience_the_failure_itself_is_told() -> None:
    step = Step(1)
    with pytest.raises(EndpointUnreachableError):
        await PatientStart(StartOptions(patience_s=0)).step("connecting", step)
    assert step.attempts == 1
