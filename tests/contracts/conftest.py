"""One deployment for the session; ape isolates each test by a snapshot of the chain."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.deployment.ape_deployer import ApeDeployer
from scripts.deployment.config import DeploymentConfig
from scripts.deployment.plan import deploy_everything
from tests.contracts.market import provide_liquidity
from tests.contracts.sluice import Sluice

ETHER = 10**18


@pytest.fixture(scope="session")
def governor(accounts):
    return accounts[0]


@pytest.fixture(scope="session")
def lender(accounts):
    return accounts[1]


@pytest.fixture(scope="session")
def borrower(accounts):
    return accounts[2]


@pytest.fixture(scope="session")
def kicker(accounts):
    return accounts[3]


@pytest.fixture(scope="session")
def taker(accounts):
    return accounts[4]


@pytest.fixture(scope="session")
def stranger(accounts):
    return accounts[5]


@pytest.fixture(scope="session")
def sluice(chain, governor, lender, borrower, taker):
    """Everything deployed, lenders' pools filled, the borrower and the taker holding tokens."""
    manifest = deploy_everything(ApeDeployer(governor), DeploymentConfig())
    built = Sluice(chain, manifest, governor)
    for symbol, whole in (("USDC", 10_000_000), ("WETH", 50_000), ("WBTC", 1_000)):
        built.fund(symbol, lender, whole)
        built.house.supply(built.id(symbol), built.units(symbol, whole), lender, sender=lender)
        built.fund(symbol, borrower, whole // 10)
        built.fund(symbol, taker, whole)
    provide_liquidity(built, governor, "WETH", "USDC")
    return built
