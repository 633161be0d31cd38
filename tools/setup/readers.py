"""Install foreign readers of the Iceberg table from PyPI into `.venv-readers`, for their test."""

from pathlib import Path
from typing import Final

from tools.paths import ROOT
from tools.setup import spark

LOCK: Final = ROOT / "tools" / "setup" / "readers.txt"
FOLDER: Final = ROOT / ".venv-readers"
CONTENT: Final = "the readers of the Iceberg table"
SIZE: Final = "1.1 GB"


def is_installed(folder: Path = FOLDER) -> bool:
    """Return whether the environment has the versions of the lock file."""
    return spark.is_installed(folder, LOCK)


def install(folder: Path = FOLDER) -> bool:
    """Install the locked versions; return False without a network."""
    return spark.install(folder, LOCK, CONTENT, SIZE)


if __name__ == "__main__":
    if not is_installed():
        install()
