"""One candidate of `benchmarks/stream.py` in a process of its own, and how it is asked.

    python benchmarks/stream_candidate.py <name>

Reads lines of JSON: {"event": <path>} measures one invocation with the event of that file, and
answers {"cpu": <seconds>, "bytes": <written>}. At the end of its input it answers
{"peak": <MiB>}, the highest memory that the process had.
"""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from benchmarks import stream_peers  # noqa: E402 - the path is set above


def ours() -> stream_peers.Candidate:
    """The door as it runs in the function, up to the bytes that it would PUT."""
    from stream_processor.commit import event_objects
    from stream_processor.ingest import invocation
    from stream_processor.settings import Settings

    names = ("lake", "failures", "checkpoints", "live", "appointments", "us-east-1", "bench")
    limits = Settings(*names)

    def run(event: stream_peers.Event) -> int:
        (batch,) = invocation.stream_batches(event)
        rest, size = batch.records, 0
        while rest:
            draft = event_objects.build(limits, batch.shard, rest, None, frozenset())
            size += len(draft.body)
            rest = rest[draft.summary.records :]
        return size

    return run


CANDIDATES: dict[str, Callable[[], stream_peers.Candidate]] = {
    "ours": ours,
    "powertools": stream_peers.powertools,
    "duckdb": stream_peers.duckdb_json,
    "duckdb, events only": stream_peers.duckdb_events,
}


class Process:
    """A candidate that waits for work."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self._running = subprocess.Popen(
            [sys.executable, __file__, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(environment),
            text=True,
        )
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        self._in: IO[str] = self._running.stdin
        self._out: IO[str] = self._running.stdout

    def measure(self, event: Path) -> float:
        """CPU seconds of one invocation."""
        self._in.write(json.dumps({"event": str(event)}) + "\n")
        self._in.flush()
        return float(self._answer()["cpu"])

    def end(self) -> float:
        """Let it end; the highest memory that it had, in MiB."""
        self._in.close()
        peak = float(self._answer()["peak"])
        self._running.wait(60)
        return peak

    def _answer(self) -> dict[str, Any]:
        line = self._out.readline()
        if not line:
            raise SystemExit(f"a candidate ended with {self._running.wait(60)}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def main(name: str) -> None:
    """Answer until there is no more to do."""
    candidate = CANDIDATES[name]()
    path, event = "", {}
    for line in sys.stdin:
        asked = json.loads(line)["event"]
        if asked != path:
            path, event = asked, json.loads(Path(asked).read_bytes())
        gc.collect()
        started = time.process_time()
        size = candidate(event)
        print(json.dumps({"cpu": time.process_time() - started, "bytes": size}), flush=True)
    # Not ru_maxrss: a new process takes that of its parent over.
    status = Path("/proc/self/status").read_text()
    print(json.dumps({"peak": int(status.partition("VmHWM:")[2].split()[0]) / 1024}))


if __name__ == "__main__":
    main(sys.argv[1])
