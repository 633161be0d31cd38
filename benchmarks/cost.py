"""Benchmark: the cost of a million events in USD, from list prices and measured sizes.

    .venv/bin/python benchmarks/cost.py

The program measures the requests, records and log lines of real page views, and reads from the
templates what is charged: the web ACL, memory sizes, the share of logged requests, the retention of
the stream. Prices are AWS's list prices, each with its page and month, without free tiers. Charges
per month that don't depend on the number of events are printed separately. Not counted: the storage
of the lake, and queries. The program prints each figure with its limit, and exits with 1 if a
figure exceeds its limit.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

GB: Final = 1024**3
MILLION: Final = 1_000_000
MONTH_HOURS: Final = 730


class Price(NamedTuple):
    """The price of one unit in USD, in us-east-1."""

    dollars: float
    unit: str
    page: str
    month: str


PRICES: Final = {
    "waf_request": Price(
        0.60 / MILLION, "request that the web ACL inspects", "aws.amazon.com/waf/pricing", "2026-11"
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
    "kinesis_retention": Price(
        0.10 / GB / MONTH_HOURS,
        "byte and hour after the first day",
        "kinesis/data-streams/pricing",
        "2026-11",
    ),
    "kinesis_stream_hour": Price(
        0.04, "hour of an on-demand stream", "kinesis/data-streams/pricing", "2026-11"
    ),
    "kinesis_out": Price(0.04 / GB, "byte out", "kinesis/data-streams/pricing", "2026-11"),
    "lambda_request": Price(
        0.20 / MILLION, "Lambda request", "aws.amazon.com/lambda/pricing", "2026-11"
    ),
    "lambda_gb_second": Price(
        0.0000166667, "Lambda GB-second, x86", "aws.amazon.com/lambda/pricing", "2026-11"
    ),
    "api_request": Price(
        3.50 / MILLION, "REST API request", "aws.amazon.com/api-gateway/pricing", "2026-11"
    ),
    "kms_sign": Price(
        0.03 / 10_000, "request with an RSA 2048 key", "aws.amazon.com/kms/pricing", "2026-11"
    ),
    "s3_get": Price(0.0004 / 1000, "GET", "aws.amazon.com/s3/pricing", "2026-11"),
    "s3_put": Price(0.005 / 1000, "PUT", "aws.amazon.com/s3/pricing", "2026-11"),
    "dynamodb_write": Price(
        0.625 / MILLION, "write unit, on demand", "dynamodb/pricing/on-demand", "2026-11"
    ),
}


class Delivery(NamedTuple):
    """CloudFront's prices in USD where a viewer is: an HTTPS request, and bytes out.

    `to_function` is the price of "data transfer out to origin": CloudFront charges it for request
    bodies that go to an edge function, too.
    """

    request: float
    to_viewer: float
    to_function: float


# aws.amazon.com/cloudfront/pricing, 2026-11, first tier.
CLOUDFRONT: Final = {
    "United States, Canada, Mexico": Delivery(1.00 / MILLION, 0.085 / GB, 0.020 / GB),
    "Europe, Israel": Delivery(1.20 / MILLION, 0.085 / GB, 0.020 / GB),
    "India": Delivery(1.20 / MILLION, 0.109 / GB, 0.160 / GB),
    "Japan": Delivery(1.20 / MILLION, 0.114 / GB, 0.060 / GB),
    "Australia, New Zealand": Delivery(1.25 / MILLION, 0.114 / GB, 0.080 / GB),
    "South Africa, Kenya, Middle East": Delivery(1.20 / MILLION, 0.110 / GB, 0.060 / GB),
    "South America": Delivery(2.20 / MILLION, 0.110 / GB, 0.125 / GB),
}
# The limits apply to these viewers.
REFERENCE: Final = "United States, Canada, Mexico"

# Assumptions, not measured.
EDGE_S: Final = 0.025  # mostly the round trip to Kinesis in the same Region
PREFLIGHT_S: Final = 0.002
# Pages of the distribution's own domain send none; others one in two hours (its maximum age).
PREFLIGHTS_PER_REQUEST: Final = 0.01
PLATFORM_LOG_BYTES: Final = 330  # START, END and REPORT lines of one invocation
RESPONSE_BYTES: Final = 450  # CloudFront's response with its headers
REQUEST_HEADER_BYTES: Final = 600
EVENTS_PER_INVOCATION: Final = 5_000  # a batching window of one minute on a busy shard
PROCESSOR_GB: Final = 1.0
PROCESSOR_EVENT_S: Final = 40e-6
PROCESSOR_S: Final = 0.15  # per invocation, independent of its size
# A process of edge_auth reads the deny-list: a TLS connection, and the verification.
SNAPSHOT_READ_S: Final = 0.1
# A renewal: edge_auth, then a call of S3 and one of KMS.
RENEWAL_EDGE_S: Final = 0.005
RENEWAL_S: Final = 0.1
SNAPSHOT_BYTES: Final = 2_000  # some users or sources, with the response's headers
# The shard's checkpoint, the live counters of a minute, and the verdicts of one source (8 KB).
WRITES_PER_INVOCATION: Final = 38
# A page that isn't in CloudFront's cache invokes the collector, which passes the request on.
PAGE_S: Final = 0.002

# With every charge above, and bodies that the SDK doesn't compress, as in browsers.
MAX_DOLLARS: Final = {1: 2.75, 10: 0.31, 100: 0.06}


class Components(NamedTuple):
    """What the templates say about charges. `regions` have a stream each."""

    edge_memory_gb: float
    has_web_acl: bool
    web_acl_rules: int
    log_sample: float
    retention_hours: int
    regions: int
    snapshot_age_s: int
    media_memory_gb: float
    pages_invoke_collector: bool


def components() -> Components:
    """Read the components from the templates.

    Raises:
        ValueError: The stream isn't in on-demand mode, whose prices this program has.
    """
    from tools.deployment.environments import environments_of_stage
    from tools.deployment.templates import load

    def resources(name: str) -> dict[str, Any]:
        declared: dict[str, Any] = load(ROOT / name)["Resources"]
        return {key: it.get("Properties", {}) for key, it in declared.items()}

    functions, edge = resources("stacks/edge-functions.yaml"), resources("stacks/edge.yaml")
    stream = resources("stacks/stream.yaml")["EventsStream"]
    if stream["StreamModeDetails"]["StreamMode"] != "ON_DEMAND":
        raise ValueError("EventsStream isn't in on-demand mode. Add the prices of its mode.")
    _, values = functions["EdgeIngestVersion"]["Settings"]["Fn::Sub"]
    _, auth = functions["EdgeAuthVersion"]["Settings"]["Fn::Sub"]
    distribution = edge["Distribution"]["DistributionConfig"]
    acl = resources("stacks/edge-firewall.yaml")["WebAcl"]
    return Components(
        edge_memory_gb=functions["EdgeIngestFunction"]["MemorySize"] / 1024,
        has_web_acl="WebACLId" in distribution,
        web_acl_rules=len(acl["Rules"]),
        log_sample=values["LogSample"]["Fn::If"][2],
        retention_hours=stream["RetentionPeriodHours"],
        regions=sum(it.is_serving for it in environments_of_stage("prod")),
        snapshot_age_s=auth["SnapshotAge"]["Fn::If"][2],
        media_memory_gb=resources("stacks/edge-media.yaml")["MediaFunction"]["MemorySize"] / 1024,
        pages_invoke_collector=any(
            it["EventType"] == "origin-request"
            for it in distribution["DefaultCacheBehavior"].get("LambdaFunctionAssociations", [])
        ),
    )


class Measured(NamedTuple):
    """Bytes per request: its body, its records, the billed size of the records, and the log."""

    body_bytes: float
    record_bytes: float
    billed_bytes: float
    log_bytes: float


def measure(size: int, log_sample: float) -> Measured:
    """Measure the bodies, records and log lines for requests of `size` events."""
    from benchmarks import ingest

    lines: list[str] = []
    records = list(ingest.records(size, lines.append))
    sent = ingest.bodies(size, 10_000)
    return Measured(
        body_bytes=sum(map(len, sent)) / len(sent),
        record_bytes=sum(map(len, records)) / len(records),
        billed_bytes=sum(math.ceil(len(data) / 1024) * 1024 for data in records) / len(records),
        log_bytes=PLATFORM_LOG_BYTES + log_sample * sum(map(len, lines)) / len(lines),
    )


def dollars(
    size: int, measured: Measured, deployed: Components, delivery: Delivery
) -> dict[str, float]:
    """Return the cost of a million events in USD by service, with `size` events per request."""
    price = {name: known.dollars for name, known in PRICES.items()}
    requests = MILLION / size
    invocations = MILLION / EVENTS_PER_INVOCATION
    busy = PROCESSOR_S + EVENTS_PER_INVOCATION * PROCESSOR_EVENT_S
    web_acl = price["waf_request"] if deployed.has_web_acl else 0.0
    edge_second = deployed.edge_memory_gb * price["edge_gb_second"]
    # A stream keeps each byte for a day without a charge.
    retained_hours = max(0, deployed.retention_hours - 24)
    preflight = (
        delivery.request
        + REQUEST_HEADER_BYTES * delivery.to_function
        + RESPONSE_BYTES * delivery.to_viewer
        + web_acl
        + price["edge_request"]
        + PREFLIGHT_S * edge_second
        + PLATFORM_LOG_BYTES * price["log_byte"]
    )
    return {
        "CloudFront": requests
        * (
            delivery.request
            + RESPONSE_BYTES * delivery.to_viewer
            + (measured.body_bytes + REQUEST_HEADER_BYTES) * delivery.to_function
        ),
        "AWS WAF": requests * web_acl,
        "Lambda@Edge": requests * (price["edge_request"] + EDGE_S * edge_second),
        "preflights": requests * PREFLIGHTS_PER_REQUEST * preflight,
        "logs": requests * measured.log_bytes * price["log_byte"],
        "Kinesis": requests
        * (
            measured.billed_bytes * price["kinesis_in"]
            + measured.record_bytes * price["kinesis_out"]
            + measured.billed_bytes * retained_hours * price["kinesis_retention"]
        ),
        "processor and S3": invocations
        * (
            price["lambda_request"]
            + busy * PROCESSOR_GB * price["lambda_gb_second"]
            + price["s3_put"]
            + WRITES_PER_INVOCATION * price["dynamodb_write"]
        ),
    }


def revocation_dollars(requests_per_minute: float, deployed: Components) -> float:
    """Return the cost in USD of a snapshot for a million requests.

    A process of edge_auth or of the collector serves `requests_per_minute`, and reads the snapshot
    once a minute.
    """
    price = {name: known.dollars for name, known in PRICES.items()}
    delivery = CLOUDFRONT[REFERENCE]
    read = (
        delivery.request
        + SNAPSHOT_BYTES * delivery.to_viewer
        + (price["waf_request"] if deployed.has_web_acl else 0.0)
        + price["s3_get"]
        + SNAPSHOT_READ_S * deployed.edge_memory_gb * price["edge_gb_second"]
    )
    reads_per_request = min(1.0, 60 / deployed.snapshot_age_s / requests_per_minute)
    return MILLION * reads_per_request * read


def renewal_dollars(deployed: Components) -> float:
    """Return the cost in USD of a million renewals of the media's cookies (src/media)."""
    price = {name: known.dollars for name, known in PRICES.items()}
    edge = (
        price["edge_request"] + RENEWAL_EDGE_S * deployed.edge_memory_gb * price["edge_gb_second"]
    )
    function = (
        price["lambda_request"]
        + RENEWAL_S * deployed.media_memory_gb * price["lambda_gb_second"]
        + price["s3_get"]
        + price["kms_sign"]
    )
    waf = price["waf_request"] if deployed.has_web_acl else 0.0
    return MILLION * (CLOUDFRONT[REFERENCE].request + waf + edge + price["api_request"] + function)


def page_dollars(miss_ratio: float, deployed: Components) -> float:
    """Return the collector's cost in USD for a million requests of public pages and their files.

    `miss_ratio` is the share of requests that CloudFront's cache can't answer.
    """
    if not deployed.pages_invoke_collector:
        return 0.0
    price = {name: known.dollars for name, known in PRICES.items()}
    return (
        MILLION
        * miss_ratio
        * (
            price["edge_request"]
            + PAGE_S * deployed.edge_memory_gb * price["edge_gb_second"]
            + PLATFORM_LOG_BYTES * price["log_byte"]
        )
    )


def fixed_dollars(deployed: Components) -> dict[str, float]:
    """Return the charges of a month in USD that don't depend on the number of events."""
    stream = MONTH_HOURS * PRICES["kinesis_stream_hour"].dollars
    # AWS WAF pricing: 5 USD for a web ACL, 1 USD for a rule or rule group.
    web_acl = 5.0 + deployed.web_acl_rules if deployed.has_web_acl else 0.0
    # AWS KMS pricing: 1 USD for a key.
    return {
        f"{deployed.regions} streams": deployed.regions * stream,
        "web ACL": web_acl,
        "key of the deny-list": 1.0,
        "key of the media's cookies": 1.0,
    }


def main() -> int:
    met = True
    deployed = components()
    print("dollars for a million events, from the viewer to the data lake")
    for size, limit in MAX_DOLLARS.items():
        measured = measure(size, deployed.log_sample)
        parts = dollars(size, measured, deployed, CLOUDFRONT[REFERENCE])
        total = sum(parts.values())
        result = "ok" if total <= limit else "EXCEEDED"
        met = met and total <= limit
        print(f"  {size:>3} events per request {total:>9.3f}    limit {limit:g}  {result}")
        print("      " + ", ".join(f"{name} {part:.4f}" for name, part in parts.items()))
        for location, delivery in CLOUDFRONT.items():
            total = sum(dollars(size, measured, deployed, delivery).values())
            print(f"      viewers in {location:<34}{total:>9.3f}")
    print(
        "dollars for the snapshot of a million requests of pages or SDKs,"
        " by requests per process and minute"
    )
    for requests in (1, 10, 100):
        print(f"  {requests:>3} requests {revocation_dollars(requests, deployed):>19.3f}")
    print(f"dollars for a million renewals of media cookies{renewal_dollars(deployed):>9.3f}")
    print("dollars for the collector at a million requests of pages, by the share of cache misses")
    for share in (0.01, 0.1, 1.0):
        print(f"  {share:>6.0%} misses {page_dollars(share, deployed):>17.3f}")
    print("dollars per month, independent of the number of events")
    for name, amount in fixed_dollars(deployed).items():
        print(f"  {name:<30}{amount:>9.2f}")
    print("prices in USD")
    for known in PRICES.values():
        print(f"  {known.dollars:.3e} per {known.unit} ({known.page}, {known.month})")
    assumed = {
        name: value
        for name, value in globals().items()
        if name.isupper() and isinstance(value, int | float) and name not in ("GB", "MILLION")
    }
    print(f"from the templates: {deployed._asdict()}")
    print(f"assumptions: {json.dumps(assumed)}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
