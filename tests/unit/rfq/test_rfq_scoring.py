"""How scores move, to the block."""

from bot.ports.rfq import DealerScore
from bot.rfq import scoring
from bot.rfq.scoring import BenchPolicy

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


def test_the_edge_has_the_sign_of_what_the_dealer_paid_over_the_later_mid() -> None:
    assert scoring.marked(NEW, 101, 100).edge_bps > 0
    assert scoring.marked(NEW, 99, 100).edge_bps < 0
    assert scoring.marked(NEW, 10**30, 1).edge_bps <= 10_000
