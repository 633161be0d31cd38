"""Canary values, and everything in which they must not occur."""

import gzip

from clickstream import times
from edge_ingest import cloudfront_event, privacy, settings
from tests.unit.edge_ingest import harness

IP, IP6 = "203.0.113.77", "2001:db8:aaaa:bbbb:cccc::77"


def policy_for(
    rules: settings.Privacy = settings.Privacy(),  # noqa: B008 - immutable
    *,
    headers: dict[str, str] | None = None,
    day: float = harness.NOW,
    salt: str | None = "a salt for the tests",
) -> privacy.Policy:
    request = cloudfront_event.parse_request(harness.request(headers=headers))
    return privacy.policy_for(rules, request, salt, times.at(day))


def stored(collector: harness.Harness) -> str:
    """Return everything that left the function: unpacked records, partition keys and the log."""
    records = [gzip.decompress(entry.data).decode() for _, entry in collector.streams.stored]
    keys = [entry.partition_key for _, entry in collector.streams.stored]
    assert records
    return "\n".join([*records, *keys, *collector.log]).encode().decode("unicode_escape", "ignore")
