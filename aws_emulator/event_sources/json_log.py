"""The poller's log: one JSON object to a line, and never what is in a record."""

import json
import sys
import time
from typing import Any, TextIO


class JsonLog:
    """Writes events as JSON lines. A line is one write, so that threads do not mix theirs."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def write(self, event: str, **fields: Any) -> None:
        """Note an event, with the fields that tell which mapping and shard it was."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **fields})
        self._stream.write(line + "\n")
        self._stream.flush()
