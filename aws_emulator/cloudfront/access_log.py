"""Write the access log: one JSON line per request, without addresses, cookies, tokens or bodies."""

import json
import sys
from pathlib import Path
from typing import IO, Any


class AccessLog:
    """Write lines to the end of a file, or to stdout without a `path`."""

    def __init__(self, path: Path | None) -> None:
        self._file: IO[str] = path.open("a", encoding="utf-8") if path else sys.stdout

    def write(self, fields: dict[str, Any]) -> None:
        """Write one line."""
        self._file.write(json.dumps(fields, separators=(",", ":")) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file; stdout stays open."""
        if self._file is not sys.stdout:
            self._file.close()
