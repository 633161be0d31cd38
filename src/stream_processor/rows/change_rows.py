"""Records of a DynamoDB stream to the columns of the lake, DynamoDB's types kept in the images."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from stream_processor.ingest.invocation import ChangeRecord
from stream_processor.ingest.sequence_numbers import padded
from stream_processor.rows.lake_schema import BAD, CHANGES, DUPLICATE, GOOD, SCHEMA_VERSION

type Json = Mapping[str, Any]

STREAM: Final = "stream"
_OPERATIONS: Final = frozenset({"INSERT", "MODIFY", "REMOVE"})


def own(change: ChangeRecord, region: str) -> bool:
    """Tell whether this region exports the change.

    A global table's every replica has every region's writes in its stream; the one that the item
    calls its origin exports it. An item that names none is of a table with one region.
    """
    dynamodb = change.image["dynamodb"]
    image = dynamodb.get("NewImage") or dynamodb.get("OldImage") or {}
    origin = text(image.get("origin_region"))
    return origin is None or origin == region


def text(attribute: Json | None) -> str | None:
    """A key or a name as text: strings and numbers as they are, anything else as its JSON."""
    if attribute is None:
        return None
    for kind in ("S", "N"):
        if kind in attribute:
            return str(attribute[kind])
    return compact(attribute)


def compact(value: Any) -> str:
    """JSON with its keys in order, so that equal images are equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def image_text(image: Json) -> str:
    """An item as text: equal items are equal texts, whether a stream or a table gave them."""
    return compact({name: _attribute(value) for name, value in image.items()})


def _attribute(value: Json) -> Json:
    """One attribute value. boto3 has bytes where a stream has base64, and a set has no order."""
    ((kind, inner),) = value.items()
    if kind == "M":
        return {kind: {name: _attribute(one) for name, one in inner.items()}}
    if kind == "L":
        return {kind: [_attribute(one) for one in inner]}
    if kind == "B":
        return {kind: _base64(inner)}
    if kind in ("SS", "NS", "BS"):
        return {kind: sorted(_base64(one) for one in inner)}
    return value


def _base64(value: str | bytes) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def version(image: Json | None) -> int | None:
    """The item's own version number, where it has one that fits a column."""
    number = ((image or {}).get("version") or {}).get("N")
    if number is None or not str(number).lstrip("-").isdecimal():
        return None
    value = int(number)
    return value if -(2**63) <= value < 2**63 else None


def row(change: ChangeRecord, table_name: str, shard: str) -> dict[str, Any]:
    """One change as a row of `schema.CHANGES`."""
    record = change.image
    dynamodb = record["dynamodb"]
    op = record.get("eventName")
    old, new = dynamodb.get("OldImage"), dynamodb.get("NewImage")
    image = new or old
    keys = dynamodb.get("Keys") or {}
    known = op in _OPERATIONS and bool(keys)
    return {
        "verdict": GOOD if known else BAD,
        "reason_code": None if known else "change_unknown",
        "reason": None if known else "the record names no operation or no key",
        "op": op if known else None,
        "by_ttl": _by_ttl(record),
        "table_name": table_name,
        "pk": text(keys.get("pk")),
        "sk": text(keys.get("sk")),
        "version": version(image),
        "origin_region": text((image or {}).get("origin_region")),
        "keys_json": compact(keys),
        "old_image_json": None if old is None else image_text(old),
        "new_image_json": None if new is None else image_text(new),
        "changed_at": change.arrived_ms,
        "source": STREAM,
        "event_id": record.get("eventID"),
        "raw": None if known else compact(record).encode(),
        "shard_id": shard,
        "sequence_number": padded(change.sequence),
        "record_index": 0,
        "schema_version": SCHEMA_VERSION,
    }


def _by_ttl(record: Json) -> bool:
    # "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"} ("DynamoDB
    # Streams and Time to Live"); some producers of the event write the first key in capitals.
    identity = record.get("userIdentity") or {}
    return (identity.get("principalId") or identity.get("PrincipalId")) == "dynamodb.amazonaws.com"


def table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table with the columns of `schema.CHANGES`."""
    return pa.Table.from_pylist(list(rows), schema=CHANGES)


def counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Rows by verdict."""
    bad = sum(row["verdict"] == BAD for row in rows)
    return {GOOD: len(rows) - bad, BAD: bad, DUPLICATE: 0}
