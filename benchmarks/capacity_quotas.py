"""The quotas of `capacity.py`: the events per second at which AWS's defaults end."""

import math
from typing import Final, NamedTuple

from tools.deployment.templates import load
from tools.paths import ROOT

MB: Final = 1024**2
# A hanging stream costs a request the time that the collector has for a Region, of 15 s in all.
HANGING_S: Final = 5.0


class Quota(NamedTuple):
    """A limit of AWS or of the templates, and the events per second that reach it.

    `scope` is what the limit counts: a Region's functions, a stream, the distribution. A limit that
    isn't one of the whole stage by default doesn't end it: an address, another mode of the stream.
    """

    name: str
    events_per_second: float
    scope: str
    source: str
    is_of_stage: bool = True


class Traffic(NamedTuple):
    """One request of the collector: its events, the bytes of its record, and its duration."""

    events: int
    record_bytes: float
    seconds: float


def quotas(traffic: Traffic, regions: int) -> list[Quota]:
    """Return the quotas with the events per second that reach them, the lowest first.

    The edge's quotas count for a regional edge cache; the figures suppose that all requests come
    through one, which is the worst case. Streams share the requests evenly.

    Args:
        traffic: The requests.
        regions: The number of Regions with a stream.
    """
    events, seconds = traffic.events, traffic.seconds
    record_mb = _record_mb(traffic)
    lambda_page = "Lambda quotas"
    edge_page = "Quotas on Lambda@Edge"
    kinesis_page = "Kinesis Data Streams, Quotas and limits"
    known = [
        Quota(
            "concurrent executions of a new account (10)",
            10 / seconds * events,
            "a Region's functions",
            lambda_page,
        ),
        Quota(
            f"concurrent executions of a new account (10) while a stream hangs for {HANGING_S:g} s",
            10 / HANGING_S * events,
            "a Region's functions",
            lambda_page,
        ),
        Quota(
            "concurrent executions (1,000)",
            1000 / seconds * events,
            "a Region's functions",
            edge_page,
        ),
        Quota(
            f"concurrent executions (1,000) while a stream hangs for {HANGING_S:g} s",
            1000 / HANGING_S * events,
            "a Region's functions",
            edge_page,
        ),
        Quota("requests per second (10,000)", 10_000 * events, "a Region's functions", edge_page),
        Quota(
            "a new stream on demand (4 MB/s, 4,000 records/s)",
            regions * min(4 / record_mb, 4_000) * events,
            "a stream",
            kinesis_page,
        ),
        Quota(
            "a stream on demand, grown (200 MB/s)",
            regions * min(200 / record_mb, 200_000) * events,
            "a stream",
            kinesis_page,
        ),
        Quota(
            "StreamMode=PROVISIONED with one shard (1 MB/s, 1,000 records/s)",
            regions * min(1 / record_mb, 1_000) * events,
            "a stream",
            kinesis_page,
            is_of_stage=False,
        ),
        Quota(
            "requests per second of a distribution (250,000)",
            250_000 * events,
            "the distribution",
            "CloudFront quotas",
        ),
        Quota(
            f"the web ACL's rate for one address ({_rate()} in 5 minutes)",
            _rate() / 300 * events,
            "an address",
            "stacks/edge-firewall.yaml",
            is_of_stage=False,
        ),
    ]
    return sorted(known, key=lambda it: it.events_per_second)


def required_shards(traffic: Traffic, events_per_second: float, regions: int) -> int:
    """Return the provisioned shards that each Region's stream needs for events per second."""
    requests = events_per_second / traffic.events / regions
    return max(1, math.ceil(requests / min(1 / _record_mb(traffic), 1_000)))


def _record_mb(traffic: Traffic) -> float:
    """Return the megabytes of a record, which Kinesis rounds up to 1 KB."""
    return math.ceil(traffic.record_bytes / 1024) * 1024 / MB


def _rate() -> int:
    """Return the highest rate of the web ACL's rules for one address."""
    (acl,) = (
        it
        for it in load(ROOT / "stacks" / "edge-firewall.yaml")["Resources"].values()
        if it["Type"] == "AWS::WAFv2::WebACL"
    )
    return max(
        int(rule["Statement"]["RateBasedStatement"]["Limit"])
        for rule in acl["Properties"]["Rules"]
        if "RateBasedStatement" in rule["Statement"]
    )
