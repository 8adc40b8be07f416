"""Reading manifests, good and bad."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.errors import ManifestError
from bot.protocols.sluice.manifest import load_manifest
from tests.support.manifests import manifest


def written(folder: Path, content: Any) -> Path:
    path = folder / "manifest.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_manifest_is_read(tmp_path: Path) -> None:
    found = load_manifest(written(tmp_path, manifest()), 31_337)
    assert found.asset("WBTC").id == 1
    assert found.pools[0].fee_pips == 500


def test_a_missing_file_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"nowhere\.json: no such file; deploy first"):
        load_manifest(tmp_path / "nowhere.json")


def test_a_manifest_of_another_chain_is_refused_with_both_ids(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="is of chain 31337, the configuration wants chain 1"):
        load_manifest(written(tmp_path, manifest()), 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "the file: Invalid JSON"),
        (manifest(version=2), "version: .*got 2"),
        (manifest(flash_taker="0x12"), "flash_taker: .*got '0x12'"),
        (manifest(flash_taker="0x" + "zz" * 20), "flash_taker: "),
        (manifest(surprise=1), "surprise: "),
        ({key: value for key, value in manifest().items() if key != "position_lens"}, "position_lens: "),
        (manifest(assets=manifest()["assets"][1:]), r"ids \[1, 2\]"),
        (manifest(assets=[]), "assets: "),
        (manifest(assets=[manifest()["assets"][0] | {"symbol": "DAI"}]), "'WETH', which is not listed"),
        (manifest(assets=[a | {"symbol": "WETH"} for a in manifest()["assets"]]), "share a symbol"),
    ],
)
def test_a_malformed_manifest_is_refused_with_the_field(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        load_manifest(written(tmp_path, content))


def test_a_folder_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="cannot be read"):
        load_manifest(tmp_path)
