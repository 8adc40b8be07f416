"""The image's own commands, in their order, in a folder of their own: what can be tried without Docker."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECIPE = (ROOT / "ops" / "Dockerfile").read_text()

pytestmark = pytest.mark.slow


def instructions(name: str, text: str) -> list[str]:
    """Return what follows an instruction, lines joined."""
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    return re.findall(rf"^{name} (.+)$", joined, re.MULTILINE)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the first stage in a folder that stands for its file system; return the installation."""
    root = tmp_path_factory.mktemp("image")
    source, installed = root / "source", root / "opt" / "sluice"
    source.mkdir()
    build = RECIPE.split("\nFROM ")[1]
    for copied in instructions("COPY", build):
        *names, target = copied.split()
        for name in names:
            origin = ROOT / name
            if origin.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(origin, source / target, dirs_exist_ok=True, ignore=ignored)
            else:
                shutil.copy(origin, source / target)
    (run,) = instructions("RUN", build)
    run = run.replace("/opt/sluice", str(installed)).replace("python -m venv", f"{sys.executable} -m venv")
    shell = subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", run], cwd=source, capture_output=True, text=True, check=False
    )
    assert shell.returncode == 0, shell.stdout[-2_000:] + shell.stderr[-2_000:]
    shutil.rmtree(source)  # the second stage has only what was installed
    return installed


def run(image: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the image's environment, away from this project."""
    variables = {"PATH": f"{image / 'bin'}:{os.environ['PATH']}", "HOME": str(image), **environment}
    return subprocess.run(
        command, cwd=image, env=variables, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_entry_point_runs_from_what_was_installed(image: Path) -> None:
    entry = re.findall(r'"([^"]+)"', instructions("ENTRYPOINT", RECIPE)[0])
    shown = run(image, *entry, "--help")
    assert shown.returncode == 0, shown.stderr
    assert "keeper" in shown.stdout
    assert str(image) in run(image, "python", "-c", "import bot; print(bot.__file__)").stdout


def test_the_default_command_asks_for_the_settings_that_are_to_be_mounted(image: Path) -> None:
    words = [re.findall(r'"([^"]+)"', instructions(name, RECIPE)[0]) for name in ("ENTRYPOINT", "CMD")]
    answer = run(image, *words[0], *words[1])
    assert answer.returncode == 1
    assert "/etc/sluice/sluice.toml" in answer.stderr


def test_the_settings_that_the_image_presets_exist(image: Path) -> None:
    (line,) = instructions("ENV", RECIPE)
    preset = dict(pair.split("=", 1) for pair in line.split() if pair.startswith("SLUICE_"))
    assert preset
    shown = run(image, "sluice", "config", "show", **preset)
    assert shown.returncode == 0, shown.stderr
    assert 'listen = "0.0.0.0:9464"' in shown.stdout


def test_only_the_versions_of_the_lock_are_installed(image: Path) -> None:
    locked = set(
        re.findall(r"^([A-Za-z0-9._-]+==[^ ;\\]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    )
    frozen = run(image, "pip", "list", "--format=freeze").stdout.split()
    ours = {line for line in frozen if not line.startswith(("pip==", "setuptools==", "wheel==", "sluice=="))}
    assert {line.lower().replace("_", "-") for line in ours} <= {
        line.lower().replace("_", "-") for line in locked
    }


def test_the_health_check_fails_where_nothing_listens(image: Path) -> None:
    (line,) = re.findall(r"HEALTHCHECK.*?CMD (\[.+\])", re.sub(r"\\\n\s*", "", RECIPE))
    command = re.findall(r'"((?:[^"])+)"', line)
    answer = run(image, *command)
    assert answer.returncode == 1
    assert "refused" in answer.stderr
