"""Early deleveraging over the real clearing house and a real pool, from the opt-in to the sale."""

from dataclasses import replace

import ape
import pytest

from scripts.deployment.ape_deployer import ApeDeployer
from scripts.deployment.config import DeploymentConfig, ProtectionConfig
from scripts.deployment.plan import deploy_everything
from tests.contracts.market import provide_liquidity, sell_down_to
from tests.contracts.sluice import WAD, Sluice, contract

MAX = 2**256 - 1
FOR_EVER = 2**40 - 1
FOUR_HOURS = 14_400
MOST_GAS = {"deleverage": 330_000, "flash": 485_000}
"""Of whole transactions; 315,000 and 464,000 when written."""


@pytest.fixture(scope="module")
def sluice(chain, governor, lender, borrower, taker):
    """Return a deployment with protection, and a pool at the feeds' prices."""
    config = replace(DeploymentConfig(), protection=ProtectionConfig())
    built = Sluice(chain, deploy_everything(ApeDeployer(governor), config), governor)
    built.fund("USDC", lender, 10_000_000)
    built.house.supply(built.id("USDC"), built.units("USDC", 10_000_000), lender, sender=lender)
    built.fund("WETH", borrower, 1_000)
    built.fund("USDC", taker, 1_000_000)
    provide_liquidity(built, governor, "WETH", "USDC")
    return built


@pytest.fixture(scope="module")
def protection(sluice):
    return contract("Protection").at(sluice.manifest["protection"])


@pytest.fixture(scope="module")
def flash(sluice):
    return contract("FlashProtector").at(sluice.manifest["flash_protector"])


def terms(**changed):
    values = {
        "collaterals": 0b111,
        "minDistanceWad": 3 * WAD,
        "horizon": FOUR_HOURS,
        "targetHealthFactorBps": 11_000,
        "maxFeeBps": 80,
        "scenarios": 0,
        "expiry": FOR_EVER,
        "minValue": 100,
        "maxValue": 1_000_000,
        "maxDailyValue": 1_000_000,
    } | changed
    return tuple(values.values())


@pytest.fixture
def near(sluice, protection, borrower, governor):
    """Return an account that asked for protection and that a fall from 200 to 193 has brought near."""
    sluice.open(borrower, ("WETH", 100), ("USDC", 15_500))
    sluice.house.setOperator(protection, True, sender=borrower)
    protection.protect(terms(), sender=borrower)
    sluice.publish(WETH=193)
    sell_down_to(sluice, governor, 193)
    assert 1 < sluice.health(borrower) < 1.04
    return borrower


def ids(sluice):
    return sluice.id("WETH"), sluice.id("USDC")


def test_anyone_deleverages_through_the_real_pool_without_capital(sluice, protection, flash, near, stranger):
    fee = protection.assess(near).fee
    receipt = flash.deleverageAndSell(near, *ids(sluice), MAX, 500, 0, stranger, sender=stranger)
    (event,) = flash.Protected.from_receipt(receipt)
    assert sluice.health(near) == pytest.approx(1.1, abs=1e-6)
    assert sluice.health(near) <= 1.1
    assert sluice.tokens["USDC"].balanceOf(stranger) == event.profit > 0
    assert event.profit < event.repaid * fee / WAD
    assert [token.balanceOf(flash) for token in sluice.tokens.values()] == [0, 0, 0]
    assert [token.balanceOf(protection) for token in sluice.tokens.values()] == [0, 0, 0]
    assert sluice.identity_gap("USDC") == sluice.identity_gap("WETH") == 0
    assert receipt.gas_used < MOST_GAS["flash"]


def test_an_executor_with_capital_gets_collateral_worth_the_fee_more(sluice, protection, near, taker):
    sluice.tokens["USDC"].approve(protection, MAX, sender=taker)
    receipt = protection.deleverage(near, *ids(sluice), MAX, 0, taker, b"", sender=taker)
    (event,) = protection.Deleveraged.from_receipt(receipt)
    worth = event.seized * 193
    assert worth == pytest.approx(event.value * (WAD + event.fee) / WAD, rel=1e-9)
    assert (event.healthBefore, event.healthAfter) == (
        pytest.approx(0.83 * 19_300 / 15_500 * WAD, rel=1e-6),
        sluice.house.healthFactor(near),
    )
    assert receipt.gas_used < MOST_GAS["deleverage"]


def test_a_second_sale_finds_nothing_to_do(sluice, protection, flash, near, stranger):
    flash.deleverageAndSell(near, *ids(sluice), MAX, 500, 0, stranger, sender=stranger)
    with ape.reverts(protection.TriggerUnmet):
        flash.deleverageAndSell(near, *ids(sluice), MAX, 500, 0, stranger, sender=stranger)


def test_a_pool_that_pays_too_little_leaves_the_account_alone(sluice, flash, near, stranger, governor):
    sell_down_to(sluice, governor, 190)
    with ape.reverts(flash.ProceedsBelowMinimum):
        flash.deleverageAndSell(near, *ids(sluice), MAX, 500, 0, stranger, sender=stranger)


def test_an_owner_leaves_at_any_time(sluice, protection, flash, near, stranger, governor):
    protection.setPaused(True, sender=governor)
    protection.unprotect(sender=near)
    protection.setPaused(False, sender=governor)
    with ape.reverts(protection.AccountUnprotected):
        flash.deleverageAndSell(near, *ids(sluice), MAX, 500, 0, stranger, sender=stranger)


def test_the_scenario_of_the_deployment_counts_for_those_who_chose_it(sluice, protection, near):
    assert protection.scenarioCount() == 1
    assert [protection.shockOf(0, i) for i in range(3)] == [-2_000, -1_500, 0]
    sluice.publish(WETH=225)
    assert protection.assess(near).shortfall == 0
    protection.protect(terms(scenarios=1), sender=near)
    assert protection.assess(near).worstHealth == pytest.approx(0.83 * 18_000 / 15_500 * WAD, rel=1e-6)
    assert protection.assess(near).shortfall > 0
