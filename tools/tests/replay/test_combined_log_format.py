"""Parsing: each line becomes a request or a reason."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.replay.combined_log_format import MAX_LINE_BYTES, BadLine, Request, parse
from tools.tests.strategies import log_requests

GOOD = b'192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET /a?b=c HTTP/1.1" 200 42 "-" "agent"'


def escaped(text: str | None) -> bytes:
    """Escape a field as Apache does: backslash, quote and bytes outside printable ASCII."""
    if text is None:
        return b"-"
    out = bytearray()
    for byte in text.encode():
        if byte in b'"\\':
            out += b"\\" + bytes([byte])
        elif 32 <= byte < 127:
            out.append(byte)
        else:
            out += b"\\x%02x" % byte
    return bytes(out)


def line(request: Request) -> bytes:
    """Format the request as Apache does."""
    at = f"{request.at:%d/%b/%Y:%H:%M:%S +0000}"
    size = "-" if request.size is None else str(request.size)
    return b'%s - - [%s] "%s %s HTTP/1.1" %d %s "%s" "%s"' % (
        request.client.encode(),
        at.encode(),
        request.method.encode(),
        escaped(request.path + request.search),
        request.status,
        size.encode(),
        escaped(request.referrer),
        escaped(request.agent),
    )


@given(log_requests())
def test_parser_reads_each_line_that_a_server_writes(request: Request) -> None:
    assert parse(line(request)) == request


@given(st.binary(max_size=200))
def test_parser_accepts_or_rejects_any_bytes(junk: bytes) -> None:
    assert isinstance(parse(junk), Request | BadLine)


@given(
    st.integers(0, len(GOOD)),
    st.integers(0, 12),
    st.binary(max_size=8) | st.sampled_from([b'"', b"\\", b"[", b" ", b"\xff", b"http://["]),
)
def test_parser_accepts_or_rejects_a_damaged_line(at: int, gone: int, junk: bytes) -> None:
    assert isinstance(parse(GOOD[:at] + junk + GOOD[at + gone :]), Request | BadLine)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "blank"),
        (b"\r\n", "blank"),
        (b"not a log line", "client"),
        (GOOD.replace(b"May", b"Mai"), "time"),
        (GOOD.replace(b"17/", b"32/"), "time"),
        (GOOD.replace(b"+0000", b"+9900"), "time"),
        (GOOD.replace(b"17/May/2015", b"01/Jan/0001").replace(b"+0000", b"+1100"), "time"),
        (GOOD.replace(b"GET /a?b=c HTTP/1.1", b"-"), "request"),
        (GOOD.replace(b"GET /a?b=c HTTP/1.1", b"\\x16\\x03\\x01"), "request"),
        (GOOD.replace(b"GET /a?b=c", b"CONNECT example.org:443"), "request"),
        (GOOD.replace(b"/a?b=c", b"http://[/"), "request"),
        (GOOD.replace(b" 200 ", b" 600 "), "status"),
        (GOOD.replace(b" 42 ", b" many "), "status"),
        (GOOD.replace(b" 42 ", b" 1" + b"0" * 18 + b" "), "status"),
        (GOOD.replace(b'"agent"', b'"an "agent""'), "quotes"),
    ],
)
def test_reason_names_the_first_invalid_field(text: bytes, reason: str) -> None:
    assert parse(text) == BadLine(reason)


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        (GOOD + b"\r\n", {}),
        (GOOD[:-1], {}),
        (GOOD + b' "203.0.113.9" 0.002', {}),
        (GOOD.replace(b' "-" "agent"', b""), {"agent": None}),
        (GOOD.replace(b"192.0.2.1 - -", b"192.0.2.1 - John Doe"), {}),
        (GOOD.replace(b"192.0.2.1", b"2001:DB8::0:1"), {"address": "2001:db8::1"}),
        (GOOD.replace(b"192.0.2.1", b"[fe80::1%eth0]"), {"address": "fe80::1"}),
        (GOOD.replace(b"192.0.2.1", b"a.example"), {"address": None}),
        (GOOD.replace(b"GET /a?b=c", b"GET http://h.example/a?b=c"), {}),
        (GOOD.replace(b"/a?b=c HTTP/1.1", b"/a?b=c"), {}),
        (GOOD.replace(b"/a?b=c", b"*"), {"path": "*", "search": ""}),
        (GOOD.replace(b" 42 ", b" - "), {"size": None}),
        (GOOD.replace(b'"-"', b'"http://\\xc3\\xa4.example/\\"q\\""'),
         {"referrer": 'http://ä.example/"q"'}),
        (GOOD.replace(b"agent", b"\xff"), {"agent": "\N{REPLACEMENT CHARACTER}"}),
        (GOOD.replace(b"10:05:03 +0000", b"10:05:03 -0730"),
         {"at": datetime(2015, 5, 17, 17, 35, 3, tzinfo=UTC)}),
        (GOOD.replace(b"10:05:03", b"10:05:60"),
         {"at": datetime(2015, 5, 17, 10, 5, 59, tzinfo=UTC)}),
    ],
)  # fmt: skip
def test_parser_accepts_variations_of_the_format(text: bytes, changed: dict[str, object]) -> None:
    plain = parse(GOOD)
    assert isinstance(plain, Request)
    parsed_lines = parse(text)
    assert isinstance(parsed_lines, Request)
    assert parsed_lines._replace(client="") == plain._replace(client="", **changed)  # type: ignore[arg-type] # field names


@pytest.mark.parametrize(
    ("length", "kind"), [(MAX_LINE_BYTES, Request), (MAX_LINE_BYTES + 1, BadLine)]
)
def test_parser_rejects_a_line_over_32_kib(length: int, kind: type) -> None:
    text = GOOD[:-1] + b"a" * (length - len(GOOD)) + b'"'
    assert len(text) == length
    assert isinstance(parse(text), kind)


@pytest.mark.shared
def test_every_line_of_the_public_log_is_read(public_log: Path) -> None:
    with public_log.open("rb") as file:
        parsed_lines = [parse(each) for each in file]
    assert len(parsed_lines) == 10_000
    assert all(isinstance(each, Request) for each in parsed_lines)
