"""Going forward and back along the chain."""

import pytest
from eth_utils.abi import event_abi_to_log_topic

from bot import abi
from bot.errors import BookDivergedError
from bot.ports import Address, Hash32, Head, Log
from bot.protocols.sluice.manifest import Manifest
from bot.protocols.sluice.state import State, decoders_of, raw
from bot.protocols.sluice.timeline import Timeline
from tests.support.keeper import a_head
from tests.support.manifests import FEEDS, HOUSE, manifest

MANIFEST = Manifest.model_validate(manifest())


def topic(contract: str, name: str) -> Hash32:
    (entry,) = (e for e in abi.load(contract) if e["type"] == "event" and e["name"] == name)
    return Hash32("0x" + event_abi_to_log_topic(entry).hex())


def answer(head: Head, value: int) -> Log:
    """Return the log of a feed's answer in a block."""
    topics = (topic("aggregator", "AnswerUpdated"), *(Hash32(f"0x{n:064x}") for n in (value, head.number)))
    data = head.timestamp.to_bytes(32)
    return Log(Address(FEEDS[0]), topics, data, head.number, head.hash, head.hash, 0)


def answers(state: State) -> int:
    return state.answers[raw(FEEDS[0])].value if state.answers else 0


@pytest.fixture
def timeline() -> Timeline:
    """Return five heads above the start, each with an answer of its own height, three remembered."""
    made = Timeline(State(MANIFEST, {}, decoders_of(MANIFEST)), a_head(10), depth=3)
    for number in range(11, 16):
        made.extend(a_head(number), (answer(a_head(number), number),))
    return made


def test_every_head_is_applied(timeline: Timeline) -> None:
    assert (timeline.tip, answers(timeline.state)) == (a_head(15), 15)


@pytest.mark.parametrize("number", [12, 13, 14, 15])
def test_a_rollback_ends_at_the_ancestor_with_all_that_it_holds(timeline: Timeline, number: int) -> None:
    assert timeline.roll_back(a_head(number))
    assert (timeline.tip, answers(timeline.state)) == (a_head(number), number)


def test_the_new_branch_goes_on_from_the_ancestor(timeline: Timeline) -> None:
    timeline.roll_back(a_head(13))
    other = a_head(14, branch=1)
    timeline.extend(other, (answer(other, 1_400),))
    assert answers(timeline.state) == 1_400
    assert timeline.roll_back(a_head(12))
    assert answers(timeline.state) == 12


@pytest.mark.parametrize("ancestor", [a_head(11), a_head(10), a_head(13, branch=1)])
def test_what_is_not_remembered_changes_nothing(timeline: Timeline, ancestor: Head) -> None:
    assert not timeline.roll_back(ancestor)
    assert (timeline.tip, answers(timeline.state)) == (a_head(15), 15)


def test_a_log_that_cannot_follow_is_told_with_its_place(timeline: Timeline) -> None:
    head = a_head(16)
    word = Hash32("0x" + "00" * 31 + "09")
    account = Hash32("0x" + "00" * 12 + "ab" * 20)
    topics = (topic("clearing_house", "CollateralDeposited"), account, word, account)
    unlisted = Log(Address(HOUSE), topics, (5).to_bytes(32), 16, head.hash, head.hash, 2)
    with pytest.raises(BookDivergedError, match="log 2 of block 16"):
        timeline.extend(head, (unlisted,))
