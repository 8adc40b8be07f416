"""A manifest on disk: whole, and for everybody to read."""

import json
import os
from pathlib import Path

import pytest

from scripts.deployment.writing import write_whole


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
