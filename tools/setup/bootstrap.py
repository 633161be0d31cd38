"""Set up a checkout on a machine that has only Python, git and make.

Runs on the machine's `python3` (3.8 or newer, standard library only). Installs the pinned uv, lets
uv find or download Python 3.13, and creates the three environments that uv.lock describes:

    .venv            development: SAM CLI, tests, lint, emulator servers
    .venv-emulator   MiniStack, which pins botocore exactly
    .venv-lambda     the contents of AWS's python3.13 image

An environment is stamped as complete only after every installed file was checked against the
package's RECORD and its main packages were imported.
"""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools.setup import uv_download  # noqa: E402 - needs the path above

STATE: Final = ROOT / ".meridian"
UV: Final = STATE / "bin" / "uv"
#: Free disk that a first set-up needs: environments 1,370 MB and uv's cache 30 MB, which shares the
#: packages by hard links (`python -m tools.setup.disk_usage`), and 100 MB if uv downloads Python.
NEEDED_BYTES: Final = 1_500_000_000
# Compiled at installation: without bytecode, each first start takes seconds longer.
SYNC: Final = ["sync", "--frozen", "--compile-bytecode"]
#: Environment, dependency groups, packages to import as a check.
ENVIRONMENTS: Final[tuple[tuple[str, list[str], list[str]], ...]] = (
    (".venv", [], ["samcli", "boto3", "pytest", "hypothesis", "pyarrow", "duckdb", "uvicorn"]),
    (".venv-emulator", ["--only-group", "emulator"], ["ministack", "samtranslator", "uvicorn"]),
    (".venv-lambda", ["--only-group", "lambda-runtime"], ["awslambdaric", "boto3"]),
)


class SetupError(Exception):
    """Raised when the set-up can't continue. The text says what failed and what to do."""


def main() -> int:
    """Create all environments unless they match the lock; return the exit code."""
    try:
        _set_up()
    except (SetupError, uv_download.DownloadError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: Set-up failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nerror: Set-up stopped. Run the command again to continue.", file=sys.stderr)
        return 130
    return 0


def _set_up() -> None:
    stamp = STATE / "environments.sha256"
    wanted_stamp = _wanted()
    present = all((ROOT / name / "bin" / "python").exists() for name, _, _ in ENVIRONMENTS)
    if present and UV.exists() and stamp.exists() and stamp.read_text() == wanted_stamp:
        return
    started = time.monotonic()
    print("… setting up the environments (once per lock file)", flush=True)
    _writable(ROOT)
    STATE.mkdir(exist_ok=True)
    stamp.unlink(missing_ok=True)
    if not present:
        _check_free_disk()
    uv = str(uv_download.install(UV))
    environment = uv_environment()
    _python(uv, environment)
    for name, groups, packages in ENVIRONMENTS:
        _create(uv, name, groups, packages, environment)
    temporary = stamp.with_suffix(".new")
    temporary.write_text(wanted_stamp)
    temporary.replace(stamp)
    elapsed_s = time.monotonic() - started
    print(f"✓ {'setting up the environments':<44} {elapsed_s:6.1f} s", flush=True)


def _wanted() -> str:
    content = b"".join((ROOT / name).read_bytes() for name in ("uv.lock", "pyproject.toml"))
    return hashlib.sha256(content + uv_download.VERSION.encode() + str(ROOT).encode()).hexdigest()


def uv_environment() -> dict[str, str]:
    """Return the environment for uv: with its folders in the checkout if home is read-only."""
    environment = dict(os.environ)
    environment.pop("VIRTUAL_ENV", None)
    # A conda or pyenv set-up may name another interpreter or project. uv prefers the interpreter of
    # an active conda environment, which its owner may delete.
    for name in (
        *("UV_PYTHON", "UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "PYTHONHOME", "PYTHONPATH"),
        *("CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_PYTHON_EXE", "PYENV_VERSION"),
    ):
        environment.pop(name, None)
    home = Path(environment.get("HOME") or "/")
    for variable, folder, own in (
        ("UV_CACHE_DIR", environment.get("XDG_CACHE_HOME") or home / ".cache", "uv-cache"),
        ("UV_PYTHON_INSTALL_DIR", environment.get("XDG_DATA_HOME") or home / ".local", "python"),
    ):
        if variable not in environment and not _can_write(Path(folder)):
            environment[variable] = str(STATE / own)
    return environment


def _can_write(folder: Path) -> bool:
    """Tell whether a folder, or the closest parent that exists, can be written."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return os.access(str(folder), os.W_OK | os.X_OK)


def _writable(folder: Path) -> None:
    if not _can_write(folder):
        raise SetupError(f"{folder} is read-only. Clone the repository into a writable folder.")


def _check_free_disk() -> None:
    free = shutil.disk_usage(str(ROOT)).free
    if free < NEEDED_BYTES:
        raise SetupError(
            f"Set-up needs {NEEDED_BYTES // 10**6} MB of free disk at {ROOT}; "
            f"{free // 10**6} MB are free. Free some space and run the command again."
        )


def _python(uv: str, environment: dict[str, str]) -> None:
    """Find Python 3.13 (the version in .python-version), or let uv download it.

    Raises:
        SetupError: Python 3.13 can't be downloaded.
    """
    if _run([uv, "python", "find"], environment, quiet=True) == 0:
        return
    if _run([uv, "python", "install"], environment, quiet=False) != 0:
        raise SetupError(
            "Python 3.13 isn't installed and can't be downloaded. Install it (Debian 13: "
            "apt-get install python3; others: pyenv install 3.13) and run the command again."
        )


def _create(
    uv: str,
    name: str,
    groups: list[str],
    packages: list[str],
    environment: dict[str, str],
) -> None:
    """Create an environment and check it; create it once more if files are missing.

    Raises:
        SetupError: Uv failed, or files are missing again.
    """
    folder = ROOT / name
    command = [uv, *SYNC, *groups, *([] if sys.stderr.isatty() else ["--quiet"])]
    own = dict(environment, UV_PROJECT_ENVIRONMENT=str(folder))
    for refresh in (False, True):
        code = _run([*command, *(["--reinstall"] if refresh else [])], own, quiet=False)
        damaged = damage(folder, packages) if code == 0 else "uv failed"
        if not damaged:
            return
        # An interrupted or failed installation leaves packages that look complete.
        shutil.rmtree(str(folder), ignore_errors=True)
        if code != 0:
            break
    free = shutil.disk_usage(str(ROOT)).free // 10**6
    raise SetupError(
        f"The environment {name} can't be created ({damaged}) and was removed. uv's message is "
        f"above. {free} MB of disk are free; set-up needs {NEEDED_BYTES // 10**6} MB."
    )


def damage(folder: Path, packages: list[str]) -> str:
    """Return a description of the first incomplete package of an environment, or ''.

    Compares each file's size with the RECORD of its package (Recording installed projects, PyPA),
    then imports the named packages.
    """
    site = next(iter(sorted(folder.glob("lib/python3*/site-packages"))), None)
    if site is None:
        return "no site-packages"
    for record in sorted(site.glob("*.dist-info/RECORD")):
        for path, _, size in csv.reader(record.read_text(encoding="utf-8").splitlines()):
            file = site / path
            if not file.exists():
                return f"{record.parent.name}: {path} is missing"
            if size and file.stat().st_size != int(size):
                return f"{record.parent.name}: {path} is incomplete"
    if not any(site.glob("*.dist-info/RECORD")):
        return "no installed packages"
    python = str(folder / "bin" / "python")
    completed = subprocess.run(
        [python, "-I", "-c", f"import {', '.join(packages)}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return completed.stderr.strip().rsplit("\n", 1)[-1] if completed.returncode else ""


def _run(command: list[str], environment: dict[str, str], *, quiet: bool) -> int:
    output = subprocess.DEVNULL if quiet else None
    return subprocess.run(
        command, cwd=str(ROOT), env=environment, stdout=output, stderr=output, check=False
    ).returncode


if __name__ == "__main__":
    raise SystemExit(main())
