r"""Parse Combined Log Format: `parse` returns a request, or the reason why it can't.

Format: `%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"` (Apache, "Log Files"). Inside a
quoted field Apache escapes quotes and backslashes with a backslash and other bytes as `\xhh`
(mod_log_config, "Format Notes"). Lines of the Common Log Format lack the last two fields, and
some servers append more: the parser accepts both. It also accepts a line that was cut off inside
its last quoted field, because the required fields come before the cut.
"""

import ipaddress
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, NamedTuple
from urllib.parse import urlsplit

#: Apache's LimitRequestLine and LimitRequestFieldSize (8,190 bytes each) keep a line with a
#: request line, a referrer and a user agent below this size.
MAX_LINE_BYTES: Final = 32_768

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_CLIENT: Final = re.compile(rb"(\S+) (\S+) ([^\[]*) ?(?=\[)")
_TIME: Final = re.compile(
    rb"\[([0-9]{2})/([A-Z][a-z]{2})/([0-9]{4}):([0-9]{2}):([0-9]{2}):([0-9]{2})"
    rb" ([+-])([0-9]{2})([0-9]{2})\] "
)
_QUOTED: Final = re.compile(rb'"((?:[^"\\]|\\.)*)("(?= |$)|$)')
_REQUEST: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) (\S.*?)(?: (HTTP/[0-9.]{1,5}))?")
_NUMBERS: Final = re.compile(rb" ([1-5][0-9]{2}) ([0-9]{1,18}|-)(?= |$)")
_ESCAPE: Final = re.compile(rb"\\(x[0-9A-Fa-f]{2}|.)", re.DOTALL)
_CONTROLS: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v", b"b": b"\b", b"f": b"\f"}


class Request(NamedTuple):
    """One request of the log.

    `client` is the log's field, an address or a host name; `address` is the canonical IP address,
    None for a host name. `at` is UTC with whole seconds. `search` starts with "?" or is empty.
    `referrer`, `agent` and `size` (response bytes) are None for "-".
    """

    client: str
    address: str | None
    at: datetime
    method: str
    path: str
    search: str
    status: int
    size: int | None
    referrer: str | None
    agent: str | None


class BadLine(NamedTuple):
    """An invalid line. `reason` is the name of the first field that the parser can't read."""

    reason: str


def parse(line: bytes) -> Request | BadLine:
    """Parse one line, with or without its line ending."""
    line = line.rstrip(b"\r\n")
    if len(line) > MAX_LINE_BYTES:
        return BadLine("length")
    if not line.strip():
        return BadLine("blank")
    client_match = _CLIENT.match(line)
    if client_match is None:
        return BadLine("client")
    time = _TIME.match(line, client_match.end())
    at = _moment(time) if time else None
    if time is None or at is None:
        return BadLine("time")
    quoted = _QUOTED.match(line, time.end())
    if quoted is None or not quoted[2]:
        return BadLine("request")
    request = _REQUEST.fullmatch(_text(quoted[1]))
    target = split_target(request[2]) if request else None
    if request is None or target is None:
        return BadLine("request")
    numbers = _NUMBERS.match(line, quoted.end())
    if numbers is None:
        return BadLine("status")
    referrer, after = _optional(line, numbers.end())
    agent, after = _optional(line, after)
    if after < 0:
        return BadLine("quotes")
    client = _text(client_match[1])
    return Request(
        client=client,
        address=canonical_address(client),
        at=at,
        method=request[1],
        path=target[0],
        search=target[1],
        status=int(numbers[1]),
        size=None if numbers[2] == b"-" else int(numbers[2]),
        referrer=referrer,
        agent=agent,
    )


def _optional(line: bytes, position: int) -> tuple[str | None, int]:
    """Return the quoted field at `position` and its end, -1 if its quotes don't match."""
    if position < 0 or position >= len(line):
        return None, position
    match = _QUOTED.match(line, position + 1)
    if match is None:
        return None, -1
    value = _text(match[1])
    return (None if value in {"", "-"} else value), match.end()


def _text(field: bytes) -> str:
    """Undo the server's escapes. Invalid UTF-8 becomes replacement characters."""
    if b"\\" in field:
        field = _ESCAPE.sub(_unescape, field)
    return field.decode("utf-8", "replace")


def _unescape(match: re.Match[bytes]) -> bytes:
    code: bytes = match[1]
    if len(code) == 3:
        return bytes([int(code[1:], 16)])
    return _CONTROLS.get(code, code)


def _moment(match: re.Match[bytes]) -> datetime | None:
    day, month, year, hour, minute, second, sign, off_hours, off_minutes = match.groups()
    offset = timedelta(hours=int(off_hours), minutes=int(off_minutes))
    try:
        zone = timezone(-offset if sign == b"-" else offset)
        return datetime(
            int(year), _MONTHS[month.decode()], int(day), int(hour), int(minute),
            # datetime has no leap seconds.
            min(int(second), 59) if second == b"60" else int(second), tzinfo=zone,
        ).astimezone(UTC)  # fmt: skip
    except (KeyError, ValueError, OverflowError):
        return None


def split_target(target: str) -> tuple[str, str] | None:
    """Split a request target (RFC 9112 §3.2) into path and search; None if it names no page."""
    if target.startswith("/") or target == "*":
        path, mark, query = target.partition("?")
        return path, mark + query if query else ""
    # Proxies and scanners use the absolute form; the authority form (CONNECT) names no page.
    try:
        url = urlsplit(target)
    except ValueError:
        return None
    if url.scheme not in {"http", "https"} or not url.netloc:
        return None
    return url.path or "/", f"?{url.query}" if url.query else ""


def canonical_address(client: str) -> str | None:
    """Return the canonical form of an IP address; None for a host name."""
    try:
        return str(ipaddress.ip_address(client.strip("[]").partition("%")[0]))
    except ValueError:
        return None
