"""Records of a stream, and the batches of one shard that an invocation event contains."""

import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

type Json = Mapping[str, Any]


class StreamRecord(msgspec.Struct, frozen=True, gc=False):
    """A record of Kinesis or Kafka. `payload` is base64 text, decoded on demand."""

    sequence: int
    arrived_ms: int
    payload: str

    def data(self) -> bytes:
        """Decode the payload. Text that isn't base64 is returned as it is: it becomes a bad row."""
        try:
            # A third of binascii's time, and stricter: binascii decides on texts that it rejects.
            return msgspec.convert(self.payload, bytes)
        except (msgspec.MsgspecError, ValueError):
            pass
        try:
            return binascii.a2b_base64(self.payload)
        except (binascii.Error, ValueError):
            return self.payload.encode("utf-8", "surrogatepass")


def payloads(records: Sequence[StreamRecord]) -> list[bytes]:
    """Decode the payloads of many records, in one call if all are valid base64."""
    try:
        return msgspec.convert([record.payload for record in records], list[bytes])
    except (msgspec.MsgspecError, ValueError):
        return [record.data() for record in records]


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """A record of a DynamoDB stream; `image` is the record, with DynamoDB's types."""

    sequence: int
    arrived_ms: int
    image: Json


@dataclass(frozen=True, slots=True)
class Batch[R]:
    """The records of one shard, in sequence order.

    `item` formats a sequence number for `batchItemFailures`: text, for Kafka a partition with an
    offset. It is None if the mapping accepts no partial batch response.
    """

    stream: str
    shard: str
    records: Sequence[R]
    item: Callable[[int], str | Json] | None = str
