"""How much the collector costs, beside the usual way to write one, in the same run.

    .venv/bin/python benchmarks/ingest.py [--rounds 7]

The peer takes the same request with json, fastjsonschema and boto3, adds to each event what the
collector says once, and puts a record per event.
Both talk over TLS to one stub of Kinesis on this machine, which acknowledges everything. CPU time
is that of the process (user and system), which other users of the machine disturb least; ratios
are medians of rounds that alternate, so a slow minute slows both. Prints each figure with its
demand, and exits 1 where one is not met.

The events are the page views of the log that `make run` replays (see local/replay/source.py).
"""

import argparse
import base64
import compileall
import hashlib
import inspect
import json
import math
import os
import resource
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = [path for path in sys.path if path.endswith("site-packages")]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

KEY = "a-write-key"
STREAM = "meridian-bench-events"
REGION = "us-east-1"
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


def peer() -> Handler:
    """The usual way: json, a compiled JSON Schema, boto3, a record per event."""
    import boto3
    import fastjsonschema

    text, identity = {"type": "string"}, {"type": ["string", "number", "null"]}
    validate = fastjsonschema.compile(
        {
            "type": "object",
            "properties": {
                "type": {"enum": ["track", "page", "screen", "identify", "group", "alias"]},
                "messageId": {"type": "string", "minLength": 1, "maxLength": 99},
                "userId": identity,
                "anonymousId": identity,
                "groupId": identity,
                "previousId": identity,
                "timestamp": {"type": "string", "format": "date-time"},
                "originalTimestamp": {"type": "string", "format": "date-time"},
                "event": text,
                "name": {"type": ["string", "null"]},
                "properties": {"type": "object"},
                "traits": {"type": "object"},
                "context": {"type": "object"},
            },
            "required": ["type"],
            "anyOf": [{"required": ["userId"]}, {"required": ["anonymousId"]}],
        }
    )
    kinesis = boto3.client("kinesis", region_name=REGION)

    def answer(event: dict[str, Any]) -> str:
        cf = event["Records"][0]["cf"]
        request = cf["request"]
        headers = {name: values[0]["value"] for name, values in request["headers"].items()}
        basic = headers["authorization"].partition(" ")[2]
        if base64.b64decode(basic).decode().rstrip(":") != KEY:
            return "401"
        body = json.loads(base64.b64decode(request["body"]["data"]))
        received = datetime.now(UTC)
        sent = datetime.fromisoformat(body["sentAt"])
        records: list[Any] = []
        rejected = []
        for index, item in enumerate(body["batch"]):
            try:
                validate(item)
            except fastjsonschema.JsonSchemaException as error:
                rejected.append({"index": index, "message": str(error)})
                continue
            original = datetime.fromisoformat(item["timestamp"])
            item |= {
                "receivedAt": received.isoformat(timespec="milliseconds"),
                "originalTimestamp": item["timestamp"],
                "sentAt": body["sentAt"],
                "timestamp": (received - (sent - original)).isoformat(timespec="milliseconds"),
                "ip": request["clientIp"].rpartition(".")[0] + ".0",
                "userAgent": headers["user-agent"],
                "bot": "bot" in headers["user-agent"].lower(),
                "country": headers["cloudfront-viewer-country"],
                "region": headers.get("cloudfront-viewer-country-region"),
                "city": headers.get("cloudfront-viewer-city"),
                "timeZone": headers.get("cloudfront-viewer-time-zone"),
                "device": "desktop" if headers["cloudfront-is-desktop-viewer"] else "mobile",
                "requestId": cf["config"]["requestId"],
                "source": "portal",
            }
            visitor = item.get("anonymousId") or item["userId"]
            key = hashlib.sha256(f"{KEY}{visitor}".encode()).hexdigest()
            records.append({"Data": json.dumps(item).encode(), "PartitionKey": key})
        response = kinesis.put_records(StreamName=STREAM, Records=records)
        json.dumps({"success": True, "accepted": len(records), "rejected": rejected})
        return "503" if response["FailedRecordCount"] else "200"

    return answer


CANDIDATES: dict[str, Callable[[], Handler]] = {"collector": collector, "peer": peer}


# --- the traffic --------------------------------------------------------------------------------
def bodies(size: int, count: int) -> list[bytes]:
    """Return batches of `size` real page views, sent two seconds after the last of them."""
    from local.replay import source
    from local.replay.command import page_views

    views = [json.loads(view.body) for view in page_views(source.find(), Counter())]
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
    head = f"import base64, hashlib, json\nfrom datetime import UTC, datetime\n{KEY=}\n{STREAM=}\n"
    rest = f"{REGION=}\nfrom typing import Any\nHandler = Any\n"
    (its / "peer_app.py").write_text(head + rest + inspect.getsource(peer))
    event = json.dumps(event_of(prepared_bodies(directory, 10)[0]))
    for place in (mine, its, directory / "baseline"):
        place.mkdir(exist_ok=True)
        (place / "event.json").write_text(event)
        compileall.compile_dir(place, quiet=1)


# --- the stub of Kinesis --------------------------------------------------------------------------
class Stub:
    """PutRecords over TLS: acknowledges every record of every call."""

    def __init__(self, directory: Path) -> None:
        certificate(directory)
        program = [sys.executable, __file__, "--stub", str(directory)]
        self._process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


def serve(directory: Path) -> None:
    """Serve until killed; print the port."""
    import socket

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem", directory / "server.key")
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listener.getsockname()[1], flush=True)
    while True:
        raw, _ = listener.accept()
        threading.Thread(target=_serve_one, args=(context, raw), daemon=True).start()


def _serve_one(context: ssl.SSLContext, raw: Any) -> None:
    try:
        with context.wrap_socket(raw, server_side=True) as connection:
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    if not (more := connection.recv(1 << 16)):
                        return
                    data += more
                head, _, data = data.partition(b"\r\n\r\n")
                fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:])
                parts, length = [data], int(fields[b"content-length"]) - len(data)
                while length > 0:
                    parts.append(connection.recv(1 << 20))
                    length -= len(parts[-1])
                count = b"".join(parts).count(b'"PartitionKey"')
                data = b""
                record = '{"SequenceNumber":"49","ShardId":"shardId-000000000000"}'
                body = f'{{"FailedRecordCount":0,"Records":[{",".join([record] * count)}]}}'
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\n"
                    + f"content-length: {len(body)}\r\n\r\n{body}".encode()
                )
    except OSError:
        return


def certificate(directory: Path) -> None:
    """Make the stub's certificate; put it behind the roots that both candidates load."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    (directory / "server.pem").write_bytes(pem)
    (directory / "server.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    import botocore

    roots = Path(botocore.__file__).with_name("cacert.pem").read_bytes()
    # Each candidate loads the roots that it has in its package, and the stub's.
    (directory / "peer.pem").write_bytes(roots + pem)
    own = (ROOT / "src" / "edge_ingest" / "amazon_roots.pem").read_bytes()
    (directory / "collector.pem").write_bytes(own + pem)


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
    elif sys.argv[1:2] == ["--stub"]:
        serve(Path(sys.argv[2]))
    else:
        parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
        parser.add_argument("--rounds", type=int, default=7)
        sys.exit(main(parser.parse_args().rounds))
