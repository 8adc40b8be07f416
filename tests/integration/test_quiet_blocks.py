"""What the whole keeper asks of its node on a block on which nothing happens."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.counting import counting
from tests.support.daemon import keeper
from tests.support.multitude import open_accounts, spread
from tests.support.world import World, world

pytestmark = [pytest.mark.node]

BLOCKS = 4


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world() as deployed:
        yield deployed


def asked_on_quiet_blocks(here: World, folder: Path, patch: pytest.MonkeyPatch) -> Counter[str]:
    """Return what a keeper asks over some blocks, once it has settled."""
    folder.mkdir()
    with counting(here.node.url.replace("http", "ws")) as traffic:
        patch.setenv("SLUICE_CHAIN__ENDPOINT", traffic.url)
        with keeper(folder, here) as daemon:
            block = int(here.node.call("eth_blockNumber"), 16)
            daemon.acknowledged(block)
            for _ in range(2):
                here.advance(12)
                block += 1
                daemon.acknowledged(block)
            traffic.clear()
            for _ in range(BLOCKS):
                here.advance(12)
                block += 1
                daemon.acknowledged(block)
            calls = Counter(traffic.calls)
            assert daemon.stop() == 0
    return calls


def test_a_quiet_block_costs_the_keeper_as_much_with_thousands_of_accounts_as_with_few(
    here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_accounts(here, spread(here, 50))
    few = asked_on_quiet_blocks(here, tmp_path / "few", monkeypatch)
    open_accounts(here, spread(here, 4_000, first=50))
    many = asked_on_quiet_blocks(here, tmp_path / "many", monkeypatch)
    assert many == few
    assert many["eth_getLogs"] == BLOCKS
    assert many.total() <= 8 * BLOCKS
