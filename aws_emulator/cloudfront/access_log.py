"""Write the access log: one JSON line per request, without addresses, cookies, tokens or bodies."""

import json
import sys
from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO


class AccessLog:
    """Append lines to a file, or to stdout without a `path`."""

    def __init__(self, path: Path | None) -> None:
        # Without a buffer, each line is one write(2): a reader of the file sees whole lines.
        self._file: RawIOBase | BinaryIO = (
            path.open("ab", buffering=0) if path else sys.stdout.buffer
        )

    def write(self, fields: dict[str, Any]) -> None:
        """Write one line."""
        self._file.write(json.dumps(fields, separators=(",", ":")).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file; stdout stays open."""
        if self._file is not sys.stdout.buffer:
            self._file.close()
