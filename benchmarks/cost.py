"""Benchmark: the cost of a million events in USD, from list prices and measured sizes.

    .venv/bin/python benchmarks/cost.py

The program measures the requests, records and log lines of real page views, and reads from the
templates what is charged: the web ACL, memory sizes, the share of logged requests, the retention of
the stream. Prices are AWS's list prices, each with its page and month, without free tiers. Charges
per month that don't depend on the number of events are printed separately. Not counted: the storage
of the lake, and queries. The program prints each figure with its limit, and exits with 1 if a
figure exceeds its limit.
"""

import gzip
import json
import math
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from benchmarks import cost_live  # noqa: E402 - needs the path above
from benchmarks.cost_prices import (  # noqa: E402
    CLOUDFRONT,
    MILLION,
    MONTH_HOURS,
    PRICES,
    REFERENCE,
    Delivery,
    kafka_dollars,
    spark_dollars,
    token_dollars,
)

# Assumptions, not measured.
EDGE_S: Final = 0.025  # mostly the round trip to Kinesis in the same Region
PREFLIGHT_S: Final = 0.002
# Pages of the distribution's own domain send none; others one in two hours (its maximum age).
PREFLIGHTS_PER_REQUEST: Final = 0.01
PLATFORM_LOG_BYTES: Final = 330  # START, END and REPORT lines of one invocation, if they are on
RESPONSE_BYTES: Final = 450  # CloudFront's response with its headers
REQUEST_HEADER_BYTES: Final = 600
EVENTS_PER_INVOCATION: Final = 5_000  # a batching window of one minute on a busy shard
PROCESSOR_LOG_BYTES: Final = 1_500  # of an invocation: Lambda's own lines and the metrics
PROCESSOR_EVENT_S: Final = 40e-6
PROCESSOR_S: Final = 0.15  # per invocation, independent of its size
# A process of edge_auth reads the deny-list: a TLS connection, and the verification.
SNAPSHOT_READ_S: Final = 0.1
# A renewal: edge_auth, then a call of S3 and one of KMS.
RENEWAL_EDGE_S: Final = 0.005
RENEWAL_S: Final = 0.1
SNAPSHOT_BYTES: Final = 2_000  # some users or sources, with the response's headers
# A page that isn't in CloudFront's cache invokes the collector, which passes the request on.
PAGE_S: Final = 0.002

# With every charge above, in on-demand mode. Browsers' SDKs don't compress bodies.
MAX_DOLLARS: Final = {1: 2.7, 10: 0.29}
# Batches of a hundred come from servers, whose SDKs can compress them (`gzip=True`).
MAX_COMPRESSED_DOLLARS: Final = {100: 0.045}
# The same without compression: CloudFront charges 75 KB more for each request. The target of the
# other modes is below `least`, which docs/decisions/0051-cost-of-an-event.md explains.
MAX_LARGE_DOLLARS: Final = {100: 0.057}
# The same with StreamMode=PROVISIONED, without and with compression.
MAX_SHARD_DOLLARS: Final = {1: 2.7, 10: 0.29, 100: 0.046}


class Components(NamedTuple):
    """What the templates say about charges. `regions` have a stream each.

    `platform_log_bytes` are those of Lambda's own lines about an invocation.
    """

    edge_memory_gb: float
    has_web_acl: bool
    web_acl_rules: int
    log_sample: float
    platform_log_bytes: int
    retention_hours: int
    regions: int
    snapshot_age_s: int
    media_memory_gb: float
    token_memory_mb: int
    pages_invoke_collector: bool
    processor_gb: float


def components() -> Components:
    """Read the components from the templates.

    Raises:
        ValueError: The stream's retention isn't the seven days whose prices this program has.
    """
    from tools.deployment.environments import environments_of_stage
    from tools.deployment.templates import load

    def resources(name: str) -> dict[str, Any]:
        declared: dict[str, Any] = load(ROOT / name)["Resources"]
        return {key: it.get("Properties", {}) for key, it in declared.items()}

    functions, edge = resources("stacks/edge-functions.yaml"), resources("stacks/edge.yaml")
    processing = resources("stacks/stream.yaml")
    stream = processing["EventsStream"]
    if stream["RetentionPeriodHours"] != 168:
        raise ValueError("EventsStream doesn't keep records for 7 days. Add the price.")
    logging = functions["EdgeIngestFunction"].get("LoggingConfig", {})
    _, values = functions["EdgeIngestVersion"]["Settings"]["Fn::Sub"]
    _, auth = functions["EdgeAuthVersion"]["Settings"]["Fn::Sub"]
    distribution = edge["Distribution"]["DistributionConfig"]
    acl = resources("stacks/edge-firewall.yaml")["WebAcl"]
    return Components(
        edge_memory_gb=functions["EdgeIngestFunction"]["MemorySize"] / 1024,
        has_web_acl="WebACLId" in distribution,
        web_acl_rules=len(acl["Rules"]),
        log_sample=values["LogSample"]["Fn::If"][2],
        # Lambda, "Log-level filtering": START and REPORT have the level INFO.
        platform_log_bytes=0 if logging.get("SystemLogLevel") == "WARN" else PLATFORM_LOG_BYTES,
        retention_hours=stream["RetentionPeriodHours"],
        regions=sum(it.is_serving for it in environments_of_stage("prod")),
        snapshot_age_s=auth["SnapshotAge"]["Fn::If"][2],
        media_memory_gb=resources("stacks/edge-media.yaml")["MediaFunction"]["MemorySize"] / 1024,
        token_memory_mb=resources("stacks/entitlements.yaml")["EntitlementsFunction"]["MemorySize"],
        pages_invoke_collector=any(
            it["EventType"] == "origin-request"
            for it in distribution["DefaultCacheBehavior"].get("LambdaFunctionAssociations", [])
        ),
        processor_gb=processing["EventsFunction"]["MemorySize"] / 1024,
    )


class Measured(NamedTuple):
    """Per request: bytes of its body, its records, their billed size and the log; 25 KB units."""

    body_bytes: float
    compressed_body_bytes: float
    record_bytes: float
    billed_bytes: float
    put_units: float
    log_bytes: float


def measure(size: int, deployed: Components) -> Measured:
    """Measure the bodies, records and log lines for requests of `size` events."""
    from benchmarks import ingest

    lines: list[str] = []
    records = list(ingest.records(size, lines.append))
    sent = ingest.bodies(size, 10_000)
    return Measured(
        body_bytes=sum(map(len, sent)) / len(sent),
        compressed_body_bytes=sum(len(gzip.compress(body, mtime=0)) for body in sent) / len(sent),
        record_bytes=sum(map(len, records)) / len(records),
        billed_bytes=sum(math.ceil(len(data) / 1024) * 1024 for data in records) / len(records),
        put_units=sum(math.ceil(len(data) / 25_600) for data in records) / len(records),
        log_bytes=deployed.platform_log_bytes
        + deployed.log_sample * sum(map(len, lines)) / len(lines),
    )


def dollars(
    size: int,
    measured: Measured,
    deployed: Components,
    delivery: Delivery,
    *,
    is_compressed: bool = False,
    is_provisioned: bool = False,
) -> dict[str, float]:
    """Return the cost of a million events in USD by service, with `size` events per request.

    `is_compressed`: the bodies have gzip. `is_provisioned`: the stream has shards, whose hours
    `fixed_dollars` counts.
    """
    price = {name: known.dollars for name, known in PRICES.items()}
    requests = MILLION / size
    invocations = MILLION / EVENTS_PER_INVOCATION
    live = cost_live.units(EVENTS_PER_INVOCATION)
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
        + deployed.platform_log_bytes * price["log_byte"]
    )
    body = measured.compressed_body_bytes if is_compressed else measured.body_bytes
    stream = (
        measured.put_units * price["kinesis_put_unit"]
        if is_provisioned
        else measured.billed_bytes * price["kinesis_in"]
        + measured.record_bytes * price["kinesis_out"]
        + measured.billed_bytes * retained_hours * price["kinesis_retention"]
    )
    return {
        "CloudFront": requests
        * (
            delivery.request
            + RESPONSE_BYTES * delivery.to_viewer
            + (body + REQUEST_HEADER_BYTES) * delivery.to_function
        ),
        "AWS WAF": requests * web_acl,
        "Lambda@Edge": requests * (price["edge_request"] + EDGE_S * edge_second),
        "preflights": requests * PREFLIGHTS_PER_REQUEST * preflight,
        "logs": requests * measured.log_bytes * price["log_byte"],
        "Kinesis": requests * stream,
        "processor and S3": invocations
        * (
            price["lambda_request"]
            + busy * deployed.processor_gb * price["lambda_gb_second"]
            # All functions have active tracing: Lambda samples the first invocation of each second.
            + price["xray_trace"]
            + PROCESSOR_LOG_BYTES * price["log_byte"]
            + price["s3_put"]
            + live.writes * price["dynamodb_write"]
            + live.reads * price["dynamodb_read"]
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
            + deployed.platform_log_bytes * price["log_byte"]
        )
    )


def fixed_dollars(deployed: Components) -> dict[str, float]:
    """Return the charges of a month in USD that don't depend on the number of events."""
    stream = MONTH_HOURS * PRICES["kinesis_stream_hour"].dollars
    shard_hour = PRICES["kinesis_shard_hour"], PRICES["kinesis_shard_retention_hour"]
    shard = MONTH_HOURS * sum(price.dollars for price in shard_hour)
    web_acl = PRICES["web_acl"].dollars + deployed.web_acl_rules * PRICES["waf_rule"].dollars
    key = PRICES["kms_key"].dollars
    return {
        f"{deployed.regions} streams on demand": deployed.regions * stream,
        f"or {deployed.regions} provisioned shards": deployed.regions * shard,
        "web ACL": web_acl if deployed.has_web_acl else 0.0,
        "key of the deny-list": key,
        "key of the media's cookies": key,
    }


def report(limits: dict[int, float], deployed: Components, *, is_compressed: bool) -> bool:
    """Print the cost of a million events by events per request. Return whether limits are met."""
    met = True
    for size, limit in limits.items():
        measured = measure(size, deployed)

        def total(delivery: Delivery, measured: Measured = measured, size: int = size) -> float:
            return sum(
                dollars(size, measured, deployed, delivery, is_compressed=is_compressed).values()
            )

        reference = CLOUDFRONT[REFERENCE]
        label = f"  {size:>3} events per request{' with gzip' if is_compressed else ''}"
        met = _is_within(label, total(reference), limit) and met
        parts = dollars(size, measured, deployed, reference, is_compressed=is_compressed)
        print("      " + ", ".join(f"{name} {part:.4f}" for name, part in parts.items()))
        kind = {"is_compressed": is_compressed, "is_provisioned": True}
        shards = dollars(size, measured, deployed, reference, **kind)
        label, amount = "    with StreamMode=PROVISIONED", sum(shards.values())
        met = _is_within(label, amount, MAX_SHARD_DOLLARS[size]) and met
        for location, delivery in CLOUDFRONT.items():
            print(f"      viewers in {location:<34}{total(delivery):>9.3f}")
    return met


def _is_within(label: str, amount: float, limit: float) -> bool:
    """Print an amount beside its limit, and return whether it is within the limit."""
    is_met = amount <= limit
    print(f"{label:<36}{amount:>9.3f}    limit {limit:g}  {'ok' if is_met else 'EXCEEDED'}")
    return is_met


def least(size: int, deployed: Components) -> dict[str, float]:
    """Return the least cost of a million events by service, for uncompressed bodies.

    It is what remains with no CPU time at the edge, no preflights and logs, records with gzip's
    highest level and without retention, and one PUT and one write per invocation of the processor.
    """
    from benchmarks import ingest

    price = {name: known.dollars for name, known in PRICES.items()}
    records = [gzip.decompress(data) for data in ingest.records(size, str)]
    smallest = sum(len(gzip.compress(data, 9, mtime=0)) for data in records) / len(records)
    parts = dollars(size, measure(size, deployed), deployed, CLOUDFRONT[REFERENCE])
    live = cost_live.units(EVENTS_PER_INVOCATION)
    writes = (live.writes - 1) * price["dynamodb_write"] + live.reads * price["dynamodb_read"]
    return {
        **parts,
        "Lambda@Edge": MILLION / size * price["edge_request"],
        "preflights": 0.0,
        "logs": 0.0,
        "Kinesis": MILLION / size * smallest * (price["kinesis_in"] + price["kinesis_out"]),
        "processor and S3": parts["processor and S3"] - MILLION / EVENTS_PER_INVOCATION * writes,
    }


def report_least(size: int, deployed: Components) -> None:
    """Print the parts of the cost of uncompressed bodies, and their least."""
    parts = dollars(size, measure(size, deployed), deployed, CLOUDFRONT[REFERENCE])
    lower = least(size, deployed)
    print(f"dollars for a million events, {size} per request without gzip: now, and at least")
    for name in (*parts, "sum"):
        now, bound = (sum(it.values()) if name == "sum" else it[name] for it in (parts, lower))
        print(f"  {name:<20}{now:>9.4f}{bound:>9.4f}")


def main() -> int:
    deployed = components()
    print("dollars for a million events, from the viewer to the data lake")
    met = report(MAX_DOLLARS, deployed, is_compressed=False)
    met = report(MAX_COMPRESSED_DOLLARS, deployed, is_compressed=True) and met
    met = report(MAX_LARGE_DOLLARS, deployed, is_compressed=False) and met
    report_least(100, deployed)
    print("dollars for the snapshot of a million requests, by requests per process and minute")
    for requests in (1, 10, 100):
        print(f"  {requests:>3} requests {revocation_dollars(requests, deployed):>19.3f}")
    print(f"dollars for a million renewals of media cookies{renewal_dollars(deployed):>9.3f}")
    print(
        f"dollars for a million tokens with courses{token_dollars(deployed.token_memory_mb):>15.3f}"
    )
    print("dollars for the collector at a million requests of pages, by the share of cache misses")
    for share in (0.01, 0.1, 1.0):
        print(f"  {share:>6.0%} misses {page_dollars(share, deployed):>17.3f}")
    print("dollars per month, independent of the number of events")
    for name, amount in fixed_dollars(deployed).items():
        print(f"  {name:<30}{amount:>9.2f}")
    print(f"  {'with KafkaClusterArn':<30}{kafka_dollars():>9.2f}")
    print(f"  {'with SparkJobs=daily':<30}{spark_dollars():>9.2f}")
    live = cost_live.units(EVENTS_PER_INVOCATION)
    print(f"DynamoDB, per invocation of the processor: {live.writes} writes, {live.reads} reads")
    print("prices in USD")
    for known in PRICES.values():
        print(f"  {known.dollars:.3e} per {known.unit} ({known.page}, {known.month})")
    assumed = {
        name: value
        for name, value in globals().items()
        if name.isupper() and isinstance(value, int | float) and name != "MILLION"
    }
    print(f"from the templates: {deployed._asdict()}")
    print(f"assumptions: {json.dumps(assumed)}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
