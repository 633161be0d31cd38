"""Run one candidate of `benchmarks/stream.py` in a separate process.

    python benchmarks/stream_candidate.py <name>

Reads JSON lines from standard input. {"event": <path>} measures one invocation with the event in
that file and prints {"cpu": <seconds>, "bytes": <written>}. At the end of the input it prints
{"peak": <MiB>}, the peak memory of the process.
"""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from benchmarks import stream_peers  # noqa: E402 - the path is set above


def ours() -> stream_peers.Candidate:
    """Return EventsFunction's work from the invocation event to the bytes of the objects."""
    from stream_processor.commit import event_objects
    from stream_processor.ingest import invocation
    from stream_processor.settings import Settings

    names = ("lake", "failures", "checkpoints", "live", "appointments", "us-east-1", "bench")
    limits = Settings(*names)

    def run(event: stream_peers.Event) -> int:
        (batch,) = invocation.stream_batches(event)
        rest, size = batch.records, 0
        while rest:
            pending = event_objects.build(limits, batch.shard, rest, None, frozenset())
            size += len(pending.body)
            rest = rest[pending.taken :]
        return size

    return run


CANDIDATES: Final[dict[str, Callable[[], stream_peers.Candidate]]] = {
    "ours": ours,
    "powertools": stream_peers.powertools,
    "duckdb": stream_peers.duckdb_json,
    "duckdb, events only": stream_peers.duckdb_events,
}


class Process:
    """A candidate in a subprocess."""

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
        """Return the CPU seconds of one invocation."""
        self._in.write(json.dumps({"event": str(event)}) + "\n")
        self._in.flush()
        return float(self._answer()["cpu"])

    def end(self) -> float:
        """End the process and return its peak memory in MiB."""
        self._in.close()
        peak = float(self._answer()["peak"])
        self._running.wait(60)
        return peak

    def _answer(self) -> dict[str, Any]:
        line = self._out.readline()
        if not line:
            raise SystemExit(f"A candidate exited with code {self._running.wait(60)}.")
        answer: dict[str, Any] = json.loads(line)
        return answer


def main(name: str) -> None:
    """Measure each event of the input, then print the peak memory."""
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
    # Not ru_maxrss: a new process inherits its parent's value.
    status = Path("/proc/self/status").read_text()
    print(json.dumps({"peak": int(status.partition("VmHWM:")[2].split()[0]) / 1024}))


if __name__ == "__main__":
    main(sys.argv[1])
