"""Columns of the lake's tables. New columns are appended; none is ever changed or removed.

Times are UTC in milliseconds. A newer column is null in files that are older.
"""

from typing import Final

import pyarrow as pa

SCHEMA_VERSION: Final = 1

GOOD: Final = "good"
BAD: Final = "bad"
DUPLICATE: Final = "duplicate"
#: A row of an erased person: only its record and its position are left.
ERASED: Final = "erased"

_TIME: Final = pa.timestamp("ms", "UTC")

EVENTS: Final = pa.schema(
    [
        ("verdict", pa.string()),
        ("reason_code", pa.string()),
        ("reason", pa.string()),
        ("message_id", pa.string()),
        ("type", pa.string()),
        ("event", pa.string()),
        ("name", pa.string()),
        ("user_id", pa.string()),
        ("anonymous_id", pa.string()),
        ("timestamp", _TIME),
        ("original_timestamp", _TIME),
        ("sent_at", _TIME),
        ("received_at", _TIME),
        ("source", pa.string()),
        ("stream_region", pa.string()),
        ("edge_region", pa.string()),
        ("failover", pa.bool_()),
        ("request_id", pa.string()),
        ("page_url", pa.string()),
        ("page_path", pa.string()),
        ("page_title", pa.string()),
        ("page_referrer", pa.string()),
        ("page_search", pa.string()),
        ("campaign_source", pa.string()),
        ("campaign_medium", pa.string()),
        ("campaign_name", pa.string()),
        ("campaign_term", pa.string()),
        ("campaign_content", pa.string()),
        ("country", pa.string()),
        ("region", pa.string()),
        ("city", pa.string()),
        ("time_zone", pa.string()),
        ("device", pa.string()),
        ("bot", pa.bool_()),
        ("ip", pa.string()),
        ("user_agent", pa.string()),
        ("locale", pa.string()),
        ("library", pa.string()),
        ("event_json", pa.string()),
        ("raw", pa.binary()),
        ("shard_id", pa.string()),
        ("sequence_number", pa.string()),
        ("record_index", pa.int32()),
        ("schema_version", pa.int32()),
        # The same in all rows of an object: the first 64 bits of a digest of its rows.
        ("object_id", pa.int64()),
    ]
)

#: A compacted file. `hour_rows` was used by earlier versions; it is null.
COMPACTED: Final = EVENTS.append(pa.field("hour_rows", pa.int64()))

CHANGES: Final = pa.schema(
    [
        ("verdict", pa.string()),
        ("reason_code", pa.string()),
        ("reason", pa.string()),
        ("op", pa.string()),
        ("by_ttl", pa.bool_()),
        ("table_name", pa.string()),
        ("pk", pa.string()),
        ("sk", pa.string()),
        ("version", pa.int64()),
        ("origin_region", pa.string()),
        ("keys_json", pa.string()),
        ("old_image_json", pa.string()),
        ("new_image_json", pa.string()),
        ("changed_at", _TIME),
        ("source", pa.string()),
        ("event_id", pa.string()),
        ("raw", pa.binary()),
        ("shard_id", pa.string()),
        ("sequence_number", pa.string()),
        ("record_index", pa.int32()),
        ("schema_version", pa.int32()),
    ]
)
