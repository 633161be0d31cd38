"""How much the collector costs, beside the usual way to write one, in the same run.

    .venv/bin/python benchmarks/ingest.py [--rounds 7]

The peer takes the same request with json, fastjsonschema and boto3, adds to each event what the
collector says once, and puts a record per event.
Both talk over TLS to one stub of Kinesis on this machine, which acknowledges everything. CPU time
is that of the process (user and system), which other users of the machine disturb least; ratios
are medians of rounds that alternate, so a slow minute slows both. Prints each figure with its
demand, and exits 1 where one is not met.

The events are the page views of the log that `make run` replays (see tools/replay/source.py).
"""

import argparse
import base64
import compileall
import json
import math
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = [path for path in sys.path if path.endswith("site-packages")]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from benchmarks.ingest_peer import KEY, REGION, STREAM, peer  # noqa: E402 - the path comes first
from benchmarks.ingest_stub import Stub  # noqa: E402 - the path comes first

SIZES = (1, 10, 100, 500)
# Demand: (CPU over the peer's) by events in a request.
CPU_DEMANDS = {10: 0.25, 100: 0.20, 500: 0.20}
COLD_DEMAND = 0.15
BILLED_DEMANDS = {10: 0.30, 100: 0.12}  # KB of Kinesis a real event
# Processor seconds that one measurement of a round should take.
ROUND_SECONDS = 0.25

SETTINGS = {
    "schema": 1,
    "stream": STREAM,
    "regions": [REGION],
    "sources": [{"id": "portal", "write_key": KEY}],
}
Handler = Callable[[dict[str, Any]], str]


# --- the two candidates -----------------------------------------------------------------------
def collector() -> Handler:
    """The collector as the function runs it; returns the status."""
    from edge_ingest import settings, tls
    from edge_ingest.collector import Collector
    from edge_ingest.delivery import Delivery
    from edge_ingest.kinesis import Kinesis

    known = settings.parse(SETTINGS)
    delivery = Delivery(Kinesis(tls.Dialler()), known.stream, known.regions, REGION)
    ready = Collector(known, delivery, REGION)
    return lambda event: str(ready.answer(event, 5.0)["status"])


CANDIDATES: dict[str, Callable[[], Handler]] = {"collector": collector, "peer": peer}


# --- the traffic --------------------------------------------------------------------------------
def bodies(size: int, count: int) -> list[bytes]:
    """Return batches of `size` real page views, sent two seconds after the last of them."""
    from tools.replay import source
    from tools.replay.combined import BadLine, parse
    from tools.replay.events import EventMaker

    log = source.find()
    # The same visitors, and so the same batches, in each run.
    maker = EventMaker(site=log.site, digest=log.digest, salt=b"benchmark")
    entries = ((number, parse(line)) for number, line in enumerate(log.open(), 1))
    views = [
        json.loads(maker.page_view(number, entry).body)
        for number, entry in entries
        if not isinstance(entry, BadLine)
    ]
    views.sort(key=lambda view: view["anonymousId"])  # a batch is mostly one visitor's
    count = min(count, len(views) // size)
    return [_body(views[n * size : (n + 1) * size]) for n in range(count)]


def _body(events: list[dict[str, Any]]) -> bytes:
    last = max(datetime.fromisoformat(event["timestamp"]) for event in events)
    sent = (last + timedelta(seconds=2)).isoformat(timespec="milliseconds")
    return json.dumps({"batch": events, "sentAt": sent}, separators=(",", ":")).encode()


def event_of(body: bytes) -> dict[str, Any]:
    """Return the origin-request event of a POST to /v1/batch."""
    headers = {
        "authorization": "Basic " + base64.b64encode(f"{KEY}:".encode()).decode(),
        "content-type": "application/json",
        "cloudfront-viewer-country": "IN",
        "cloudfront-is-desktop-viewer": "true",
        "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0.0.0 Safari/537.36",
    }
    request = {
        "method": "POST",
        "uri": "/v1/batch",
        "querystring": "",
        "clientIp": "203.0.113.77",
        "headers": {name: [{"key": name, "value": value}] for name, value in headers.items()},
        "body": {
            "action": "read-only",
            "encoding": "base64",
            "inputTruncated": False,
            "data": base64.b64encode(body).decode(),
        },
    }
    config = {"distributionDomainName": "d.cloudfront.net", "requestId": "a-request-id"}
    return {"Records": [{"cf": {"config": config, "request": request}}]}


# --- the processes under measurement -------------------------------------------------------------
def work(name: str, directory: Path) -> None:
    """Serve the parent: for each line `size count`, answer `cpu-seconds` and the latencies."""
    handler = CANDIDATES[name]()
    events = {size: [event_of(body) for body in prepared_bodies(directory, size)] for size in SIZES}
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the candidates' logs, until the end
    for line in sys.stdin:
        size, count = map(int, line.split())
        walls = []
        before = time.process_time()
        for n in range(count):
            start = time.perf_counter()
            if handler(events[size][n % len(events[size])]) != "200":
                raise SystemExit(f"{name} did not answer 200")
            walls.append(time.perf_counter() - start)
        replies.write(json.dumps({"cpu": time.process_time() - before, "walls": walls}) + "\n")


def prepared_bodies(directory: Path, size: int) -> list[bytes]:
    """Read the batches that the parent has prepared."""
    return [text.encode() for text in json.loads((directory / f"{size}.json").read_text())]


# What AWS's runtime client has imported before it imports a handler (awslambdaric/bootstrap.py).
RUNTIME = "import base64, decimal, importlib, json, logging, os, re, sys, time, traceback, types\n"
FIRST_REQUEST = """
class Context:
    def get_remaining_time_in_millis(self):
        return 15_000
answer = {handler}(json.load(open("event.json")), Context())
sys.exit(0 if "200" in (answer, answer["status"] if isinstance(answer, dict) else "") else 1)
"""
COLD = {
    "baseline": RUNTIME,
    "collector": RUNTIME
    + "from edge_ingest.handler import lambda_handler\n"
    + FIRST_REQUEST.format(handler="lambda_handler"),
    "peer": RUNTIME
    + "from peer_app import peer\n"
    + FIRST_REQUEST.format(handler="(lambda event, context: peer()(event))"),
}


def packages(directory: Path) -> None:
    """Lay out the functions as they are deployed: only their packages, compiled, with settings."""
    import msgspec

    mine = directory / "collector"
    shutil.copytree(Path(msgspec.__file__).parent, mine / "msgspec")
    for room in ("edge_ingest", "clickstream"):
        shutil.copytree(ROOT / "src" / room, mine / room)
    (mine / "settings.json").write_text(json.dumps(SETTINGS))
    its = directory / "peer"
    its.mkdir()
    shutil.copy(ROOT / "benchmarks" / "ingest_peer.py", its / "peer_app.py")
    event = json.dumps(event_of(prepared_bodies(directory, 10)[0]))
    for place in (mine, its, directory / "baseline"):
        place.mkdir(exist_ok=True)
        (place / "event.json").write_text(event)
        compileall.compile_dir(place, quiet=1)


# --- the measurement ------------------------------------------------------------------------
class Worker:
    """A candidate in a process of its own."""

    def __init__(self, name: str, directory: Path, environment: dict[str, str]) -> None:
        program = [sys.executable, __file__, "--work", name, str(directory)]
        self._process = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def run(self, size: int, count: int) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{size} {count}\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def cold_seconds(name: str, directory: Path, environment: dict[str, str]) -> float:
    """Return the CPU seconds of one whole process, which takes a request of ten events."""
    # The runtime has boto3; the collector's package has no more than it holds.
    paths = [str(directory / name), *(PACKAGES if name == "peer" else [])]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-S", "-c", COLD[name]],
        check=True,
        cwd=directory / name,
        env={**environment, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


class Report:
    """Prints figures beside their demands, and remembers whether all were met."""

    def __init__(self) -> None:
        self.met = True

    def ratio(self, label: str, value: float, demand: float | None, unit: str = "") -> None:
        verdict = "" if demand is None else ("ok" if value <= demand else "NOT MET")
        wanted = "" if demand is None else f"at most {demand:g}"
        self.met = self.met and verdict != "NOT MET"
        print(f"  {label:<58}{value:>9.3f} {unit:<4}{wanted:>14}  {verdict}")


def steady(report: Report, workers: dict[str, Worker], rounds: int) -> None:
    """CPU per request of both, alternating."""
    print("CPU per request, CloudFront event in to Kinesis acknowledged, over the peer's")
    for size in SIZES:
        counts = {}
        for name, worker in workers.items():
            worker.run(size, 3)
            counts[name] = max(2, int(ROUND_SECONDS / (worker.run(size, 5)["cpu"] / 5)))
        cpu: dict[str, list[float]] = {name: [] for name in workers}
        walls: dict[str, list[float]] = {name: [] for name in workers}
        for _ in range(rounds):
            for name, worker in workers.items():
                answer = worker.run(size, counts[name])
                cpu[name].append(answer["cpu"] / counts[name])
                walls[name] += answer["walls"]
        ratios = [mine / its for mine, its in zip(cpu["collector"], cpu["peer"], strict=True)]
        best = {name: min(values) * 1e6 for name, values in cpu.items()}
        label = f"{size:>3} events ({best['collector']:,.0f} of {best['peer']:,.0f} us)"
        report.ratio(label, statistics.median(ratios), CPU_DEMANDS.get(size))
        mine = sorted(walls["collector"])
        print(
            f"      through one process: {len(mine) / sum(mine):,.0f} requests/s,"
            f" p50 {mine[len(mine) // 2] * 1e3:.2f} ms,"
            f" p99 {mine[math.ceil(len(mine) * 0.99) - 1] * 1e3:.2f} ms"
        )


def cold_start(report: Report, directory: Path, environment: dict[str, str], rounds: int) -> None:
    """CPU from process start to the first accepted request, over a bare interpreter's."""
    print("cold start to the first accepted request, CPU over what the runtime has loaded")
    ratios, mine, its = [], [], []
    for _ in range(rounds):
        seconds = {
            name: cold_seconds(name, directory, environment)
            for name in ("baseline", "collector", "peer")
        }
        mine.append(seconds["collector"] - seconds["baseline"])
        its.append(seconds["peer"] - seconds["baseline"])
        ratios.append(mine[-1] / its[-1])
    label = f"10 events ({min(mine) * 1e3:.0f} of {min(its) * 1e3:.0f} ms)"
    report.ratio(label, statistics.median(ratios), COLD_DEMAND)


def billed(report: Report) -> None:
    """Kinesis KB per real event: on-demand rounds each record up to 1 KB."""
    print("billed Kinesis KB per event, real traffic")
    for size in (1, *BILLED_DEMANDS):
        kilobytes = [math.ceil(len(data) / 1024) for data in records(size, str)]
        mean = sum(kilobytes) / len(kilobytes) / size
        report.ratio(f"{size} events a request", mean, BILLED_DEMANDS.get(size), "KB")


def records(size: int, log: Callable[[str], object]) -> Iterator[bytes]:
    """Yield the record of each request of `size` real events; every request writes its log line."""
    from edge_ingest import settings
    from edge_ingest.collector import Collector
    from edge_ingest.delivery import Delivery

    taken: list[bytes] = []

    class Memory:
        def put(self, region: str, stream: str, entries: Any, seconds: float) -> list[str | None]:
            taken.extend(entry.data for entry in entries)
            return [None] * len(entries)

    known = settings.parse({**SETTINGS, "log_sample": 1})
    delivery = Delivery(Memory(), STREAM, [REGION], REGION)
    ready = Collector(known, delivery, REGION, out=log)
    for body in bodies(size, 10_000):
        assert ready.answer(event_of(body), 5.0)["status"] == "200"
        yield from taken
        taken.clear()


def main(rounds: int) -> int:
    report = Report()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for size in SIZES:
            prepared = [body.decode() for body in bodies(size, 40)]
            (directory / f"{size}.json").write_text(json.dumps(prepared))
        packages(directory)
        stub = Stub(directory)
        try:
            environment = {
                **os.environ,
                "AWS_ENDPOINT_URL": f"https://localhost:{stub.port}",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_SESSION_TOKEN": "a-token",
                "AWS_CA_BUNDLE": str(directory / "peer.pem"),
                "SSL_CERT_FILE": str(directory / "collector.pem"),
                "AWS_REGION": REGION,
            }
            workers = {name: Worker(name, directory, environment) for name in CANDIDATES}
            try:
                steady(report, workers, rounds)
            finally:
                for worker in workers.values():
                    worker.stop()
            cold_start(report, directory, environment, rounds)
        finally:
            stub.stop()
    billed(report)
    return 0 if report.met else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2], Path(sys.argv[3]))
    else:
        parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
        parser.add_argument("--rounds", type=int, default=7)
        sys.exit(main(parser.parse_args().rounds))
