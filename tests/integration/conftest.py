"""What integration tests of the execution layer share: a node that mines when told, and a ledger's place."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.anvil import Client, anvil
from tests.support.landing import CHAIN_ID


@pytest.fixture
def node() -> Iterator[Client]:
    with anvil("--no-mining", "--hardfork", "prague", "--chain-id", str(CHAIN_ID)) as client:
        yield client


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"
