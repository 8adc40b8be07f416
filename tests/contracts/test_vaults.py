"""Insurance funds and supply vaults over the real clearing house."""

import ape
import pytest

MAX = 2**256 - 1
WEEK = 7 * 86_400


@pytest.fixture
def vault(sluice):
    return sluice.supply_vaults["USDC"]


@pytest.fixture
def fund(sluice):
    return sluice.insurance_funds["USDC"]


def deposit(sluice, into, holder, whole):
    """Deposit whole dollars into a vault or a fund; return the shares."""
    units = sluice.units("USDC", whole)
    sluice.tokens["USDC"].mint(holder, units, sender=holder)
    sluice.tokens["USDC"].approve(into, units, sender=holder)
    before = into.balanceOf(holder)
    into.deposit(units, holder, sender=holder)
    return into.balanceOf(holder) - before


def test_a_vault_share_is_a_share_of_the_pool_and_earns_its_interest(sluice, vault, borrower, stranger):
    shares = deposit(sluice, vault, stranger, 100_000)
    assert sluice.house.supplyShares(sluice.id("USDC"), vault) == shares
    sluice.open(borrower, ("WETH", 5_000), ("USDC", 700_000))
    sluice.wait(30 * 86_400)
    assert vault.maxWithdraw(stranger) > sluice.units("USDC", 100_000)
    before = sluice.tokens["USDC"].balanceOf(stranger)
    vault.redeem(shares, stranger, stranger, sender=stranger)
    assert sluice.tokens["USDC"].balanceOf(stranger) - before > sluice.units("USDC", 100_000)
    assert sluice.identity_gap("USDC") == 0


def test_supplier_shares_are_wrapped_and_unwrapped(sluice, vault, lender, stranger):
    usdc = sluice.id("USDC")
    before = sluice.house.supplyShares(usdc, lender)
    sluice.house.setOperator(vault, True, sender=lender)
    vault.wrap(before // 2, stranger, sender=lender)
    assert vault.balanceOf(stranger) == before // 2
    vault.unwrap(before // 2, lender, sender=stranger)
    assert sluice.house.supplyShares(usdc, lender) == before


def test_leaving_the_fund_takes_two_steps(sluice, fund, chain, stranger):
    shares = deposit(sluice, fund, stranger, 1_000)
    fund.requestRedeem(shares, sender=stranger)
    with ape.reverts(fund.ERC4626ExceededMaxRedeem):
        fund.redeem(shares, stranger, stranger, sender=stranger)
    chain.mine(deltatime=WEEK)
    before = sluice.tokens["USDC"].balanceOf(stranger)
    fund.redeem(shares, stranger, stranger, sender=stranger)
    assert sluice.tokens["USDC"].balanceOf(stranger) - before == sluice.units("USDC", 1_000)


def test_the_reserve_is_the_funds_income(sluice, fund, borrower, stranger):
    deposit(sluice, fund, stranger, 1_000)
    sluice.open(borrower, ("WETH", 5_000), ("USDC", 700_000))
    sluice.wait(365 * 86_400)
    usdc = sluice.id("USDC")
    sluice.house.repay(usdc, MAX, borrower, sender=borrower)
    sluice.house.distribute(usdc, sender=stranger)
    assert fund.totalAssets() > sluice.units("USDC", 1_050)
    assert sluice.identity_gap("USDC") == 0


def test_the_fund_bears_a_deficit_before_the_suppliers(sluice, fund, borrower, kicker, taker, stranger):
    shares = deposit(sluice, fund, stranger, 10_000_000)
    sluice.open(borrower, ("WETH", 100), ("USDC", 15_500))
    sluice.publish(WETH=140)
    usdc, weth = sluice.id("USDC"), sluice.id("WETH")
    supply = sluice.house.market(usdc).totalSupplyAssets
    sluice.kick(borrower, "WETH", sender=kicker)
    sluice.wait(300)
    receipt = sluice.engine.take(borrower, weth, usdc, MAX, MAX, taker, b"", sender=taker)
    (booked,) = sluice.house.Settled.from_receipt(receipt)
    deficit = booked.cancelled - booked.repaid
    assert deficit > 0
    (covered,) = sluice.house.DeficitCovered.from_receipt(receipt)
    assert covered.toSuppliers == deficit
    assert sluice.house.market(usdc).totalSupplyAssets >= supply
    paid = covered.toSuppliers + covered.toReserve
    assert covered.toReserve > 0, "tip and chip"
    assert fund.previewRedeem(shares) == pytest.approx(sluice.units("USDC", 10_000_000) - paid, abs=10)
    assert sluice.identity_gap("USDC") == 0
