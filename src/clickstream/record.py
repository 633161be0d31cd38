"""The stream record, layout version 1: the events of one request in one packed record.

A record is one gzip member (RFC 1952, level 1) of UTF-8 lines that end with a line feed, so that
concatenated records are a valid JSON Lines file too:

    line 0                     Header    the server's facts about the request
    the next `accepted` lines  Accepted  an event, with the fields that the collector derived
    the next `rejected` lines  Rejected  a rejected event: code, message and text

Readers ignore unknown keys, so a new key doesn't change the version. `decode` rejects a higher
version with the code `version`, and the reader keeps the record as a bad row.

The client's event is stored as the bytes that it sent (`msgspec.Raw`): events aren't re-encoded,
client keys can't collide with server keys, and readers decode only the fields that they need.
"""

import zlib
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from clickstream.digest import hmac_sha256

VERSION: Final = 1

# Kinesis Data Streams, PutRecords: "Each record in the request can be as large as 1 MiB", its
# partition key included. The key is 32 characters; a suffix against hot keys adds a few.
MAX_RECORD_BYTES: Final = 1024 * 1024 - 64

# Limits the memory of a reader. The collector divides a request that needs more.
MAX_INFLATED_BYTES: Final = 8 * 1024 * 1024

_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_WBITS: Final = 31  # zlib manual, inflateInit2: 15 bits of window, +16 for the gzip wrapper
# For a text of at most 16 KiB: 14 bits of window, and 14 bits of hash table ("memLevel").
_SMALL_BYTES: Final = 1 << 14
_SMALL_GZIP_WBITS: Final = 14 + 16
_SMALL_MEMORY_LEVEL: Final = 7
_NULL: Final = msgspec.Raw(b"null")

type Device = Literal["desktop", "mobile", "tablet", "tv"]
type MessageIdSource = Literal["client", "derived"]


class RecordError(ValueError):
    """Raised when a record can't be written or read; `code` is stable.

    Codes: `gzip` (not a gzip member, or a damaged one), `trailing` (bytes after the member),
    `inflated_size` (more than `MAX_INFLATED_BYTES`), `header`, `version`, `count` (the number of
    lines differs from the header's), `line` (an invalid line), and for the writer `record_size`
    (one event with its header exceeds the record limit).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Header(msgspec.Struct, kw_only=True, frozen=True):
    """The server's facts about the request, once per record. Clients can't set them.

    Times are UTC, ISO 8601 with milliseconds and a `Z`, 24 characters. `sent_at` is the client's
    `sentAt` in that form, null if it was invalid. The fields of `Visitor` are those of the browser
    or app that sent the request, and null if a server did; `ip` is the address after the source's
    privacy rules. `context` is the batch's context, used for events without one; `null` if the
    batch has none either.
    """

    v: int = VERSION
    request_id: str
    received_at: str
    sent_at: str | None = None
    source: str
    stream_region: str
    edge_region: str
    failover: bool = False
    ip: str | None = None
    user_agent: str | None = None
    bot: bool = False
    country: str | None = None
    region: str | None = None
    city: str | None = None
    time_zone: str | None = None
    device: Device | None = None
    context: msgspec.Raw = _NULL
    accepted: int = 0
    rejected: int = 0
    part: int = 0
    parts: int = 1


class Visitor(msgspec.Struct, kw_only=True, frozen=True, gc=False, omit_defaults=True):
    """The facts about an event's visitor, if they aren't those of the request's sender.

    They replace all of these fields of the header. A server states them in the event's context.
    """

    ip: str | None = None
    user_agent: str | None = None
    bot: bool = False
    country: str | None = None
    region: str | None = None
    city: str | None = None
    time_zone: str | None = None
    device: Device | None = None


class Accepted(msgspec.Struct, kw_only=True, frozen=True, gc=False, omit_defaults=True):
    """An accepted event: `i` is its position in the request, `event` its JSON as sent.

    `timestamp` is the event's time by the server's clock, `original_timestamp` by the client's
    (null if it sent none), in the format of the header's times. A derived `message_id` is a hash of
    the event: a copy that is sent again has the same id if the event has a time of its own.
    `message_id_source` is omitted for ids that the client chose, which is the usual case. `repair`
    is the code of an invalid value that the collector replaced; see `event.event_times`. `visitor`
    is null if the header's facts are the visitor's.
    """

    i: int
    message_id: str
    message_id_source: MessageIdSource = "client"
    timestamp: str
    original_timestamp: str | None
    repair: str | None = None
    visitor: Visitor | None = None
    event: msgspec.Raw


class Rejected(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """A rejected event: its stable `code`, a message, and its text.

    Only a text that exceeds a record is cut.
    """

    i: int
    code: str
    message: str
    raw: str


class Record(msgspec.Struct, kw_only=True, frozen=True):
    """A decoded record. `header.accepted == len(accepted)`, and the same for `rejected`."""

    header: Header
    accepted: list[Accepted]
    rejected: list[Rejected]


class Lines(msgspec.Struct, kw_only=True, frozen=True):
    """An unpacked record whose events aren't decoded yet."""

    header: Header
    accepted: list[bytes]
    rejected: list[bytes]


class _Version(msgspec.Struct):
    v: int


_encoder: Final = msgspec.json.Encoder()
_version_decoder: Final = msgspec.json.Decoder(_Version)
_header_decoder: Final = msgspec.json.Decoder(Header)
_accepted_decoder: Final = msgspec.json.Decoder(Accepted)
_rejected_decoder: Final = msgspec.json.Decoder(Rejected)


def partition_key(salt: str, day: str, visitor: str) -> str:
    """Return the partition key of a visitor's records of one day: 32 hexadecimal digits.

    A batch that is sent again goes to the shard of its first copy: `day` is the date of its first
    event, which doesn't change. Kinesis' metadata contains no identifier, and no pseudonym that
    lasts longer than a day; only who knows `salt` can compute the key of a known visitor.
    """
    return hmac_sha256(salt.encode(), f"{day}\0{visitor}".encode()).hexdigest()[:32]


def is_packed(data: bytes) -> bool:
    """Return whether a record is packed (gzip), and not plain JSON of another producer."""
    return data[:2] == _GZIP_MAGIC


def encode(
    header: Header,
    accepted: Sequence[Accepted],
    rejected: Sequence[Rejected],
    limit: int = MAX_RECORD_BYTES,
) -> list[bytes]:
    """Pack one request into as few records as possible of at most `limit` bytes each.

    A rejected event that exceeds the limit alone is cut until it fits.

    Sets the header's counts, `part` and `parts`. Events must not contain a line feed
    (`msgspec.json.format(event, indent=-1)` removes them without changing the value).

    Raises:
        RecordError: One event with the header exceeds the limit (`record_size`).
    """
    whole = _pack(header, accepted, rejected, 0, 1)
    if whole is not None and len(whole) <= limit:
        return [whole]
    shares = _shares(header, accepted, rejected, limit)
    records = [_pack(header, *share, part, len(shares)) for part, share in enumerate(shares)]
    return [record for record in records if record is not None]


type _Share = tuple[Sequence[Accepted], Sequence[Rejected]]


def _shares(
    header: Header, accepted: Sequence[Accepted], rejected: Sequence[Rejected], limit: int
) -> list[_Share]:
    """Halve the events until each part fits, in order.

    Raises:
        RecordError: One event with the header exceeds the limit (`record_size`).
    """
    # Measured with the longest `part` and `parts` (a request has at most 5,000 events), so that
    # the final numbers can't push a part over the limit.
    measured = _pack(header, accepted, rejected, 9999, 9999)
    if measured is not None and len(measured) <= limit:
        return [(accepted, rejected)]
    size = len(accepted) + len(rejected)
    if size <= 1:
        if rejected and rejected[0].raw:
            raw = rejected[0].raw
            cut = msgspec.structs.replace(rejected[0], raw=raw[: len(raw) // 2])
            return _shares(header, [], [cut], limit)
        raise RecordError("record_size", "one event with its header is past the record limit")
    half = size // 2
    a, r = half, max(0, half - len(accepted))
    return [
        *_shares(header, accepted[:a], rejected[:r], limit),
        *_shares(header, accepted[a:], rejected[r:], limit),
    ]


def _pack(
    header: Header,
    accepted: Sequence[Accepted],
    rejected: Sequence[Rejected],
    part: int,
    parts: int,
) -> bytes | None:
    """Return one record, or None if it would inflate to more than a reader accepts."""
    counted = msgspec.structs.replace(
        header, accepted=len(accepted), rejected=len(rejected), part=part, parts=parts
    )
    lines = _encoder.encode_lines([counted, *accepted, *rejected])
    if len(lines) > MAX_INFLATED_BYTES:
        return None
    return _compress(lines)


def _compress(lines: bytes) -> bytes:
    """Return one gzip member. Its header has no time, so the same request packs to the same bytes.

    Level 1 takes a third of level 6's time and is 8 % larger. A window that is as long as the text
    misses no match, and with a table to suit, a small text doesn't evict the processor's cache.
    """
    if len(lines) > _SMALL_BYTES:
        return zlib.compress(lines, 1, _GZIP_WBITS)
    compressor = zlib.compressobj(1, zlib.DEFLATED, _SMALL_GZIP_WBITS, _SMALL_MEMORY_LEVEL)
    return compressor.compress(lines) + compressor.flush()


def unpack(data: bytes) -> Lines:
    """Inflate a record, decode its header and split its lines, without decoding the events.

    Raises:
        RecordError: The record is invalid, with any reader's code except `line`.
    """
    lines = _inflate(data).split(b"\n")
    if not lines[-1]:
        lines.pop()
    header = _header(lines[0] if lines else b"")
    if len(lines) != 1 + header.accepted + header.rejected:
        raise RecordError("count", "the number of lines differs from the header's")
    end = 1 + header.accepted
    return Lines(header=header, accepted=lines[1:end], rejected=lines[end:])


def decode(data: bytes) -> Record:
    """Decode a record.

    Raises:
        RecordError: The record is invalid. Arbitrary bytes never raise another exception.
    """
    lines = unpack(data)
    try:
        return Record(
            header=lines.header,
            accepted=[_accepted_decoder.decode(line) for line in lines.accepted],
            rejected=[_rejected_decoder.decode(line) for line in lines.rejected],
        )
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError("line", "a line of the record is invalid") from error


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj(_GZIP_WBITS)
    try:
        lines = inflater.decompress(data, MAX_INFLATED_BYTES + 1)
    except zlib.error as error:
        raise RecordError("gzip", "the record isn't a gzip member") from error
    if len(lines) > MAX_INFLATED_BYTES:
        raise RecordError("inflated_size", "the inflated record exceeds the size limit")
    if not inflater.eof:
        raise RecordError("gzip", "the record's gzip member is truncated")
    if inflater.unused_data:
        raise RecordError("trailing", "the record has bytes after its gzip member")
    return lines


def _header(line: bytes) -> Header:
    try:
        version = _version_decoder.decode(line).v
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError("header", "the record's first line isn't a header") from error
    if version != VERSION:
        raise RecordError("version", f"the record has layout version {version}, not {VERSION}")
    try:
        header = _header_decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError("header", "the record's header is invalid for its version") from error
    if header.accepted < 0 or header.rejected < 0:
        raise RecordError("count", "the header has a negative count")
    return header
