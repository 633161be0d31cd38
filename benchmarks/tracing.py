"""Benchmark the cold start of tracing: Powertools Tracer against the OpenTelemetry SDK.

    .venv/bin/python benchmarks/tracing.py [--runs 15]

Decision record 0029 rests on these figures. Each candidate runs in a new process, as a function
does at a cold start: it imports boto3, creates Powertools' Logger and Metrics, then traces an
invocation with one subsegment. The base traces nothing. OpenTelemetry, from PyPI into
.meridian/bench, has the packages that a function needs for AWS X-Ray: the SDK, the OTLP exporter
over HTTP and the propagator of X-Ray. A figure is the CPU time of the process until then in
milliseconds, the best of the runs; candidates take turns. The script exits with 1 if Tracer adds
more than OpenTelemetry, a reason to replace it, or more than the base itself needs.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]
PACKAGES: Final = ROOT / ".meridian" / "bench" / "tracing"
OPENTELEMETRY: Final = (
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry-propagator-aws-xray",
)
#: What Lambda sets for a sampled invocation. Nothing listens on the daemon's port.
ENVIRONMENT: Final = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_LAMBDA_FUNCTION_NAME": "benchmark",
    "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
    "LAMBDA_TASK_ROOT": "/var/task",
    "POWERTOOLS_METRICS_NAMESPACE": "benchmark",
    "_X_AMZN_TRACE_ID": (
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    ),
}
BASE: Final = """
import sys
sys.path.insert(0, sys.argv[1])
import boto3
from aws_lambda_powertools import Logger, Metrics
logger, metrics = Logger(), Metrics(namespace="benchmark")
"""
TRACER: Final = """
from aws_lambda_powertools import Tracer
tracer = Tracer(auto_patch=False)
with tracer.provider.in_subsegment("## email") as segment:
    segment.put_annotation(key="outbox", value="1")
    assert segment.sampled
"""
SPAN: Final = """
import os
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.aws import AwsXRayPropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
parent = AwsXRayPropagator().extract({"X-Amzn-Trace-Id": os.environ["_X_AMZN_TRACE_ID"]})
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
with provider.get_tracer("benchmark").start_as_current_span("email", context=parent) as span:
    span.set_attribute("outbox", "1")
    assert span.is_recording()
"""
#: Ends the process without the export of spans, which needs an endpoint.
END: Final = """
import os, time
print(time.process_time() * 1e3, flush=True)
os._exit(0)
"""
CANDIDATES: Final = {
    "no tracing": BASE + END,
    "Powertools Tracer": BASE + TRACER + END,
    "OpenTelemetry": BASE + SPAN + END,
}
#: Tracer's CPU time as a multiple of the base.
MAX_RATIO: Final = 2.0


def install() -> None:
    """Install OpenTelemetry from PyPI, with bytecode as in a deployed package."""
    from tools.paths import UV

    if not UV.exists():
        sys.exit("benchmarks/tracing.py needs uv. Run `make setup` first.")
    command = [str(UV), "pip", "install", "--quiet", "--upgrade", "--compile-bytecode"]
    command += ["--python", sys.executable, "--target", str(PACKAGES), *OPENTELEMETRY]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"Installing OpenTelemetry failed: {done.stderr.strip()[-500:]}")


def cpu_ms(script: str) -> float:
    """Run a script in a new process, and return the CPU time that it prints, in milliseconds."""
    command = [sys.executable, "-E", "-s", "-c", script, str(PACKAGES)]
    environment = os.environ | ENVIRONMENT
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def measure(runs: int) -> dict[str, float]:
    """Return the best CPU time of each candidate, in milliseconds."""
    best: dict[str, float] = {}
    for _ in range(runs):
        for name, script in CANDIDATES.items():
            best[name] = min(best.get(name, float("inf")), cpu_ms(script))
    return best


def main() -> int:
    """Print the figures, and return 1 if one exceeds its limit."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=15)
    runs = options.parse_args().runs
    install()
    best = measure(runs)
    base = best["no tracing"]
    print(f"{'new process to the end of one invocation':42} {'CPU ms':>8} {'added':>8}")
    for name, value in best.items():
        print(f"{name:42} {value:8.0f} {value - base:8.0f}")
    tracer = best["Powertools Tracer"]
    rows = [
        (
            "Tracer's addition / OpenTelemetry's",
            (tracer - base) / (best["OpenTelemetry"] - base),
            1,
        ),
        ("with Tracer / without", tracer / base, MAX_RATIO),
    ]
    failed = False
    for name, ratio, limit in rows:
        failed |= ratio > limit
        print(f"{name:42} {ratio:8.2f} {limit:8.2f}  {'FAIL' if ratio > limit else 'pass'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
