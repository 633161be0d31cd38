"""What is on the stream of events: read from there, by no code of the product's."""

import gzip
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """A row that the lake must have, by its place; `bad` where it must be a bad one."""

    shard: str
    sequence: int
    index: int
    bad: bool


def rows(kinesis: Any, stream: str, run: str) -> list[Row]:
    """Every row of every record of a run that the stream has."""
    found: list[Row] = []
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            page = kinesis.get_records(ShardIterator=iterator)
            for record in page["Records"]:
                found += _rows(shard["ShardId"], record, run.encode())
            if page["MillisBehindLatest"] == 0 and not page["Records"]:
                break
            iterator = page["NextShardIterator"]
    return found


def _rows(shard: str, record: dict[str, Any], run: bytes) -> list[Row]:
    sequence = int(record["SequenceNumber"])
    try:
        text = gzip.decompress(record["Data"])
    except gzip.BadGzipFile:
        text = b""
    if run not in text:
        return [Row(shard, sequence, 0, bad=True)] if run in record["Data"] else []
    header = json.loads(text.partition(b"\n")[0])
    accepted, count = header["accepted"], header["accepted"] + header["rejected"]
    return [Row(shard, sequence, index, bad=index >= accepted) for index in range(count)]
