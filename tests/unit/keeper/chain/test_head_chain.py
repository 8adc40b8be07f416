"""How branches join the chain of heads: a model that keeps everything agrees with it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chain.head_chain import HEADS_REMEMBERED, HeadChain
from bot.errors import MalformedAnswerError, ReorgTooDeepError
from bot.ports import Head, NewHead, Reorg
from tests.support.keeper import a_head


def extended(chain: HeadChain, *heads: Head) -> list[NewHead | Reorg]:
    return chain.extend(list(heads))


def test_the_first_head_is_just_new() -> None:
    chain = HeadChain()
    assert chain.tip is None
    assert extended(chain, a_head(7)) == [NewHead(a_head(7), behind=0)]
    assert chain.tip == a_head(7)


def test_heads_filled_in_say_how_far_behind_they_are() -> None:
    chain = HeadChain()
    extended(chain, a_head(7))
    assert extended(chain, a_head(8), a_head(9), a_head(10)) == [
        NewHead(a_head(8), behind=2),
        NewHead(a_head(9), behind=1),
        NewHead(a_head(10), behind=0),
    ]


@pytest.mark.parametrize("number", [0, 7, 9, 10**9])
def test_a_head_whose_height_is_not_that_after_its_parent_is_refused(number: int) -> None:
    chain = HeadChain()
    extended(chain, a_head(6), a_head(7))
    with pytest.raises(MalformedAnswerError, match="number"):
        extended(chain, replace(a_head(8), number=number))
    with pytest.raises(MalformedAnswerError, match="number"):
        extended(chain, a_head(8), replace(a_head(9), number=number + 1))
    assert chain.tip == a_head(7)
    assert extended(chain, a_head(8)) == [NewHead(a_head(8), behind=0)]


def test_a_branch_below_the_tip_voids_what_is_above_it_oldest_first() -> None:
    chain = HeadChain()
    extended(chain, *(a_head(number) for number in range(5, 10)))
    fork = a_head(8, branch=1, parent_branch=0)
    assert extended(chain, fork) == [
        Reorg(a_head(7), (a_head(8), a_head(9))),
        NewHead(fork, behind=0),
    ]
    assert not chain.holds(a_head(8).hash)
    assert chain.holds(a_head(7).hash)


def test_only_so_many_heads_are_remembered() -> None:
    chain = HeadChain(capacity=4)
    extended(chain, *(a_head(number) for number in range(10)))
    assert [number for number in range(10) if chain.holds(a_head(number).hash)] == [6, 7, 8, 9]
    assert len(chain._by_hash) == len(chain._heads) == 4


def test_an_ancestor_below_all_that_is_remembered_is_out_of_reach() -> None:
    chain = HeadChain(capacity=4)
    extended(chain, *(a_head(number) for number in range(10)))
    chain.check_reachable(a_head(7, branch=1))
    with pytest.raises(ReorgTooDeepError, match="block 6, deeper than the 4 heads"):
        chain.check_reachable(a_head(6, branch=1))


def test_the_depth_remembered_by_default_is_128() -> None:
    chain = HeadChain()
    extended(chain, *(a_head(number) for number in range(300)))
    assert len(chain._heads) == HEADS_REMEMBERED == 128


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4)), max_size=20))
def test_a_follower_of_the_events_holds_the_chain(steps: list[tuple[int, int]]) -> None:
    """Each step forks ``depth`` heads below the tip and grows ``length`` heads on the new branch."""
    chain = HeadChain()
    follower = [a_head(100)]
    chain.extend(follower)
    truth = list(follower)
    for branch, (depth, length) in enumerate(steps, start=1):
        truth = truth[: max(1, len(truth) - depth)]
        grown: list[Head] = []
        for _ in range(length):
            parent = grown[-1] if grown else truth[-1]
            child = a_head(parent.number + 1, branch)
            grown.append(Head(child.number, child.hash, parent.hash, child.timestamp, 1))
        truth += grown
        for event in chain.extend(grown):
            if isinstance(event, Reorg):
                assert event.dropped == tuple(follower[follower.index(event.ancestor) + 1 :])
                assert event.dropped
                follower = follower[: follower.index(event.ancestor) + 1]
            else:
                assert event.head.parent_hash == follower[-1].hash
                follower.append(event.head)
        assert follower == truth
        assert chain.tip == truth[-1]
