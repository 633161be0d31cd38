"""Benchmark: the cost of a million events in USD, from list prices and measured sizes.

    .venv/bin/python benchmarks/cost.py

The program measures the records and log lines that the collector writes for real page views. Prices
are AWS's list prices, each with its page and month, without free tiers and without fixed costs
(stream hours, alarms). The program prints each figure with its limit, and exits with 1 if a figure
exceeds its limit.
"""

import json
import math
import re
import sys
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

GB: Final = 1024**3
MILLION: Final = 1_000_000


class Price(NamedTuple):
    """The price of one unit in USD, in us-east-1 (CloudFront: North America and Europe)."""

    dollars: float
    unit: str
    page: str
    month: str


PRICES: Final = {
    "cloudfront_request": Price(
        1.00 / MILLION, "HTTPS request", "aws.amazon.com/cloudfront/pricing", "2026-11"
    ),
    "cloudfront_out": Price(
        0.085 / GB, "byte to the viewer", "aws.amazon.com/cloudfront/pricing", "2026-11"
    ),
    "edge_request": Price(
        0.60 / MILLION, "Lambda@Edge request", "aws.amazon.com/lambda/pricing", "2026-11"
    ),
    "edge_gb_second": Price(
        0.00005001, "Lambda@Edge GB-second", "aws.amazon.com/lambda/pricing", "2026-11"
    ),
    "log_byte": Price(
        0.50 / GB, "byte of CloudWatch Logs", "aws.amazon.com/cloudwatch/pricing", "2026-11"
    ),
    "kinesis_in": Price(
        0.08 / GB,
        "byte in, each record rounded up to 1 KB",
        "kinesis/data-streams/pricing",
        "2026-11",
    ),
    "kinesis_out": Price(0.04 / GB, "byte out", "kinesis/data-streams/pricing", "2026-11"),
    "lambda_request": Price(
        0.20 / MILLION, "Lambda request", "aws.amazon.com/lambda/pricing", "2026-11"
    ),
    "lambda_gb_second": Price(
        0.0000166667, "Lambda GB-second, x86", "aws.amazon.com/lambda/pricing", "2026-11"
    ),
    "s3_put": Price(0.005 / 1000, "PUT", "aws.amazon.com/s3/pricing", "2026-11"),
    "dynamodb_write": Price(
        0.625 / MILLION, "write unit, on demand", "dynamodb/pricing/on-demand", "2026-11"
    ),
}

# Assumptions, not measured.
EDGE_S: Final = 0.025  # mostly the round trip to Kinesis in the same Region
PLATFORM_LOG_BYTES: Final = 330  # START, END and REPORT lines of one invocation
RESPONSE_BYTES: Final = 450  # CloudFront's response with its headers
EVENTS_PER_INVOCATION: Final = 5_000  # a batching window of one minute on a busy shard
PROCESSOR_GB: Final = 1.0
PROCESSOR_EVENT_S: Final = 40e-6
PROCESSOR_S: Final = 0.15  # per invocation, independent of its size
WRITES_PER_INVOCATION: Final = 30  # the shard's checkpoint, and the live counters of a minute

MAX_DOLLARS: Final = {1: 2.2, 10: 0.24, 100: 0.04}


def edge_memory_gb() -> float:
    """Return the function's memory size in GB, from the template."""
    template = (ROOT / "stacks" / "edge.yaml").read_text()
    match = re.search(r"(?s)  EdgeIngestFunction:.*?MemorySize: (\d+)", template)
    assert match is not None
    return int(match[1]) / 1024


class Measured(NamedTuple):
    """Bytes per request: its records, the billed size of the records, and the log."""

    record_bytes: float
    billed_bytes: float
    log_bytes: float


def measure(size: int) -> Measured:
    """Measure the records and log lines for requests of `size` events."""
    from benchmarks import ingest
    from edge_ingest import settings

    lines: list[str] = []
    records = list(ingest.records(size, lines.append))
    sample = settings.parse(ingest.SETTINGS).log_sample
    return Measured(
        record_bytes=sum(map(len, records)) / len(records),
        billed_bytes=sum(math.ceil(len(data) / 1024) * 1024 for data in records) / len(records),
        log_bytes=PLATFORM_LOG_BYTES + sample * sum(map(len, lines)) / len(lines),
    )


def dollars(size: int, measured: Measured) -> dict[str, float]:
    """Return the cost of a million events in USD by service, with `size` events per request."""
    price = {name: known.dollars for name, known in PRICES.items()}
    requests = MILLION / size
    invocations = MILLION / EVENTS_PER_INVOCATION
    busy = PROCESSOR_S + EVENTS_PER_INVOCATION * PROCESSOR_EVENT_S
    return {
        "CloudFront": requests
        * (price["cloudfront_request"] + RESPONSE_BYTES * price["cloudfront_out"]),
        "Lambda@Edge": requests
        * (price["edge_request"] + edge_memory_gb() * EDGE_S * price["edge_gb_second"]),
        "logs": requests * measured.log_bytes * price["log_byte"],
        "Kinesis": requests
        * (
            measured.billed_bytes * price["kinesis_in"]
            + measured.record_bytes * price["kinesis_out"]
        ),
        "processor and S3": invocations
        * (
            price["lambda_request"]
            + busy * PROCESSOR_GB * price["lambda_gb_second"]
            + price["s3_put"]
            + WRITES_PER_INVOCATION * price["dynamodb_write"]
        ),
    }


def main() -> int:
    met = True
    print("dollars for a million events, from the viewer to the data lake")
    for size, limit in MAX_DOLLARS.items():
        parts = dollars(size, measure(size))
        total = sum(parts.values())
        result = "ok" if total <= limit else "EXCEEDED"
        met = met and total <= limit
        print(f"  {size:>3} events per request {total:>9.3f}    limit {limit:g}  {result}")
        print("      " + ", ".join(f"{name} {part:.4f}" for name, part in parts.items()))
    print("prices in USD")
    for known in PRICES.values():
        print(f"  {known.dollars:.3e} per {known.unit} ({known.page}, {known.month})")
    assumed = {
        name: value
        for name, value in globals().items()
        if name.isupper() and isinstance(value, int | float) and name not in ("GB", "MILLION")
    }
    print(f"memory size of EdgeIngestFunction: {edge_memory_gb()} GB")
    print(f"assumptions: {json.dumps(assumed)}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
