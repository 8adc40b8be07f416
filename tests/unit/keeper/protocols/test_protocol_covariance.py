"""The live covariances in the book kept from logs: what counts, and how a reorg takes it back."""

from itertools import pairwise

import pytest
from eth_utils.abi import event_abi_to_log_topic

from bot import abi
from bot.domain.volatility import LiveCovariance
from bot.ports import Address, Hash32, Head, Log
from bot.protocols.sluice.following import follow
from bot.protocols.sluice.manifest import Manifest
from bot.protocols.sluice.state import State, decoders_of
from bot.protocols.sluice.timeline import Timeline
from tests.support.keeper import a_head
from tests.support.manifests import FEEDS, manifest

MANIFEST = Manifest.model_validate(manifest())
(EVENT,) = (e for e in abi.load("aggregator") if e.get("name") == "AnswerUpdated")
TOPIC = Hash32("0x" + event_abi_to_log_topic(EVENT).hex())


def answer(head: Head, value: int, *, feed: int = 0, at: int | None = None) -> Log:
    """Return the log of a feed's answer; by default of the block's own time."""
    topics = (TOPIC, *(Hash32(f"0x{n % 2**256:064x}") for n in (value, head.number)))
    data = (head.timestamp if at is None else at).to_bytes(32)
    return Log(Address(FEEDS[feed]), topics, data, head.number, head.hash, head.hash, 0)


@pytest.fixture
def timeline() -> Timeline:
    fresh = LiveCovariance.fresh(3)
    return Timeline(State(MANIFEST, {}, decoders_of(MANIFEST), covariance=fresh), a_head(10), depth=3)


def dollars(value: int) -> float:
    """Return an answer of the test's first feed as a price."""
    return value / 10 ** MANIFEST.assets[0].feed_decimals


def learnt(timeline: Timeline) -> LiveCovariance:
    found = timeline.state.covariance
    assert found is not None
    return found


def test_each_answer_is_consumed_by_its_own_timestamp(timeline: Timeline) -> None:
    head = a_head(11)
    timeline.extend(head, (answer(head, 200), answer(head, 8_000, feed=1, at=head.timestamp - 5)))
    assert learnt(timeline).times.tolist() == [head.timestamp, head.timestamp - 5, -1]


def test_an_answer_that_is_no_price_teaches_nothing(timeline: Timeline) -> None:
    head = a_head(11)
    timeline.extend(head, (answer(head, 0), answer(head, -5), answer(head, 200, at=head.timestamp + 1)))
    assert learnt(timeline) == LiveCovariance.fresh(3)


def test_a_rollback_takes_back_what_was_learnt_on_the_dropped_branch(timeline: Timeline) -> None:
    before = [learnt(timeline)]
    for number in range(11, 18):
        head = a_head(number)
        timeline.extend(head, (answer(head, 200 + number),))
        before.append(learnt(timeline))
    assert all(earlier != later for earlier, later in pairwise(before))
    assert timeline.roll_back(a_head(15))
    assert learnt(timeline) == before[5]
    other = a_head(16, branch=1, parent_branch=0)
    timeline.extend(other, (answer(other, 999),))
    assert learnt(timeline) == before[5].after(0, other.timestamp, dollars(999))


def test_a_state_that_estimates_nothing_learns_nothing() -> None:
    timeline = Timeline(State(MANIFEST, {}, decoders_of(MANIFEST)), a_head(10), depth=3)
    timeline.extend(a_head(11), (answer(a_head(11), 200),))
    assert timeline.state.covariance is None


def test_a_checkpoint_meets_the_logs_it_has_seen_already(timeline: Timeline) -> None:
    logs = [answer(a_head(number), 200 + number) for number in range(11, 15)]
    known = learnt(timeline)
    for number in range(11, 13):
        known = known.after(0, a_head(number).timestamp, dollars(200 + number))
    resumed = State(MANIFEST, {}, decoders_of(MANIFEST), covariance=known)
    whole = State(MANIFEST, {}, decoders_of(MANIFEST), covariance=LiveCovariance.fresh(3))
    for log in logs:
        for state in (resumed, whole):
            follow(state, log, a_head(log.block_number).timestamp)
    assert resumed.covariance == whole.covariance


def test_an_answer_counts_in_the_unit_of_price_files(timeline: Timeline) -> None:
    head = a_head(11)
    timeline.extend(head, (answer(head, 200 * 10**8),))
    assert learnt(timeline) == LiveCovariance.fresh(3).after(0, head.timestamp, 200.0)
