"""Make this checkout ready on a machine that has only Python, git and make.

Runs under whatever `python3` there is (3.8 or newer, standard library only): finds or installs uv,
lets uv find or fetch Python 3.13, and makes the three environments that uv.lock describes:

    .venv            ours: SAM, tests, lint, the local parts
    .venv-emulator   the emulator, which pins botocore exactly
    .venv-lambda     what AWS's python3.13 image holds, and nothing else
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".meridian"
UV_VERSION = "0.13.9"
# Compiled at once: an environment without bytecode makes each first start seconds slower.
SYNC = ["sync", "--frozen", "--compile-bytecode"]
ENVIRONMENTS: "tuple[tuple[str, list[str]], ...]" = (
    (".venv", []),
    (".venv-emulator", ["--only-group", "emulator"]),
    (".venv-lambda", ["--only-group", "lambda-runtime"]),
)


def main() -> None:
    """Make all three environments unless they already match the lock."""
    stamp = STATE / "environments.sha256"
    wanted = _wanted()
    there = all((ROOT / name / "bin" / "python").exists() for name, _ in ENVIRONMENTS)
    if there and stamp.exists() and stamp.read_text() == wanted:
        return
    started = time.monotonic()
    print("… setting up the environments (once per lock)", flush=True)
    uv = _uv()
    _python(uv)
    for name, groups in ENVIRONMENTS:
        quiet = [] if sys.stderr.isatty() else ["--quiet"]
        environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(ROOT / name)}
        environment.pop("VIRTUAL_ENV", None)
        _run([uv, *SYNC, *groups, *quiet], environment, f"The environment {name} cannot be made")
    stamp.write_text(wanted)
    took = time.monotonic() - started
    print(f"✓ {'setting up the environments':<44} {took:6.1f} s", flush=True)


def _wanted() -> str:
    content = b"".join((ROOT / name).read_bytes() for name in ("uv.lock", "pyproject.toml"))
    return hashlib.sha256(content + UV_VERSION.encode() + str(ROOT).encode()).hexdigest()


def _uv() -> str:
    """Return the path of uv: the one of this checkout, the machine's, or a new one from PyPI."""
    STATE.mkdir(exist_ok=True)
    own = STATE / "uv"
    for candidate in (own / "bin" / "uv", own / "target" / "bin" / "uv"):
        if candidate.exists():
            return str(candidate)
    found = shutil.which("uv")
    if found:
        return found
    requirement = f"uv=={UV_VERSION}"
    # Debian's python3 comes without ensurepip: then pip alone, where there is one, is enough.
    if _quietly([sys.executable, "-m", "venv", str(own)]):
        _run(
            [str(own / "bin" / "python"), "-m", "pip", "install", "--quiet", requirement],
            None,
            "uv cannot be installed from PyPI",
        )
        return str(own / "bin" / "uv")
    shutil.rmtree(own, ignore_errors=True)
    if _quietly([sys.executable, "-m", "pip", "--version"]):
        target = own / "target"
        _run(
            [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--target",
                str(target),
                requirement,
            ],
            None,
            "uv cannot be installed from PyPI",
        )
        return str(target / "bin" / "uv")
    _end(
        "Neither uv nor pip nor venv is here: install one of them "
        "(Debian: apt-get install python3-venv) and try again."
    )
    raise AssertionError


def _python(uv: str) -> None:
    """See that uv has a Python 3.13 (named in .python-version), fetching one where it must."""
    if _quietly([uv, "python", "find"]):
        return
    _run(
        [uv, "python", "install"],
        None,
        "Python 3.13 is not here and cannot be fetched: install it and try again",
    )


def _quietly(command: "list[str]") -> bool:
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


def _run(command: "list[str]", environment: "dict[str, str] | None", sentence: str) -> None:
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    if done.returncode != 0:
        _end(f"{sentence} (exit {done.returncode}).")


def _end(sentence: str) -> None:
    print(f"meridian: {sentence}", file=sys.stderr)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
