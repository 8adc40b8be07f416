"""What integration tests share: a deployment that each test leaves as it was, a node that mines when told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.anvil import Client, anvil
from tests.support.landing import CHAIN_ID
from tests.support.world import KEEPER, World, world


@pytest.fixture(scope="module")
def deployed() -> Iterator[World]:
    """Sluice as it is deployed by default; a module that needs another one has its own."""
    with world() as here:
        here.node.call("anvil_impersonateAccount", KEEPER)
        yield here


@pytest.fixture
def here(deployed: World) -> Iterator[World]:
    """Lend the deployment to one test, which may do with it what it likes."""
    with deployed.scratch():
        yield deployed


@pytest.fixture
def node() -> Iterator[Client]:
    with anvil("--no-mining", "--hardfork", "prague", "--chain-id", str(CHAIN_ID)) as client:
        yield client


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"
