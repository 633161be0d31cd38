"""A checkout whose set-up creates only the smallest environment, from uv's cache."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.support.paths import ROOT

ENVIRONMENT: Final = ".venv-lambda"
_FILES: Final = ("Makefile", "uv.lock", "pyproject.toml", ".python-version")


def create(folder: Path) -> Path:
    """Copy the files of the set-up to `folder`, and limit it to one environment.

    uv is a link, so that it needs no disk. Skips the test without a set-up checkout.
    """
    uv = ROOT / ".meridian" / "bin" / "uv"
    if not uv.exists():
        pytest.skip("UV IS NOT INSTALLED IN THIS CHECKOUT: RUN `make setup` FIRST")
    (folder / ".meridian" / "bin").mkdir(parents=True)
    (folder / ".meridian" / "bin" / "uv").symlink_to(uv.resolve())
    shutil.copy(uv.with_name("uv.version"), folder / ".meridian" / "bin")
    for name in _FILES:
        shutil.copy(ROOT / name, folder / name)
    (folder / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "__init__.py", folder / "tools")
    shutil.copytree(
        ROOT / "tools" / "setup",
        folder / "tools" / "setup",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    bootstrap = folder / "tools" / "setup" / "bootstrap.py"
    lines = bootstrap.read_text().splitlines(keepends=True)
    others = ('    (".venv", ', '    (".venv-emulator", ')
    own_lines = [line for line in lines if not line.startswith(others)]
    assert len(lines) - len(own_lines) == 2
    # The test decides how much disk there is.
    text = "".join(own_lines).replace(
        "NEEDED_BYTES: Final = 1_500_000_000", "NEEDED_BYTES: Final = 0"
    )
    assert "NEEDED_BYTES: Final = 0" in text
    bootstrap.write_text(text)
    return folder


def environment(*first_in_path: Path, **variables: str) -> dict[str, str]:
    """Return an environment for `make setup` with folders that come first in the PATH."""
    path = os.pathsep.join([*map(str, first_in_path), os.environ["PATH"]])
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "CONDA", "PYENV", "VIRTUAL_ENV", "MAKE", "UV_PYTHON"))
    }
    return {**inherited, "PATH": path, "UV_OFFLINE": "1", **variables}


def set_up(
    folder: Path, variables: dict[str, str], *, prefix: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run `make setup`, after a shell command such as `ulimit`."""
    return subprocess.run(
        ["sh", "-c", f"{prefix}exec make setup"],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )


def require_cache(done: "subprocess.CompletedProcess[str]") -> None:
    """Skip the test if the failure is that uv's cache lacks a package."""
    if done.returncode and ("offline" in done.stderr or "network was disabled" in done.stderr):
        pytest.skip("UV'S CACHE LACKS A PACKAGE: THE TEST OF THE SET-UP DID NOT RUN")


def is_complete(folder: Path) -> bool:
    """Return whether the environment imports its packages."""
    python = folder / ENVIRONMENT / "bin" / "python"
    done = subprocess.run(
        [str(python), "-I", "-c", "import awslambdaric, boto3"], capture_output=True, check=False
    )
    return done.returncode == 0
