"""The ABIs in the package against what the compiler wrote."""

import pytest

from bot import abi
from scripts.deployment.artifacts import FORGE_OUT
from scripts.export_abi import CONTRACTS, FOREIGN, exports, outdated


def test_the_packaged_abis_are_those_of_the_compiled_contracts() -> None:
    if not FORGE_OUT.is_dir():
        pytest.skip("the contracts are not compiled: `make setup` does it")
    assert outdated(exports(FORGE_OUT)) == []


@pytest.mark.parametrize("name", [*CONTRACTS, *FOREIGN])
def test_an_abi_holds_no_word_of_the_compiler(name: str) -> None:
    entries = abi.load(name)
    assert entries
    assert "internalType" not in str(entries)


def test_an_unknown_abi_is_told() -> None:
    with pytest.raises(FileNotFoundError):
        abi.load("nothing")
