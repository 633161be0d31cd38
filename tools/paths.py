"""Folders of this checkout."""

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
#: The executables of the development environment, such as `sam`.
BIN: Final = ROOT / ".venv" / "bin"
#: The uv that `make setup` installs.
UV: Final = ROOT / ".meridian" / "bin" / "uv"
#: The logs and state of running systems. Tests set MERIDIAN_STATE to a temporary folder.
STATE: Final = Path(os.environ.get("MERIDIAN_STATE") or ROOT / ".meridian")
