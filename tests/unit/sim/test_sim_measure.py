"""The figures of the report, computed by hand beside the recorder."""

import numpy as np
import pytest

from bot.sim.abi import call_data
from bot.sim.book_view import BookHealth
from bot.sim.measure import Frame, PoolFrame, Recorder
from bot.sim.observation import BlockFacts, KeeperTransaction, Observer, WriteOff
from bot.sim.report import Quantiles, cost_bps, quantiles
from tests.support.replays import (
    BORROWER,
    KEEPER,
    ORACLE,
    TAKER,
    TERMS,
    address,
    log,
    manifest,
    receipt,
    settlement_logs,
)

USDC = 10**6
MARKET = (110.0, 6_000.0, 1.0)
OTHER = address(0xAB)


def recorder() -> Recorder:
    return Recorder(list(TERMS.values()), [BORROWER, OTHER], KEEPER, eth_id=0)


def facts(*logs: dict) -> BlockFacts:
    return Observer(manifest(), KEEPER, ORACLE).observe([receipt(KEEPER, logs)])


def frame(block: int) -> Frame:
    pool = PoolFrame(100.0, 1.0, 1.0)
    return Frame(block, 12 * block, MARKET, MARKET, (pool,), 2.0, 1.0, (0.0,) * 5, 0, 0.0)


def standing(*unhealthy: bool) -> BookHealth:
    flags = np.array(unhealthy)
    return BookHealth(np.ones(2), np.ones(2), np.where(flags, 0.9, 1.1), flags)


def acted(found: Recorder, *logs: dict) -> Recorder:
    found.acted(7, 84, facts(*logs), MARKET)
    return found


# ------------------------------------------------------------------------------------- settlements


def test_a_borrowers_cost_is_value_given_less_debt_repaid_at_the_market() -> None:
    (sale,) = acted(recorder(), *settlement_logs(surplus=4 * USDC)).sales
    assert (sale.sold, sale.repaid) == (110.0, 98.0)
    assert sale.given == 110.0 - 4.0
    assert cost_bps([(sale.given, sale.repaid)]) == pytest.approx(10_000 * (106 - 98) / 98, abs=1e-6)


def test_the_cost_at_the_oracle_uses_the_oracles_price() -> None:
    (sale,) = acted(recorder(), *settlement_logs(surplus=4 * USDC)).sales
    assert (sale.given_oracle, sale.repaid_oracle) == (96.0, 98.0)


def test_slippage_is_what_the_sale_brought_below_the_oracles_value() -> None:
    (sale,) = acted(recorder(), *settlement_logs()).sales
    assert sale.slippage_bps == pytest.approx(100.0)


def test_costs_are_weighted_by_debt() -> None:
    assert cost_bps([(101.0, 100.0), (900.0, 900.0)]) == 10.0
    assert cost_bps([]) is None


def test_bad_debt_adds_deficits_of_settlements_and_write_offs() -> None:
    found = acted(recorder(), *settlement_logs(deficit=3 * USDC))
    found.acted(8, 96, BlockFacts(write_offs=[WriteOff(8, BORROWER, 0, 10**17)]), MARKET)
    assert found.bad_debt == [(7, 3.0), (8, 11.0)]


# ------------------------------------------------------------------------------------------ keeper


def test_a_keeper_that_swaps_earns_tip_and_chip_and_pays_its_gas() -> None:
    found = acted(recorder(), *settlement_logs(tip=5 * USDC, chip=USDC)).keeper
    assert (found.tips, found.chips, found.profits) == (5.0, 1.0, 0.0)
    assert found.gas == pytest.approx(100_000 * 30e9 / 1e18 * 110)
    assert found.pnl == pytest.approx(6.0 - found.gas)


def test_a_keeper_that_takes_through_the_flash_taker_earns_its_profit_and_the_chip_only_once() -> None:
    taken = {"account": BORROWER, "seized": 10**18, "payment": 98 * USDC, "profit": 3 * USDC}
    logs = [*settlement_logs(route=0, settler=TAKER, chip=USDC), log("flash_taker", TAKER, "Taken", taken)]
    found = acted(recorder(), *logs).keeper
    assert (found.chips, found.profits) == (0.0, 3.0)


def test_a_keeper_that_takes_with_its_own_money_earns_the_collateral_less_what_it_paid() -> None:
    found = acted(recorder(), *settlement_logs(route=0, chip=USDC)).keeper
    assert (found.chips, found.profits) == (1.0, 110.0 - 99.0)


def test_another_settlers_chip_is_not_the_keepers() -> None:
    found = acted(recorder(), *settlement_logs(settler=OTHER, chip=USDC)).keeper
    assert found.chips == 0.0


# ---------------------------------------------------------------------------------------- reaction


def replayed(*blocks: tuple[bool, set[str]]) -> Recorder:
    """Play blocks: whether the borrower is unhealthy after each, and for whom the keeper acted in it."""
    found = recorder()
    for number, (unhealthy, accounts) in enumerate(blocks, start=1):
        done = BlockFacts()
        if accounts:
            done.keeper.append(KeeperTransaction("0x", True, 1, 1, frozenset(accounts)))
        found.acted(number, 12 * number, done, MARKET)
        found.stands(frame(number), standing(unhealthy, False))
    return found


def test_reaction_runs_from_the_first_unhealthy_block_to_the_first_transaction() -> None:
    found = replayed((False, set()), (True, set()), (True, set()), (True, {BORROWER}), (False, {BORROWER}))
    assert found.keeper.reactions == [2]
    assert found.keeper.unanswered == 0


def test_each_unhealthy_spell_has_a_reaction_of_its_own() -> None:
    found = replayed(
        (True, set()), (False, {BORROWER}), (False, set()), (True, set()), (True, set()), (True, {BORROWER})
    )
    assert found.keeper.reactions == [1, 2]


def test_a_spell_that_the_price_ended_is_counted_as_unanswered() -> None:
    found = replayed((True, set()), (False, set()))
    assert (found.keeper.reactions, found.keeper.unanswered) == ([], 1)


def test_a_transaction_for_another_account_is_no_reaction() -> None:
    assert replayed((True, set()), (True, {OTHER})).keeper.reactions == []


def test_a_reverted_transaction_is_found_by_its_calldata() -> None:
    found = recorder()
    data = call_data("kick(address,uint8[])", BORROWER, [0])
    assert found.named_in(data) == {BORROWER}
    assert found.named_in(call_data("kick(address,uint8[])", address(0x99), [0])) == set()


def test_quantiles_are_observed_values() -> None:
    assert quantiles([3.0, 1.0, 2.0, 10.0]) == Quantiles(p50=2.0, p95=10.0, max=10.0)
    assert quantiles([]) == Quantiles(p50=None, p95=None, max=None)
