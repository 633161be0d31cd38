"""The poller's log: one JSON object per line. It never contains data of a record."""

import json
import sys
import time
from typing import Any, TextIO


class JsonLog:
    """Write events as JSON lines. One write per line keeps lines of different threads apart."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def write(self, event: str, **fields: Any) -> None:
        """Log an event with fields such as the mapping's UUID and the shard's ID."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **fields})
        self._stream.write(line + "\n")
        self._stream.flush()
