"""The record on the stream, layout version 1: one request's events, packed once.

A record is one gzip member (RFC 1952, level 1) of UTF-8 lines, each ended by a line feed, so that
concatenated records are a valid file of lines too:

    line 0                     Header    what the server knows, once; a client cannot forge it
    the next `accepted` lines  Accepted  an event with what the edge worked out for it
    the next `rejected` lines  Rejected  an event that was refused, its reason and its text

A reader ignores keys that it does not know: adding one keeps the version. A record with a higher
version is refused by `decode` with the code `version`, so that its reader can keep it as a bad row.

The client's event travels as the bytes that it sent (`msgspec.Raw`): nothing is re-encoded, no key
of the client can collide with a key of the server, and a reader decodes only what it needs.
"""

import hashlib
import zlib
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

VERSION: Final = 1

# Kinesis Data Streams, PutRecords: "Each record in the request can be as large as 1 MiB", its
# partition key included. The key is 32 characters; a suffix against hot keys adds a few.
MAX_RECORD_BYTES: Final = 1024 * 1024 - 64

# A request is at most 1 MiB of JSON. Escaping its text into a string doubles it at worst, and each
# of 2,500 events adds some 300 bytes: four times the request is room enough, and a bound.
MAX_INFLATED_BYTES: Final = 8 * 1024 * 1024

_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_WBITS: Final = 31  # zlib manual, inflateInit2: 15 bits of window, +16 for the gzip wrapper
_NULL: Final = msgspec.Raw(b"null")

type Device = Literal["desktop", "mobile", "tablet", "tv"]
type MessageIdSource = Literal["client", "derived"]


class RecordError(ValueError):
    """A record that cannot be written or read; `code` is stable and says why.

    Codes: `gzip` (not a gzip member, or a damaged one), `trailing` (bytes after the member),
    `inflated_size` (more than `MAX_INFLATED_BYTES`), `header`, `version`, `count` (another number
    of lines than the header says), `line` (a line that is not what its place says), and for the
    writer `record_size` (one event with its header is past the record limit).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Header(msgspec.Struct, kw_only=True, frozen=True):
    """What the server knows about the request: once per record, from nothing a client can set.

    Times are UTC, ISO 8601 with milliseconds and a `Z`, 24 characters. `sent_at` is the client's
    own word in that form, null where it was no time. `bot` and `device` tell of the visitor of the
    first event; `ip` is what the source's privacy rules left of the address. `context` is the
    batch's own context, for the events that have none; `null` where there is none.
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


class Accepted(msgspec.Struct, kw_only=True, frozen=True, gc=False, omit_defaults=True):
    """An event that was accepted, `i` its place in the request, `event` its JSON as it was sent.

    `timestamp` is the event's time by the server's clock, `original_timestamp` by the client's
    (null where it told none), both in the form of the header's times. A derived `message_id` is a
    hash of the event: the same event sent again has the same. Where the client chose it, which is
    nearly always, `message_id_source` is left out of the line.
    """

    i: int
    message_id: str
    message_id_source: MessageIdSource = "client"
    timestamp: str
    original_timestamp: str | None
    event: msgspec.Raw


class Rejected(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """An event that was refused: its stable `code`, a sentence, and the start of its text."""

    i: int
    code: str
    message: str
    raw: str


class Record(msgspec.Struct, kw_only=True, frozen=True):
    """A decoded record. `header.accepted == len(accepted)`, and so for `rejected`."""

    header: Header
    accepted: list[Accepted]
    rejected: list[Rejected]


class Lines(msgspec.Struct, kw_only=True, frozen=True):
    """An unpacked record whose events are still text: for a reader with decoders of its own."""

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


def partition_key(write_key: str, visitor: str) -> str:
    """Return the key under which a visitor's records meet in one shard: 32 hexadecimal digits.

    The same visitor of the same source has the same key, so that a batch which is sent again
    lands behind its first copy. The digest keeps identifiers out of Kinesis' metadata.
    """
    return hashlib.sha256(f"{write_key}\0{visitor}".encode()).hexdigest()[:32]


def is_packed(data: bytes) -> bool:
    """Tell a packed record from the plain JSON of another producer, by its first two bytes."""
    return data[:2] == _GZIP_MAGIC


def encode(
    header: Header,
    accepted: Sequence[Accepted],
    rejected: Sequence[Rejected],
    limit: int = MAX_RECORD_BYTES,
) -> list[bytes]:
    """Pack one request into records of at most `limit` bytes: one, unless the limit forces more.

    The header's counts and its `part` of `parts` are filled in here. An event must not hold a
    line feed (`msgspec.json.format(event, indent=-1)` takes them out without a change of meaning).

    Raises:
        RecordError: `record_size`, where one event and the header alone are past the limit.
    """
    whole = _pack(header, accepted, rejected, 0, 1)
    if len(whole) <= limit:
        return [whole]
    shares = _shares(header, accepted, rejected, limit)
    return [_pack(header, *share, part, len(shares)) for part, share in enumerate(shares)]


type _Share = tuple[Sequence[Accepted], Sequence[Rejected]]


def _shares(
    header: Header, accepted: Sequence[Accepted], rejected: Sequence[Rejected], limit: int
) -> list[_Share]:
    """Halve what does not fit until each part does, events kept in order."""
    # `part` and `parts` are measured at their longest (a request has at most 2,500 events), so
    # that the numbers which are written in the end cannot push a part over the limit.
    if len(_pack(header, accepted, rejected, 9999, 9999)) <= limit:
        return [(accepted, rejected)]
    size = len(accepted) + len(rejected)
    if size <= 1:
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
) -> bytes:
    counted = msgspec.structs.replace(
        header, accepted=len(accepted), rejected=len(rejected), part=part, parts=parts
    )
    lines = _encoder.encode_lines([counted, *accepted, *rejected])
    # Level 1 costs a third of level 6 and is 8 % larger. No time stands in the member's header,
    # so the same request packs to the same bytes.
    return zlib.compress(lines, 1, _GZIP_WBITS)


def unpack(data: bytes) -> Lines:
    """Inflate a record, read its header and tell its lines apart, without decoding the events.

    Raises:
        RecordError: any of the reader's codes but `line`.
    """
    lines = _inflate(data).split(b"\n")
    if not lines[-1]:
        lines.pop()
    header = _header(lines[0] if lines else b"")
    if len(lines) != 1 + header.accepted + header.rejected:
        raise RecordError("count", "the record has another number of lines than its header says")
    end = 1 + header.accepted
    return Lines(header=header, accepted=lines[1:end], rejected=lines[end:])


def decode(data: bytes) -> Record:
    """Read a record back.

    Raises:
        RecordError: with one of the reader's codes; never another exception, whatever the bytes.
    """
    lines = unpack(data)
    try:
        return Record(
            header=lines.header,
            accepted=[_accepted_decoder.decode(line) for line in lines.accepted],
            rejected=[_rejected_decoder.decode(line) for line in lines.rejected],
        )
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError("line", "a line of the record is not what its place says") from error


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj(_GZIP_WBITS)
    try:
        lines = inflater.decompress(data, MAX_INFLATED_BYTES + 1)
    except zlib.error as error:
        raise RecordError("gzip", "the record is not a gzip member") from error
    if len(lines) > MAX_INFLATED_BYTES:
        raise RecordError("inflated_size", "the record inflates to more than its bound")
    if not inflater.eof:
        raise RecordError("gzip", "the record's gzip member is cut off")
    if inflater.unused_data:
        raise RecordError("trailing", "the record goes on after its gzip member")
    return lines


def _header(line: bytes) -> Header:
    try:
        version = _version_decoder.decode(line).v
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError("header", "the record's first line is no header") from error
    if version != VERSION:
        raise RecordError("version", f"the record has layout version {version}, known is {VERSION}")
    try:
        header = _header_decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError("header", "the record's header is not that of its version") from error
    if header.accepted < 0 or header.rejected < 0:
        raise RecordError("count", "the header counts fewer than no events")
    return header
