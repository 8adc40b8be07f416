"""What a deployment checks before it is paid for, and its manifest on disk: whole, for everybody to read."""

import json
import os
from pathlib import Path

import pytest

from scripts.deployment.config import operators_of
from scripts.deployment.writing import check_writable, write_whole


def test_a_manifest_may_be_read_by_whoever_runs_the_keeper(tmp_path: Path) -> None:
    path = tmp_path / "new" / "local.json"
    before = os.umask(0o077)
    try:
        write_whole(path, {"version": 1})
    finally:
        os.umask(before)
    assert json.loads(path.read_text()) == {"version": 1}
    assert path.stat().st_mode & 0o777 == 0o644


def test_what_cannot_be_written_leaves_the_old_manifest_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "local.json"
    write_whole(path, {"version": 1})

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, {"version": 2})
    assert [file.name for file in tmp_path.iterdir()] == ["local.json"]
    assert json.loads(path.read_text()) == {"version": 1}


def test_a_place_that_takes_no_manifest_is_told_before_the_deployment(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "local.json", Path("/proc/nowhere/local.json")):
        with pytest.raises(ValueError, match=f"{path} cannot be written"):
            check_writable(path)
    check_writable(tmp_path / "new" / "local.json")
    assert list((tmp_path / "new").iterdir()) == []


def test_operators_are_addresses_before_the_deployment() -> None:
    known = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert operators_of((known.lower(), known)) == (known, known)
    for text in ("0x12", "keeper.eth", known[:-1] + "7", known.replace("f", "F", 1)):
        with pytest.raises(ValueError, match=f"'{text}' must be an address"):
            operators_of((known, text))
