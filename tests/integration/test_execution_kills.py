"""SIGKILL before and after every call to ledger, node, relay and dealer: no action is lost or doubled."""

import shutil
from collections.abc import AsyncIterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from tests.support.anvil import Client
from tests.support.landing import COUNTER, count, deploy, port_of, running
from tests.support.private_relay import Server, acknowledge, into, serving
from tests.support.stories import STORIES, Stage, is_killed, landed_accounts, processes

pytestmark = pytest.mark.node


@pytest.fixture
async def relay() -> AsyncIterator[Server]:
    async with serving(acknowledge) as server:
        yield server


STEPS = {
    "landed": 33,
    "bumped": 88,
    "cancelled": 57,
    "filled": 50,
    "halted": 57,
    "built by a relay": 33,
    "left by a relay": 82,
    "refused and taken": 58,
    "undone": 50,
    "dealt": 45,
}
"""Steps that each story has at least: one before and one after each call."""


@pytest.mark.parametrize(
    "name", ["bumped", "cancelled", "built by a relay", "refused and taken", "undone", "dealt"]
)
async def test_a_kill_after_any_call_neither_loses_nor_doubles_an_action(
    node: Client, tmp_path: Path, relay: Server, name: str
) -> None:
    await killed_at_every_step(node, tmp_path, relay, name, stride=2)  # which is before the next call


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "landed" else pytest.mark.slow) for name in STORIES]
)
async def test_a_kill_at_any_step_neither_loses_nor_doubles_an_action(
    node: Client, tmp_path: Path, relay: Server, name: str
) -> None:
    await killed_at_every_step(node, tmp_path, relay, name, stride=1)


async def killed_at_every_step(node: Client, folder: Path, relay: Server, name: str, stride: int) -> None:
    """Kill a story at each step in turn, and see that what it was to do ends in a block, once."""
    counter, blank = deploy(node, COUNTER), folder / "blank.sqlite"
    if name == "built by a relay":
        relay.answer = into(lambda raw: node.call("eth_sendRawTransaction", raw))
    async with running(port_of(node), blank):
        pass
    context, step, killed = processes(), 0, True
    while killed:
        step += stride
        snapshot = node.call("evm_snapshot")
        path = Path(shutil.copy(blank, folder / f"{step}.sqlite"))
        killed = await killed_and_made_good(
            node, Stage(port_of(node), path, counter, relay.url), context, name, step
        )
        node.call("evm_revert", snapshot)
    assert step > STEPS[name]


async def killed_and_made_good(
    node: Client, stage: Stage, context: ForkServerContext, name: str, step: int
) -> bool:
    """Kill a story and let another process go on; return whether it came as far as the step."""
    killed = await is_killed(context, name, stage, step)
    story = STORIES[name]
    rows = await story.go_on(node, stage)
    landed = landed_accounts(rows)
    assert count(node, stage.counter) == story.lands, f"killed at step {step}"
    assert len(set(landed)) == len(landed) == story.lands, f"killed at step {step}"
    assert not [row for row in rows if row.outcome.is_open], f"killed at step {step}"
    return killed
