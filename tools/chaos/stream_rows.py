"""Read the rows that the lake must contain directly from the Kinesis stream.

The module doesn't use the stream processor's code, so that an error there can't hide itself.
"""

import gzip
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StreamRow:
    """One row that the lake must contain, by its position in the stream.

    `bad` is true for rejected events and unreadable records.
    """

    shard: str
    sequence: int
    index: int
    bad: bool


def read_stream_rows(kinesis: Any, stream: str, run: str) -> list[StreamRow]:
    """Return the rows of all records of a run that the stream contains."""
    stream_rows: list[StreamRow] = []
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            page = kinesis.get_records(ShardIterator=iterator)
            for record in page["Records"]:
                stream_rows += _rows_of(shard["ShardId"], record, run.encode())
            if page["MillisBehindLatest"] == 0 and not page["Records"]:
                break
            iterator = page["NextShardIterator"]
    return stream_rows


def _rows_of(shard: str, record: dict[str, Any], run: bytes) -> list[StreamRow]:
    sequence = int(record["SequenceNumber"])
    try:
        text = gzip.decompress(record["Data"])
    except gzip.BadGzipFile:
        text = b""
    if run not in text:
        return [StreamRow(shard, sequence, 0, bad=True)] if run in record["Data"] else []
    header = json.loads(text.partition(b"\n")[0])
    accepted, count = header["accepted"], header["accepted"] + header["rejected"]
    return [StreamRow(shard, sequence, index, bad=index >= accepted) for index in range(count)]
