"""Detect the format of an access log and parse its lines.

Formats: Combined and Common Log Format (Apache, nginx), vhost_combined (Debian's Apache), JSON
lines (nginx `log_format ... escape=json`), CloudFront standard logs (W3C extended, tab-separated)
and Application Load Balancer access logs. `log_source` detects the format from the first lines,
before anything is deployed.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

from aws_emulator.errors import CommandError
from tools.replay import combined_log_format as combined
from tools.replay.combined_log_format import BadLine, Request

#: The format must read at least this share of the sampled lines.
MIN_READABLE_SHARE: Final = 0.5
#: Characters of a refused line that a message shows.
_SHOWN_CHARS: Final = 120
_COMBINED_LINE: Final = (
    '203.0.113.7 - - [25/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 512 "-" "Mozilla/5.0"'
)

type Parse = Callable[[bytes], Request | BadLine | None]


@dataclass(frozen=True, slots=True)
class LogFormat:
    """A format: `expected` describes a line for an error message.

    `parse` returns a request, the name of the field that it can't read, or None for a comment.
    """

    name: str
    expected: str
    parse: Parse
    comment: bytes | None = None

    def is_comment(self, line: bytes) -> bool:
        """Tell whether the line is a comment, which isn't a request and isn't counted."""
        return self.comment is not None and line.startswith(self.comment)


def detect(lines: Sequence[bytes], file: str) -> tuple[LogFormat, list[Request]]:
    """Return the format that reads most of the sampled lines, and their requests.

    Args:
        lines: The first lines of the log.
        file: The name of the log, for messages.

    Raises:
        CommandError: The log is empty, or no format reads half of the lines.
    """
    sample = [line for line in lines if line.strip()]
    if not sample:
        raise CommandError(f"{file} is empty. Give a log with at least one request.")
    best: tuple[LogFormat, list[Request], list[tuple[bytes, BadLine]]] | None = None
    for candidate in formats():
        requests: list[Request] = []
        refused: list[tuple[bytes, BadLine]] = []
        for line in sample:
            entry = candidate.parse(line)
            if isinstance(entry, Request):
                requests.append(entry)
            elif entry is not None:
                refused.append((line, entry))
        if best is None or len(requests) > len(best[1]):
            best = (candidate, requests, refused)
    assert best is not None
    log_format, requests, refused = best
    if len(requests) < MIN_READABLE_SHARE * (len(requests) + len(refused)) or not requests:
        names = ", ".join(it.name for it in formats())
        line, bad = refused[0] if refused else (sample[0], BadLine("format"))
        raise CommandError(
            f"{file} isn't an access log in a known format ({names}). "
            f"First refused line, by its {bad.reason}:\n  {_shown(line)}\n"
            f"Expected, for example:\n  {log_format.expected}"
        )
    return log_format, requests


def formats() -> list[LogFormat]:
    """Return new parsers of all formats. A parser of CloudFront logs remembers the field names."""
    return [
        LogFormat(
            "Combined Log Format",
            _COMBINED_LINE,
            _combined,
        ),
        LogFormat(
            "vhost_combined",
            f"www.example.com:443 {_COMBINED_LINE}",
            _vhost_combined,
        ),
        LogFormat(
            "JSON lines",
            '{"time_iso8601": "2026-11-25T10:00:00+00:00", "remote_addr": "203.0.113.7", '
            '"request": "GET / HTTP/1.1", "status": 200, "http_user_agent": "Mozilla/5.0"}',
            _json,
        ),
        LogFormat(
            "CloudFront standard log",
            "#Fields: date time ... c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) "
            "cs(User-Agent) ..., then tab-separated values",
            _CloudFront().parse,
            comment=b"#",
        ),
        LogFormat(
            "Application Load Balancer log",
            "https 2026-11-25T10:00:00.123456Z app/name/id 203.0.113.7:1024 10.0.0.1:80 0.000 "
            '0.001 0.000 200 200 34 366 "GET https://example.com:443/ HTTP/1.1" "Mozilla/5.0" ...',
            _load_balancer,
        ),
    ]


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "replace").strip()
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


#: "%v:%p %h %l %u %t": a virtual host with its port comes before the client.
_VHOST: Final = re.compile(rb"[^\s:\[]+:[0-9]{1,5} (?=\S+ \S+ [^\[]*\[)")


def _combined(line: bytes) -> Request | BadLine:
    # The host of vhost_combined would be read as the client.
    if _VHOST.match(line):
        return BadLine("virtual host before the client")
    return combined.parse(line)


def _vhost_combined(line: bytes) -> Request | BadLine:
    host = _VHOST.match(line)
    return BadLine("virtual host") if host is None else combined.parse(line[host.end() :])


_JSON_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "time": ("time_iso8601", "time_local", "@timestamp", "timestamp", "time", "msec"),
    "client": ("remote_addr", "client_ip", "clientip", "remote_ip", "client"),
    "method": ("request_method", "method", "verb"),
    "target": ("request_uri", "uri", "path", "url"),
    "status": ("status", "status_code", "response"),
    "size": ("body_bytes_sent", "bytes_sent", "bytes", "size"),
    "referrer": ("http_referer", "http_referrer", "referer", "referrer"),
    "agent": ("http_user_agent", "user_agent", "agent"),
}


def _json(line: bytes) -> Request | BadLine:
    try:
        entry = json.loads(line)
    except ValueError:
        return BadLine("JSON")
    if not isinstance(entry, dict):
        return BadLine("JSON object")

    def value(name: str) -> Any:
        return next(
            (entry[key] for key in _JSON_NAMES[name] if entry.get(key) not in (None, "")), None
        )

    request = str(entry.get("request") or "").split(" ")
    method, target = (
        (request[0], request[1]) if len(request) > 1 else (value("method"), value("target"))
    )
    return _request(
        client=value("client"),
        at=_moment(value("time")),
        method=method,
        target=target,
        status=value("status"),
        size=value("size"),
        referrer=value("referrer"),
        agent=value("agent"),
    )


@dataclass(slots=True)
class _CloudFront:
    """Standard log files with URL-encoded values (CloudFront, "Standard logging reference")."""

    names: list[str] = field(default_factory=list)

    def parse(self, line: bytes) -> Request | BadLine | None:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text.startswith("#"):
            if text.startswith("#Fields:"):
                self.names = text.removeprefix("#Fields:").split()
            return None
        values = dict(zip(self.names, text.split("\t"), strict=False))
        if "cs-method" not in values:
            return BadLine("field names" if not self.names else "tab-separated fields")
        query = values.get("cs-uri-query", "-")
        target = values.get("cs-uri-stem", "") + ("" if query == "-" else f"?{query}")
        return _request(
            client=values.get("c-ip"),
            at=_moment(f"{values.get('date')}T{values.get('time')}+00:00"),
            method=values["cs-method"],
            target=target,
            status=values.get("sc-status"),
            size=values.get("sc-bytes"),
            referrer=_decoded(values.get("cs(Referer)")),
            agent=_decoded(values.get("cs(User-Agent)")),
        )


def _decoded(text: str | None) -> str | None:
    # Earlier log files encode twice: "%2520" stands for a space.
    return None if text in (None, "-") else unquote(unquote(str(text)))


_QUOTED_OR_WORD: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


def _load_balancer(line: bytes) -> Request | BadLine:
    """Parse an entry (Elastic Load Balancing, "Access logs for your Application Load Balancer")."""
    matches = _QUOTED_OR_WORD.finditer(line.decode("utf-8", "replace"))
    values = [match[1] if match[1] is not None else match[2] for match in matches]
    if len(values) < 14 or values[0] not in {"http", "https", "h2", "grpcs", "ws", "wss"}:
        return BadLine("type")
    method, _, rest = values[12].partition(" ")
    address = re.sub(r"^[a-z]+://[^/]*", "", rest.rpartition(" ")[0] or rest) or "/"
    return _request(
        client=values[3].rpartition(":")[0].strip("[]"),
        at=_moment(values[1]),
        method=method,
        target=address,
        status=values[8],
        size=values[11],
        referrer=None,
        agent=values[13],
    )


def _moment(value: object) -> datetime | None:
    """Return a time of ISO 8601, Apache's format or Unix seconds as UTC, without fractions."""
    try:
        if isinstance(value, int | float) or re.fullmatch(r"[0-9]+(\.[0-9]+)?", str(value)):
            moment = datetime.fromtimestamp(float(str(value)), UTC)
        elif "/" in str(value):
            moment = datetime.strptime(str(value).strip("[]"), "%d/%b/%Y:%H:%M:%S %z")
        else:
            moment = datetime.fromisoformat(str(value))
        return moment.astimezone(UTC).replace(microsecond=0) if moment.tzinfo else None
    except (ValueError, OverflowError, OSError):
        return None


def _request(
    *,
    client: object,
    at: datetime | None,
    method: object,
    target: object,
    status: object,
    size: object,
    referrer: object,
    agent: object,
) -> Request | BadLine:
    """Check the fields of a line; the reason names the first one that can't be read."""
    if not client or " " in str(client):
        return BadLine("client")
    if at is None:
        return BadLine("time")
    split = combined.split_target(str(target or ""))
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}", str(method or "")) or split is None:
        return BadLine("request")
    if not re.fullmatch(r"[1-5][0-9]{2}", str(status)):
        return BadLine("status")
    return Request(
        client=str(client),
        address=combined.canonical_address(str(client)),
        at=at,
        method=str(method),
        path=split[0],
        search=split[1],
        status=int(str(status)),
        size=int(str(size)) if re.fullmatch(r"[0-9]{1,18}", str(size)) else None,
        referrer=_text(referrer),
        agent=_text(agent),
    )


def _text(value: object) -> str | None:
    return None if value in (None, "", "-") else str(value)
