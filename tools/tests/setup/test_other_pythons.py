"""Set-ups of pyenv, conda and asdf, simulated with scripts and environments, don't break ours."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.tests.setup import small_checkout

pytestmark = pytest.mark.integration

_PYENV = """echo "pyenv: $(basename "$0"): command not found" >&2
echo "The command exists in these Python versions: 3.11.9" >&2
exit 127
"""
_ASDF = """echo "No version is set for command $(basename "$0")" >&2
echo "Consider adding one of the following versions in your config file" >&2
exit 126
"""
_NAMES = ("python", "python3", "python3.13", "uv", "pip")


def scripts(folder: Path, text: str, names: tuple[str, ...] = _NAMES) -> Path:
    """Create executable scripts with the same text."""
    folder.mkdir()
    for name in names:
        (folder / name).write_text(f"#!/bin/sh\n{text}")
        (folder / name).chmod(0o755)
    return folder


def working_python() -> bool:
    """Return whether start.sh finds a Python that isn't on the PATH."""
    return any(Path(name).exists() for name in ("/usr/bin/python3", "/usr/local/bin/python3"))


def assert_set_up(folder: Path, variables: dict[str, str]) -> None:
    done = small_checkout.set_up(folder, variables)
    small_checkout.require_cache(done)
    assert done.returncode == 0, done.stdout + done.stderr
    assert small_checkout.is_complete(folder)


@pytest.mark.parametrize("text", [_PYENV, _ASDF], ids=["pyenv", "asdf"])
def test_shims_without_a_version_do_not_stop_the_set_up(text: str, tmp_path: Path) -> None:
    if not working_python():
        pytest.skip("THIS MACHINE HAS NO PYTHON OUTSIDE OF THE PATH: SHIMS WERE NOT TESTED")
    shims = scripts(tmp_path / "shims", text)
    folder = small_checkout.create(tmp_path / "checkout")
    # uv must find Python 3.13 behind the shim, as pyenv's shim folder is first in the PATH.
    real = tmp_path / "real"
    real.mkdir()
    (real / "python3.13").symlink_to(Path(sys.executable).resolve())
    assert_set_up(folder, small_checkout.environment(shims, real))


def test_python_of_an_active_conda_environment_does_not_stop_the_set_up(tmp_path: Path) -> None:
    conda = tmp_path / "conda"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(conda)], check=True)
    folder = small_checkout.create(tmp_path / "checkout")
    variables = small_checkout.environment(
        conda / "bin",
        CONDA_PREFIX=str(conda),
        CONDA_DEFAULT_ENV="base",
        CONDA_PYTHON_EXE=str(conda / "bin" / "python"),
        # A remainder of another interpreter: python3 ends with a fatal error.
        PYTHONHOME=str(tmp_path / "deleted"),
        PYTHONPATH=str(tmp_path / "deleted"),
    )
    assert_set_up(folder, variables)
    # The environment survives the deletion of conda's.
    shutil.rmtree(conda)
    assert small_checkout.is_complete(folder)


def test_machine_without_a_python_that_starts_gets_one_sentence(tmp_path: Path) -> None:
    shims = scripts(tmp_path / "shims", _ASDF)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname", "basename", "tail", "make"):
        program = shutil.which(name)
        assert program is not None
        (tools / name).symlink_to(program)
    folder = small_checkout.create(tmp_path / "checkout")
    start = folder / "tools" / "setup" / "start.sh"
    # Without the machine's own Python outside of the PATH.
    start.write_text(start.read_text().replace("/usr/", "/missing/"))
    variables = small_checkout.environment() | {"PATH": os.pathsep.join([str(shims), str(tools)])}
    done = small_checkout.set_up(folder, variables)
    assert done.returncode != 0
    (message, *_) = done.stderr.splitlines()
    assert message.startswith("error: No Python 3.8 or newer starts (")
    assert "PYTHON3=<path> make setup" in message
