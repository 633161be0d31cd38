"""The charges of a month in `capacity.py`, from the templates and `cost_prices.py`.

A charge with "each month" doesn't depend on the number of events. Resources that only a further
parameter creates (audit trail, budget, Kafka) aren't counted, except the health checks of `Domain`.
"""

import ast
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks import cost
from benchmarks.cost_prices import CLOUDFRONT, GB, MILLION, MONTH_HOURS, PRICES, REFERENCE
from tools.deployment.conditions import evaluate
from tools.deployment.templates import load
from tools.paths import ROOT
from tools.stack import EDGE_REGION

#: A process of an edge function serves so many requests in a minute, and then reads a snapshot.
REQUESTS_PER_PROCESS: Final = 10.0
#: The nested stack of the domain name.
_NAMES: Final = "Names"
#: The secret that exists with the default of the parameter OriginKeys.
_KEY: Final = "OriginKeyA"
_APPLICATION: Final = "AWS::Serverless::Application"


class Layout(NamedTuple):
    """The Regions of a stage. `serving` starts with the home, and includes all with a stream."""

    serving: Sequence[str]

    @property
    def home(self) -> str:
        """The Region of the data and the users."""
        return self.serving[0]

    @property
    def stacks(self) -> Sequence[str]:
        """The Regions with a stack: the serving ones and the edge's."""
        return [*dict.fromkeys([*self.serving, EDGE_REGION])]


#: Amazon S3 User Guide, "Using S3 Replication metrics": pending bytes and operations, latency and
#: failed operations of each rule, "billed at the same rate as CloudWatch custom metrics". Each
#: further Region has a rule in both directions.
_REPLICATION_METRICS: Final = 2 * 4


def monthly_dollars(
    layout: Layout, *, shards: int = 0, has_domain: bool = False
) -> dict[str, float]:
    """Return the charges of each month in USD by component.

    Args:
        layout: The stage's Regions.
        shards: The provisioned shards of each stream; 0 if the streams are on demand.
        has_domain: Whether the stage has a domain name, and so health checks.
    """
    price = {name: known.dollars for name, known in PRICES.items()}
    numbers: Counter[str] = Counter()
    metrics = checks = rules = 0.0
    for region in layout.stacks:
        for kind, properties in _resources(region, layout.home, has_domain=has_domain):
            numbers[kind] += 1
            if kind == "AWS::CloudWatch::Alarm":
                metrics += _metrics_of(properties)
            elif kind == "AWS::Route53::HealthCheck":
                checks += health_check_dollars(properties["HealthCheckConfig"])
            elif kind == "AWS::WAFv2::WebACL":
                rules += len(properties["Rules"])
    stream = (
        shards * (price["kinesis_shard_hour"] + price["kinesis_shard_retention_hour"])
        if shards
        else price["kinesis_stream_hour"]
    )
    return {
        "event streams": len(layout.serving) * MONTH_HOURS * stream,
        "alarms": metrics * price["alarm_metric"],
        "metrics of the functions": len(layout.serving) * len(custom_metrics()) * price["metric"],
        "metrics of the pages' replication": (
            (len(layout.serving) - 1) * _REPLICATION_METRICS * price["metric"]
        ),
        "dashboards": numbers["AWS::CloudWatch::Dashboard"] * price["dashboard"],
        "web ACLs": numbers["AWS::WAFv2::WebACL"] * price["web_acl"] + rules * price["waf_rule"],
        "KMS keys": numbers["AWS::KMS::Key"] * price["kms_key"],
        "secrets": numbers["AWS::SecretsManager::Secret"] * price["secret"],
        "health checks": checks,
    }


def event_dollars(
    events: float, per_request: int, *, is_provisioned: bool = False
) -> dict[str, float]:
    """Return the charges in USD of a month's events by component.

    Args:
        events: The events of the month.
        per_request: The events of one request.
        is_provisioned: Whether the streams have shards instead of being on demand.
    """
    deployed = _components()
    measured = measured_request(per_request)
    millions = events / MILLION
    parts = cost.dollars(
        per_request, measured, deployed, CLOUDFRONT[REFERENCE], is_provisioned=is_provisioned
    )
    snapshot = cost.revocation_dollars(REQUESTS_PER_PROCESS, deployed) / per_request
    stored = stored_bytes(per_request) / GB * PRICES["s3_gb_month"].dollars * MILLION
    return {name: millions * it for name, it in parts.items()} | {
        "snapshots of the sources": millions * snapshot,
        "lake, per month that it is kept": millions * stored,
    }


@cache
def measured_request(per_request: int) -> cost.Measured:
    """Return the sizes of a request of `per_request` events."""
    return cost.measure(per_request, _components())


@cache
def _components() -> cost.Components:
    return cost.components()


@cache
def _template(path: Path) -> Mapping[str, Any]:
    return load(path)


def health_check_dollars(config: Mapping[str, Any]) -> float:
    """Return the price of a month of a health check of an endpoint on AWS.

    HTTPS, a match of the response's text, and an interval of ten seconds are features with a price.
    """
    kind = str(config["Type"])
    features = kind.startswith("HTTPS") + kind.endswith("STR_MATCH")
    features += config.get("RequestInterval") == 10
    price = PRICES["health_check"].dollars
    return price + features * PRICES["health_check_feature"].dollars


@cache
def custom_metrics() -> frozenset[str]:
    """Return the names of the metrics that the functions of a Region write."""
    names: set[str] = set()
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text()
        if "telemetry" not in text:
            continue
        tree = ast.parse(text)
        loops = [it for it in ast.walk(tree) if isinstance(it, ast.For)]
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                is_metric = node.func.attr in ("count", "seconds")
                is_ours = ast.unparse(node.func.value) == "telemetry"
                if is_metric and is_ours:
                    names |= _names(node.args[0], loops)
    return frozenset(names)


def _names(argument: ast.expr, loops: Iterable[ast.For]) -> set[str]:
    """Return a metric's name, or those that a loop assigns to its variable."""
    if isinstance(argument, ast.Constant):
        return {str(argument.value)}
    wanted = ast.unparse(argument)
    return {
        str(it.value)
        for loop in loops
        if wanted in {ast.unparse(name) for name in ast.walk(loop.target)}
        for it in ast.walk(loop.iter)
        if isinstance(it, ast.Constant)
    }


@cache
def stored_bytes(per_request: int) -> float:
    """Return the bytes of an event in the lake, in an object of 5,000 events."""
    from benchmarks import ingest
    from stream_processor.rows.event_rows import EventRows
    from stream_processor.storage import parquet

    rows = EventRows("shardId-000000000000", frozenset())
    for number, data in enumerate(ingest.records(per_request, lambda _: None)):
        rows.add(data, number, 1_795_000_000_000)
        if rows.size >= cost.EVENTS_PER_INVOCATION:
            break
    table = rows.finish()
    return len(parquet.write(table)) / int(table.num_rows)


def _metrics_of(alarm: Mapping[str, Any]) -> int:
    """Return the metrics of an alarm, each of which has a price; a band counts as two more."""
    queries: Iterable[Mapping[str, Any]] = alarm.get("Metrics", ())
    bands = sum("ANOMALY_DETECTION_BAND" in str(it.get("Expression")) for it in queries)
    return max(1, sum("MetricStat" in it for it in queries) + 2 * bands)


def _resources(
    region: str, home: str, *, has_domain: bool, path: Path = ROOT / "template.yaml"
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the type and properties of the resources that a Region gets."""
    template = _template(path)
    for logical_id, resource in template["Resources"].items():
        exists: bool | None = True
        if "Condition" in resource:
            exists = evaluate(template, {"Condition": resource["Condition"]}, region, home)
        if exists is None:  # Another parameter decides.
            exists = has_domain and (logical_id == _NAMES or path.name == "names.yaml")
            exists = exists or logical_id == _KEY
        if not exists:
            continue
        properties = resource.get("Properties", {})
        yield resource["Type"], properties
        if resource["Type"] == _APPLICATION:
            nested = path.parent / properties["Location"]
            yield from _resources(region, home, has_domain=has_domain, path=nested)


def total(charges: Mapping[str, float]) -> float:
    """Return the sum of charges."""
    return math.fsum(charges.values())
