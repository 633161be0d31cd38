"""Convert DynamoDB stream records into rows of `changes/`; images keep DynamoDB's types."""

import base64
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from stream_processor.ingest.records import ChangeRecord
from stream_processor.ingest.sequence_numbers import padded
from stream_processor.rows.lake_schema import BAD, CHANGES, DUPLICATE, GOOD, SCHEMA_VERSION

type Json = Mapping[str, Any]

STREAM: Final = "stream"
_OPERATIONS: Final = frozenset({"INSERT", "MODIFY", "REMOVE"})


def own(change: ChangeRecord, regions: Collection[str]) -> bool:
    """Return whether this Region exports the change.

    The stream of each replica of a global table has the writes of every Region; the Region in the
    item's `origin_region` exports them, or the one that adopted it.

    Args:
        change: A record of a replica's stream.
        regions: This Region, and the one that it adopted (`Settings.exported_regions`).
    """
    dynamodb = change.image["dynamodb"]
    return exported(dynamodb.get("NewImage") or dynamodb.get("OldImage") or {}, regions)


def exported(item: Json, regions: Collection[str]) -> bool:
    """Return whether a Region exports the changes of an item; `regions` as for `own`.

    An item without `origin_region` comes from a table with one Region. One whose `origin_region`
    isn't text names no Region, so every Region exports it: otherwise none would.
    """
    origin = (item.get("origin_region") or {}).get("S")
    return origin is None or origin in regions


def text(attribute: Json | None) -> str | None:
    """Return an attribute as text: strings and numbers as they are, other types as JSON."""
    if attribute is None:
        return None
    for kind in ("S", "N"):
        if kind in attribute:
            return str(attribute[kind])
    return compact(attribute)


def compact(value: Any) -> str:
    """Return JSON with sorted keys, so that equal images have equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def image_text(image: Json) -> str:
    """Return an item as text, the same for an item from a stream and from the table."""
    return compact({name: _attribute(value) for name, value in image.items()})


def _attribute(value: Json) -> Json:
    """Normalise a value: boto3 has bytes where a stream has base64, and sets have no order."""
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
    """Return the item's `version`, if it has one that fits a 64-bit column."""
    number = ((image or {}).get("version") or {}).get("N")
    if number is None or not str(number).lstrip("-").isdecimal():
        return None
    value = int(number)
    return value if -(2**63) <= value < 2**63 else None


def row(change: ChangeRecord, table_name: str, shard: str) -> dict[str, Any]:
    """Return one change as a row of `lake_schema.CHANGES`."""
    record = change.image
    dynamodb = record["dynamodb"]
    op = record.get("eventName")
    old, new = dynamodb.get("OldImage"), dynamodb.get("NewImage")
    image = new or old
    keys = dynamodb.get("Keys") or {}
    is_valid = op in _OPERATIONS and bool(keys)
    return {
        "verdict": GOOD if is_valid else BAD,
        "reason_code": None if is_valid else "change_unknown",
        "reason": None if is_valid else "the record has no operation or no key",
        "op": op if is_valid else None,
        "by_ttl": _by_ttl(record, change.arrived_ms),
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
        "raw": None if is_valid else compact(record).encode(),
        "shard_id": shard,
        "sequence_number": padded(change.sequence),
        "record_index": 0,
        "schema_version": SCHEMA_VERSION,
    }


def _by_ttl(record: Json, arrived_ms: int) -> bool | None:
    """Return whether DynamoDB deleted the item at the end of its life; None if it isn't known.

    "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"} ("DynamoDB Streams
    and Time to Live"); some producers capitalise the keys. In a global table only the Region where
    DynamoDB deleted the item has it: the streams of the other replicas show a removal like any
    other.
    """
    identity = record.get("userIdentity") or {}
    if (identity.get("principalId") or identity.get("PrincipalId")) == "dynamodb.amazonaws.com":
        return True
    old = record.get("dynamodb", {}).get("OldImage") or {}
    if record.get("eventName") != "REMOVE" or "origin_region" not in old:
        return False
    expires = str((old.get("expires_at") or {}).get("N", ""))
    # DynamoDB deletes no item before it expires.
    return False if expires.isdecimal() and int(expires) * 1000 > arrived_ms else None


def table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows as a table with the columns of `lake_schema.CHANGES`."""
    return pa.Table.from_pylist(list(rows), schema=CHANGES)


def counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Count rows by verdict."""
    bad = sum(row["verdict"] == BAD for row in rows)
    return {GOOD: len(rows) - bad, BAD: bad, DUPLICATE: 0}
