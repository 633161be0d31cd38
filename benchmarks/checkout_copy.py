"""Copy this checkout, so that a benchmark changes files without changing the checkout."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
#: The environments and uv are those of this checkout.
LINKED: Final = (".venv", ".venv-emulator", ".venv-lambda", ".meridian/bin")


def copy_checkout(folder: Path) -> None:
    """Copy the files of this checkout that git tracks or would add, and link its environments."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, text=True, capture_output=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for name in LINKED:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to((ROOT / name).resolve(), target_is_directory=True)
