"""Packing: build the Kinesis records of a request for one Region's stream.

Input: `Redacted` events and the request's `Provenance`. Output: record bytes for `delivery`. The
record format is in `clickstream.record`.
"""

from datetime import datetime

import msgspec

import clickstream
from clickstream import times
from edge_ingest.redaction import Redacted


class Provenance(msgspec.Struct, frozen=True):
    """When, from which source and in which edge Region the collector received the request."""

    request_id: str
    received_at: datetime
    sent_at: datetime | None
    source_id: str
    edge_region: str


def pack(redacted: Redacted, origin: Provenance, region: str, failover: bool) -> list[bytes]:
    """Return the request's records for the stream in `region`: one, unless it exceeds 1 MiB.

    Denied events get a record of their own, whose header states nothing about the visitor.
    `failover` is True if `region` isn't the nearest one.
    """
    records: list[bytes] = []
    if redacted.accepted or redacted.rejected:
        viewer = redacted.facts.viewer
        header = clickstream.Header(
            request_id=origin.request_id,
            received_at=times.text(origin.received_at),
            source=origin.source_id,
            stream_region=region,
            edge_region=origin.edge_region,
            failover=failover,
            sent_at=None if origin.sent_at is None else times.text(origin.sent_at),
            ip=redacted.facts.ip,
            user_agent=viewer.user_agent,
            bot=redacted.facts.bot,
            country=viewer.country,
            region=viewer.region,
            city=viewer.city,
            time_zone=viewer.time_zone,
            device=viewer.device,
            context=msgspec.Raw(redacted.context),
        )
        records += clickstream.encode(header, redacted.accepted, redacted.rejected)
    if redacted.denied:
        header = clickstream.Header(
            request_id=origin.request_id,
            received_at=times.text(origin.received_at),
            source=origin.source_id,
            stream_region=region,
            edge_region=origin.edge_region,
            failover=failover,
        )
        records += clickstream.encode(header, [], redacted.denied)
    return records
