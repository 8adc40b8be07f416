"""How a dealer's score moves: pure functions from score to score.

Time is counted in blocks. A fault is what an honest dealer cannot do: a forged or altered quote, a message
that is none. Silence, and fills that revert, happen to honest dealers too; they lower a rate, and only a low
rate benches. Each bench is twice as long as the one before it, until good answers have worked it off.

A price costs the keeper nothing, however bad: a quote that pays too little is not filled. What a dealer
that always pays far too little wastes are requests, and the time in which they are answered. So its prices
are held against the mid some blocks later, all of a head as one observation, and it is benched where they
are far below on average and were far below the mid when they were given, too. Neither alone will do: a
dealer that bids below a feed which lags is borne out by the later mid, and one that bid near the mid of its
time cannot help that the market rose. A fill that goes through was the best price there was.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from bot.domain.wad import BPS
from bot.ports.rfq import UNSCORED, DealerScore

_MEMORY = 8
"""A rate moves an eighth of the way with each observation."""
_WIDEST_EDGE_BPS = BPS

UNTRIED_FILL_BPS = 9_000
"""Share of fills believed to go through before the first was tried: verified, and yet unproven."""


@dataclass(frozen=True, slots=True)
class BenchPolicy:
    """When a dealer is left out, and for how long.

    Parameters
    ----------
    first_blocks, longest_blocks : int
        Length of the first bench, and of the longest.
    least_response_bps, least_fill_bps : int
        Rates below which a dealer is benched.
    forgiven_after : int
        Good answers in a row that take a strike away.
    most_discount_bps : int
        Below the mid price by more than which, on average, prices bench. Where the average is beyond half of
        it no answer counts as good. 10,000 benches nobody.
    """

    first_blocks: int = 25
    longest_blocks: int = 7_200
    least_response_bps: int = 1_500
    least_fill_bps: int = 3_000
    forgiven_after: int = 50
    most_discount_bps: int = 500

    @property
    def eased_edge_bps(self) -> int:
        """Edge at which a dealer begins anew after a bench or a fill: half way to the next bench."""
        return -(self.most_discount_bps // 2)


class PriceMark(NamedTuple):
    """The price of a quote, and the mid prices of its pair; all in the same unit.

    Parameters
    ----------
    price : int
        What the dealer offered.
    mid_then, mid_later : int
        The mid when it did, and some blocks later; above zero.
    """

    price: int
    mid_then: int
    mid_later: int


def answered(score: DealerScore, policy: BenchPolicy) -> DealerScore:
    """Return the score after a quote that held."""
    better = replace(score, asked=score.asked + 1, answered=score.answered + 1)
    return _good(better, policy)


def declined(score: DealerScore, policy: BenchPolicy) -> DealerScore:
    """Return the score after a refusal in time: an answer like any other."""
    better = replace(score, asked=score.asked + 1, declined=score.declined + 1)
    return _good(better, policy)


def silent(score: DealerScore, policy: BenchPolicy, block: int) -> DealerScore:
    """Return the score after no answer in time, or one that was void at the head."""
    response = _moved(score.response_bps, 0)
    worse = replace(score, asked=score.asked + 1, response_bps=response, good_in_a_row=0)
    return _benched(worse, policy, block) if response < policy.least_response_bps else worse


def at_fault(score: DealerScore, policy: BenchPolicy, block: int) -> DealerScore:
    """Return the score after a message or a quote that an honest dealer does not send."""
    worse = replace(score, asked=score.asked + 1, faults=score.faults + 1, good_in_a_row=0)
    return _benched(worse, policy, block)


def filled(score: DealerScore, policy: BenchPolicy, block: int, *, succeeded: bool) -> DealerScore:
    """Return the score after a fill went through, or reverted."""
    rate = _moved(score.fill_bps, BPS if succeeded else 0)
    if succeeded:
        edge = max(score.edge_bps, policy.eased_edge_bps)
        return replace(score, fills=score.fills + 1, fill_bps=rate, edge_bps=edge)
    worse = replace(score, failed_fills=score.failed_fills + 1, fill_bps=rate, good_in_a_row=0)
    return _benched(worse, policy, block) if rate < policy.least_fill_bps else worse


def marked(score: DealerScore, policy: BenchPolicy, block: int, marks: Sequence[PriceMark]) -> DealerScore:
    """Return the score after the mid price some blocks after a head's quotes is known.

    Parameters
    ----------
    score : DealerScore
        So far.
    policy : BenchPolicy
        When a dealer is left out.
    block : int
        In which the later mid is known.
    marks : sequence of PriceMark
        All quotes of the dealer that are marked in this block, at least one: one observation.
    """
    later = _mean([_edge(mark.price, mark.mid_later) for mark in marks])
    then = _mean([_edge(mark.price, mark.mid_then) for mark in marks])
    moved = replace(score, edge_bps=_moved(score.edge_bps, later))
    worst = -policy.most_discount_bps
    return _benched(moved, policy, block) if moved.edge_bps < worst and then < worst else moved


def is_benched(score: DealerScore, block: int) -> bool:
    """Whether the dealer is left out in a block."""
    return block < score.benched_until


def _good(score: DealerScore, policy: BenchPolicy) -> DealerScore:
    priced = score.edge_bps > policy.eased_edge_bps
    row, strikes = score.good_in_a_row + priced, score.strikes
    if row >= policy.forgiven_after and strikes:
        row, strikes = 0, strikes - 1
    response = _moved(score.response_bps, BPS)
    return replace(score, response_bps=response, good_in_a_row=row, strikes=strikes)


def _benched(score: DealerScore, policy: BenchPolicy, block: int) -> DealerScore:
    """Return the score benched from ``block``; low rates begin anew, lest one more slip bench it again.

    Several faults in one block are one strike.
    """
    if is_benched(score, block):
        return score
    length = min(policy.first_blocks << min(score.strikes, 32), policy.longest_blocks)
    return replace(
        score,
        strikes=score.strikes + 1,
        good_in_a_row=0,
        benched_until=block + 1 + length,
        response_bps=max(score.response_bps, UNSCORED // 2),
        fill_bps=max(score.fill_bps, UNSCORED),
        edge_bps=max(score.edge_bps, policy.eased_edge_bps),
    )


def _edge(price: int, mid: int) -> int:
    """Return by how much a price is over the mid, basis points. Rounding: DOWN."""
    return max(-_WIDEST_EDGE_BPS, min((price - mid) * BPS // mid, _WIDEST_EDGE_BPS))


def _mean(edges: Sequence[int]) -> int:
    return sum(edges) // len(edges)


def _moved(rate: int, towards: int) -> int:
    """Return a rate moved an eighth of the way. Rounding: away from where it was, so that it gets there."""
    step = towards - rate
    return rate + (-(-step // _MEMORY) if step > 0 else step // _MEMORY)
