"""How scores move, to the block."""

from dataclasses import replace

from bot.ports.rfq import DealerScore
from bot.rfq import scoring
from bot.rfq.scoring import BenchPolicy, PriceMark

POLICY = BenchPolicy(first_blocks=10, longest_blocks=35, forgiven_after=3)
NEW = DealerScore("0x")


def test_several_faults_in_one_block_are_one_strike() -> None:
    once = scoring.at_fault(NEW, POLICY, 100)
    again = scoring.at_fault(scoring.at_fault(once, POLICY, 100), POLICY, 100)
    assert (once.strikes, once.faults) == (1, 1)
    assert (again.strikes, again.faults) == (1, 3)
    assert again.benched_until == once.benched_until


def test_a_bench_begins_with_the_next_block_and_each_is_twice_as_long_up_to_the_longest() -> None:
    score, block, lengths = NEW, 100, []
    for _ in range(4):
        score = scoring.at_fault(score, POLICY, block)
        benched = [later for later in range(block + 1, block + 60) if scoring.is_benched(score, later)]
        lengths.append(len(benched))
        block = score.benched_until
        assert not scoring.is_benched(score, block)
    assert lengths == [10, 20, 35, 35]


def test_good_answers_in_a_row_take_a_strike_away_and_one_fault_ends_the_row() -> None:
    score = scoring.at_fault(NEW, POLICY, 1)
    for _ in range(2):
        score = scoring.answered(score, POLICY)
    assert score.strikes == 1
    assert scoring.declined(score, POLICY).strikes == 0
    broken = scoring.silent(score, POLICY, 50)
    assert scoring.answered(broken, POLICY).strikes == 1


def test_rates_reach_their_ends() -> None:
    score = NEW
    for _ in range(100):
        score = scoring.filled(scoring.answered(score, POLICY), POLICY, 1, succeeded=True)
    assert (score.response_bps, score.fill_bps) == (10_000, 10_000)


def mark(price: int, mid_then: int, mid_later: int, score: DealerScore = NEW, block: int = 1) -> DealerScore:
    return scoring.marked(score, POLICY, block, [PriceMark(price, mid_then, mid_later)])


def test_the_edge_has_the_sign_of_what_the_dealer_paid_over_the_later_mid() -> None:
    assert mark(101, 100, 100).edge_bps > 0
    assert mark(99, 100, 100).edge_bps < 0
    assert mark(10**30, 1, 1).edge_bps <= 10_000


def marked_until_benched(price: int, mid_then: int, mid_later: int, most: int = 100) -> int | None:
    """Return after how many blocks of such prices a dealer is benched, if it is."""
    score = NEW
    for block in range(most):
        score = mark(price, mid_then, mid_later, score, block)
        if scoring.is_benched(score, block + 1):
            return block + 1
    return None


def test_prices_far_below_the_mid_then_and_later_bench_within_blocks() -> None:
    assert marked_until_benched(90, 100, 100) == 6
    assert marked_until_benched(75, 100, 100) == 2, "as far off as a quote may be at all"


def test_prices_within_what_is_allowed_never_bench() -> None:
    assert marked_until_benched(95, 100, 100) is None


def test_a_market_that_rose_after_good_prices_benches_nobody() -> None:
    assert marked_until_benched(99, 100, 130) is None


def test_low_prices_that_the_later_mid_bears_out_bench_nobody() -> None:
    assert marked_until_benched(80, 100, 80) is None


def test_many_quotes_of_a_block_are_one_observation() -> None:
    marks = [PriceMark(90, 100, 100)] * 64
    assert scoring.marked(NEW, POLICY, 1, marks) == mark(90, 100, 100)
    mixed = [PriceMark(90, 100, 100), PriceMark(100, 100, 100)]
    assert scoring.marked(NEW, POLICY, 1, mixed) == mark(95, 100, 100)


def test_after_a_bench_prices_begin_half_way_to_the_next_one() -> None:
    score = mark(90, 100, 100, replace(NEW, edge_bps=-600))
    assert (score.strikes, score.edge_bps) == (1, -250)
    assert mark(90, 100, 100, score, score.benched_until).strikes == 1


def test_answers_at_bad_prices_work_no_strike_off() -> None:
    score = replace(NEW, strikes=2, edge_bps=-250)
    for _ in range(10):
        score = scoring.declined(scoring.answered(score, POLICY), POLICY)
    assert (score.strikes, score.good_in_a_row) == (2, 0)
    better = replace(score, edge_bps=-249)
    for _ in range(3):
        better = scoring.answered(better, POLICY)
    assert better.strikes == 1


def test_a_fill_that_went_through_was_the_best_price_there_was() -> None:
    low = replace(NEW, edge_bps=-490)
    assert scoring.filled(low, POLICY, 1, succeeded=True).edge_bps == -250
    assert scoring.filled(low, POLICY, 1, succeeded=False).edge_bps == -490
    assert scoring.filled(replace(NEW, edge_bps=30), POLICY, 1, succeeded=True).edge_bps == 30
