"""Benchmark: the collector's CPU time and Kinesis volume against a conventional implementation.

    .venv/bin/python benchmarks/ingest.py [--rounds 7]

The peer implementation (`ingest_peer.py`) handles the same requests with json, fastjsonschema and
boto3, and puts one record per event. Both send to a Kinesis stub on this machine, over TLS.

CPU time is the user and system time of the process, which other processes disturb least. Ratios are
medians over alternating rounds, so that a slow period affects both. The program prints each figure
with its limit, and exits with 1 if a figure exceeds its limit.

The events are the page views in the log that `make run` replays (see tools/replay/log_source.py).
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
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = [path for path in sys.path if path.endswith("site-packages")]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from benchmarks.ingest_peer import KEY, REGION, STREAM, peer  # noqa: E402 - needs the path above
from benchmarks.ingest_stub import Stub  # noqa: E402 - needs the path above

SIZES: Final = (1, 10, 100, 500)
# Limits by events per request: CPU time relative to the peer, and billed KB per event. Those of CPU
# time are 5% above the first version's on one machine, and a tenth more, because the peer's time
# varies between runs (docs/decisions/0047 derives them). A comparison with the first version in one
# run, `ingest_versions.py`, decides about changes of 5%.
MAX_CPU_RATIOS: Final = {10: 0.283, 100: 0.218, 500: 0.198}
MAX_COLD_START_RATIO: Final = 0.156
MAX_BILLED_KB: Final = {10: 0.205, 100: 0.091}
# CPU time of one measurement.
ROUND_S: Final = 0.25

SETTINGS: Final[dict[str, Any]] = {
    "schema": 1,
    "stream": STREAM,
    "regions": [REGION],
    "sources": [{"id": "portal", "write_key": KEY}],
}
#: In the directory of a run: the settings with the snapshot, as deployed.
DEPLOYED_SETTINGS: Final = "settings.json"
Handler = Callable[[dict[str, Any]], str]


# --- candidates -------------------------------------------------------------------------------
def collector(directory: Path) -> Handler:
    """Return the collector as a function from event to status."""
    from edge_ingest import settings, tls
    from edge_ingest.collector import Collector
    from edge_ingest.delivery import Delivery
    from edge_ingest.kinesis import KinesisClient
    from edge_ingest.sources import SnapshotFetch

    parsed = settings.load((directory / DEPLOYED_SETTINGS).read_text())
    connect = tls.Connector()
    delivery = Delivery(KinesisClient(connect), parsed.stream, parsed.regions, REGION)
    fetch = SnapshotFetch(connect, time.time)
    ready = Collector(parsed, delivery, REGION, fetch=fetch)
    return lambda event: str(ready.handle(event, 5.0)["status"])


CANDIDATES: Final[dict[str, Callable[[Path], Handler]]] = {
    "collector": collector,
    "peer": lambda _: peer(),
}


# --- traffic ----------------------------------------------------------------------------------
def bodies(size: int, count: int) -> list[bytes]:
    """Return batches of `size` page views with `sentAt` two seconds after the last view."""
    from tools.replay import log_source
    from tools.replay.combined_log_format import BadLine, parse
    from tools.replay.events import EventMaker

    log = log_source.find_log()
    # A fixed salt gives the same visitors and batches in each run.
    maker = EventMaker(site=log.site, digest=log.digest, salt=b"benchmark")
    entries = ((number, parse(line)) for number, line in enumerate(log.open(), 1))
    views = [
        json.loads(maker.page_view(number, entry).body)
        for number, entry in entries
        if not isinstance(entry, BadLine)
    ]
    views.sort(key=lambda view: view["anonymousId"])  # most batches have one visitor
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


# --- worker processes -------------------------------------------------------------------------
def work(name: str, directory: Path) -> None:
    """Handle `count` requests for each input line `size count`; print CPU and wall seconds.

    Raises:
        SystemExit: The handler returned another status than 200.
    """
    handler = CANDIDATES[name](directory)
    events = {size: [event_of(body) for body in prepared_bodies(directory, size)] for size in SIZES}
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - drops the candidate's log; stays open
    for line in sys.stdin:
        size, count = map(int, line.split())
        walls = []
        before = time.process_time()
        for n in range(count):
            start = time.perf_counter()
            if handler(events[size][n % len(events[size])]) != "200":
                raise SystemExit(f"{name} returned another status than 200")
            walls.append(time.perf_counter() - start)
        replies.write(json.dumps({"cpu": time.process_time() - before, "walls": walls}) + "\n")


def prepared_bodies(directory: Path, size: int) -> list[bytes]:
    """Return the batches that the parent process wrote."""
    return [text.encode() for text in json.loads((directory / f"{size}.json").read_text())]


# Modules that the Lambda runtime imports before the handler (awslambdaric/bootstrap.py).
RUNTIME: Final = (
    "import base64, decimal, importlib, json, logging, os, re, sys, time, traceback, types\n"
)
FIRST_REQUEST: Final = """
class Context:
    def get_remaining_time_in_millis(self):
        return 15_000
answer = {handler}(json.load(open("event.json")), Context())
sys.exit(0 if "200" in (answer, answer["status"] if isinstance(answer, dict) else "") else 1)
"""
COLD: Final = {
    "baseline": RUNTIME,
    "collector": RUNTIME
    + "from edge_ingest.handler import lambda_handler\n"
    + FIRST_REQUEST.format(handler="lambda_handler"),
    "peer": RUNTIME
    + "from peer_app import peer\n"
    + FIRST_REQUEST.format(handler="(lambda event, context: peer()(event))"),
}


def packages(directory: Path) -> None:
    """Write the deployment packages: only the needed modules, compiled, with settings."""
    import msgspec

    collector_package = directory / "collector"
    shutil.copytree(Path(msgspec.__file__).parent, collector_package / "msgspec")
    for package in ("edge_ingest", "clickstream", "edge_auth", "signed_snapshot"):
        shutil.copytree(ROOT / "src" / package, collector_package / package)
    shutil.copy(directory / DEPLOYED_SETTINGS, collector_package / "settings.json")
    peer_package = directory / "peer"
    peer_package.mkdir()
    shutil.copy(ROOT / "benchmarks" / "ingest_peer.py", peer_package / "peer_app.py")
    event = json.dumps(event_of(prepared_bodies(directory, 10)[0]))
    for package_path in (collector_package, peer_package, directory / "baseline"):
        package_path.mkdir(exist_ok=True)
        (package_path / "event.json").write_text(event)
        compileall.compile_dir(package_path, quiet=1)


def publish_sources(directory: Path, port: int) -> None:
    """Write a signed snapshot with the source, and settings that read it from the stub."""
    from collector_sources.registry import merge_deployed
    from signed_snapshot.publisher import Publisher
    from tests.unit.signed_snapshot.fake_aws import FakeKms, FakeS3

    s3 = FakeS3()
    publisher = Publisher(s3, FakeKms(), bucket="b", key="k", name="sources", key_id="key")
    publisher.update(lambda content: merge_deployed(content, SETTINGS["sources"]), int(time.time()))
    (directory / "sources.jws").write_bytes(s3.objects["k"])
    snapshot = {"jwks": publisher.public_keys(), "origin": f"https://localhost:{port}"}
    document = SETTINGS | {"snapshot": snapshot}
    (directory / DEPLOYED_SETTINGS).write_text(json.dumps(document))


def environment_of(directory: Path, port: int) -> dict[str, str]:
    """Return the environment of the candidates, whose AWS endpoint is the stub."""
    return {
        **os.environ,
        "AWS_ENDPOINT_URL": f"https://localhost:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "a-token",
        "AWS_CA_BUNDLE": str(directory / "peer.pem"),
        "SSL_CERT_FILE": str(directory / "collector.pem"),
        "AWS_REGION": REGION,
    }


# --- measurement ------------------------------------------------------------------------------
class Worker:
    """A candidate in a separate process."""

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
        result: dict[str, Any] = json.loads(self._process.stdout.readline())
        return result

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def cold_seconds(name: str, directory: Path, environment: dict[str, str]) -> float:
    """Return the CPU seconds of a process that starts and handles one request of ten events."""
    # Lambda's runtime contains boto3. The collector and earlier versions need their package alone.
    paths = [str(directory / name), *(PACKAGES if name == "peer" else [])]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-S", "-c", COLD.get(name, COLD["collector"])],
        check=True,
        cwd=directory / name,
        env={**environment, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


class Report:
    """Print each figure with its limit. `met`: all figures are within their limits."""

    def __init__(self) -> None:
        self.met = True

    def ratio(self, label: str, value: float, limit: float | None, unit: str = "") -> None:
        result = "" if limit is None else ("ok" if value <= limit else "EXCEEDED")
        bound = "" if limit is None else f"limit {limit:g}"
        self.met = self.met and result != "EXCEEDED"
        print(f"  {label:<58}{value:>9.3f} {unit:<4}{bound:>14}  {result}")


def steady(report: Report, workers: dict[str, Worker], rounds: int) -> None:
    """Measure CPU time per request, alternating between the candidates."""
    print("CPU time per request, from event to acknowledgement by Kinesis, relative to the peer")
    for size in SIZES:
        counts = {}
        for name, worker in workers.items():
            worker.run(size, 3)
            counts[name] = max(2, int(ROUND_S / (worker.run(size, 5)["cpu"] / 5)))
        cpu: dict[str, list[float]] = {name: [] for name in workers}
        walls: dict[str, list[float]] = {name: [] for name in workers}
        for _ in range(rounds):
            for name, worker in workers.items():
                result = worker.run(size, counts[name])
                cpu[name].append(result["cpu"] / counts[name])
                walls[name] += result["walls"]
        ratios = [ours / peers for ours, peers in zip(cpu["collector"], cpu["peer"], strict=True)]
        best = {name: min(values) * 1e6 for name, values in cpu.items()}
        label = f"{size:>3} events ({best['collector']:,.0f} of {best['peer']:,.0f} us)"
        report.ratio(label, statistics.median(ratios), MAX_CPU_RATIOS.get(size))
        seconds = sorted(walls["collector"])
        print(
            f"      one process: {len(seconds) / sum(seconds):,.0f} requests/s,"
            f" p50 {seconds[len(seconds) // 2] * 1e3:.2f} ms,"
            f" p99 {seconds[math.ceil(len(seconds) * 0.99) - 1] * 1e3:.2f} ms"
        )


def cold_start(report: Report, directory: Path, environment: dict[str, str], rounds: int) -> None:
    """Measure CPU time from process start to the first response, minus the runtime's imports."""
    print("CPU time of a cold start with one request, without the runtime's own imports")
    ratios, ours, peers = [], [], []
    for _ in range(rounds):
        seconds = {
            name: cold_seconds(name, directory, environment)
            for name in ("baseline", "collector", "peer")
        }
        ours.append(seconds["collector"] - seconds["baseline"])
        peers.append(seconds["peer"] - seconds["baseline"])
        ratios.append(ours[-1] / peers[-1])
    label = f"10 events ({min(ours) * 1e3:.0f} of {min(peers) * 1e3:.0f} ms)"
    report.ratio(label, statistics.median(ratios), MAX_COLD_START_RATIO)


def billed(report: Report) -> None:
    """Report billed Kinesis KB per event: on-demand mode rounds each record up to 1 KB."""
    print("billed Kinesis KB per event")
    for size in (1, *MAX_BILLED_KB):
        kilobytes = [math.ceil(len(data) / 1024) for data in records(size, str)]
        mean = sum(kilobytes) / len(kilobytes) / size
        report.ratio(f"{size} events per request", mean, MAX_BILLED_KB.get(size), "KB")


def records(size: int, print_line: Callable[[str], object]) -> Iterator[bytes]:
    """Yield the records of requests with `size` events. Each request's log line is printed."""
    from edge_ingest import settings
    from edge_ingest.collector import Collector
    from edge_ingest.delivery import Delivery
    from edge_ingest.kinesis import PutResult

    stored: list[bytes] = []

    class MemoryStream:
        def put_records(
            self, region: str, stream: str, entries: Any, timeout: float
        ) -> list[PutResult]:
            stored.extend(entry.data for entry in entries)
            return [PutResult()] * len(entries)

        def is_reachable(self, region: str, stream: str, timeout: float) -> bool:
            return True

    parsed = settings.parse({**SETTINGS, "log_sample": 1})
    delivery = Delivery(MemoryStream(), STREAM, [REGION], REGION)
    ready = Collector(parsed, delivery, REGION, print_line=print_line)
    for body in bodies(size, 10_000):
        assert ready.handle(event_of(body), 5.0)["status"] == "200"
        yield from stored
        stored.clear()


def main(rounds: int) -> int:
    report = Report()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for size in SIZES:
            prepared = [body.decode() for body in bodies(size, 40)]
            (directory / f"{size}.json").write_text(json.dumps(prepared))
        stub = Stub(directory)
        try:
            publish_sources(directory, stub.port)
            packages(directory)
            environment = environment_of(directory, stub.port)
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
