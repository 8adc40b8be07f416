"""What a block's receipts tell."""

from bot.sim.observation import BlockFacts, Observer
from tests.support.replays import (
    BORROWER,
    ENGINE,
    HOUSE,
    KEEPER,
    ORACLE,
    TAKER,
    address,
    log,
    manifest,
    receipt,
    settlement_logs,
)

USDC = 10**6
STRANGER = address(0xFF)


def observed(*receipts: dict) -> BlockFacts:
    return Observer(manifest(), KEEPER, ORACLE).observe(receipts)


def test_a_swap_is_read_from_the_houses_event() -> None:
    logs = settlement_logs(route=1, tip=5 * USDC, chip=USDC, surplus=2 * USDC, deficit=0)
    (settlement,) = observed(receipt(KEEPER, logs)).settlements
    assert (settlement.route, settlement.account, settlement.block) == ("swap", BORROWER, 7)
    assert (settlement.collateral_id, settlement.debt_id) == (0, 2)
    assert (settlement.seized, settlement.payment, settlement.repaid) == (10**18, 99 * USDC, 98 * USDC)
    assert (settlement.tip, settlement.chip, settlement.surplus) == (5 * USDC, USDC, 2 * USDC)
    assert (settlement.collateral_price_wad, settlement.debt_price_wad) == (100 * 10**18, 10**18)
    assert (settlement.kicker, settlement.settler, settlement.by_keeper) == (KEEPER, KEEPER, True)


def test_the_proceeds_of_a_swap_are_its_payment() -> None:
    (settlement,) = observed(receipt(KEEPER, settlement_logs())).settlements
    assert settlement.proceeds == 99 * USDC


def test_the_proceeds_of_a_flash_take_include_what_the_taker_kept() -> None:
    taken = {"account": BORROWER, "seized": 10**18, "payment": 98 * USDC, "profit": 3 * USDC}
    logs = [*settlement_logs(route=0, settler=TAKER, chip=USDC), log("flash_taker", TAKER, "Taken", taken)]
    (settlement,) = observed(receipt(KEEPER, logs)).settlements
    assert settlement.profit == 3 * USDC
    assert settlement.proceeds == 99 * USDC - USDC + 3 * USDC


def test_another_ones_settlement_is_not_the_keepers() -> None:
    facts = observed(receipt(STRANGER, settlement_logs(settler=STRANGER)))
    assert not facts.settlements[0].by_keeper
    assert not facts.keeper


def test_a_settlement_is_at_the_prices_published_before_it() -> None:
    answer = {"current": 90 * 10**8, "roundId": 2, "updatedAt": 7}
    published = receipt(STRANGER, [log("aggregator", address(0xC0), "AnswerUpdated", answer)])
    earlier, later = observed(
        receipt(KEEPER, settlement_logs()), published, receipt(KEEPER, settlement_logs())
    ).settlements
    assert (earlier.collateral_price_wad, later.collateral_price_wad) == (100 * 10**18, 90 * 10**18)


def test_a_write_off_is_seen_with_its_account() -> None:
    written = {"account": BORROWER, "assetId": 2, "deficit": 7 * USDC, "shares": 1}
    facts = observed(receipt(KEEPER, [log("clearing_house", HOUSE, "DebtWrittenOff", written)]))
    (write_off,) = facts.write_offs
    assert (write_off.account, write_off.asset_id, write_off.deficit) == (BORROWER, 2, 7 * USDC)
    assert facts.touched == {BORROWER}


def test_a_kick_names_its_account_and_costs_its_gas() -> None:
    kicked = {"account": BORROWER, "epoch": 1, "kicker": KEEPER, "insolvent": False}
    facts = observed(receipt(KEEPER, [log("liquidation_engine", ENGINE, "Kicked", kicked)]))
    (transaction,) = facts.keeper
    assert transaction.accounts == {BORROWER}
    assert (transaction.gas_used, transaction.fee_wei) == (100_000, 100_000 * 30 * 10**9)


def test_a_reverted_transaction_is_counted_though_it_names_nobody() -> None:
    (transaction,) = observed(receipt(KEEPER, succeeded=False)).keeper
    assert not transaction.succeeded
    assert transaction.accounts == frozenset()


def test_logs_of_other_contracts_are_passed_over() -> None:
    foreign = settlement_logs()[0] | {"address": STRANGER}
    assert observed(receipt(STRANGER, [foreign])) == BlockFacts()
