"""Detection and parsing of access log formats."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from tools.replay.combined_log_format import BadLine, Request
from tools.replay.log_formats import detect, formats
from tools.tests.strategies import log_requests

AT = datetime(2026, 11, 25, 10, 0, 0, tzinfo=UTC)
COMBINED = (
    b'203.0.113.7 - - [25/Nov/2026:10:00:00 +0000] "GET /a?b=1 HTTP/1.1" 200 512 '
    b'"https://school.example/" "Mozilla/5.0 (X11)"'
)
COMMON = b'203.0.113.7 - - [25/Nov/2026:10:00:00 +0000] "GET /a?b=1 HTTP/1.1" 200 512'
VHOST = b"www.school.example:443 " + COMBINED
NGINX = json.dumps(
    {
        "time_iso8601": "2026-11-25T10:00:00+00:00",
        "remote_addr": "203.0.113.7",
        "request": "GET /a?b=1 HTTP/1.1",
        "status": 200,
        "body_bytes_sent": 512,
        "http_referer": "https://school.example/",
        "http_user_agent": "Mozilla/5.0 (X11)",
    }
).encode()
CLOUDFRONT = [
    b"#Version: 1.0\n",
    (
        b"#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem "
        b"sc-status cs(Referer) cs(User-Agent) cs-uri-query\n"
    ),
    (
        b"2026-11-25\t10:00:00\tLHR\t512\t203.0.113.7\tGET\td1.cloudfront.net\t/a\t200\t"
        b"https://school.example/\tMozilla/5.0%20(X11)\tb=1\n"
    ),
]
LOAD_BALANCER = (
    b"https 2026-11-25T10:00:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 203.0.113.7:2817 "
    b'10.0.0.1:80 0.086 0.048 0.037 200 200 0 512 "GET https://school.example:443/a?b=1 HTTP/1.1" '
    b'"Mozilla/5.0 (X11)" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:x "1" '
    b'"school.example" "arn:aws:acm:x" 0 2026-11-25T10:00:00.050000Z "forward" "-" "-"'
)


def only_request(lines: list[bytes]) -> tuple[str, Request]:
    log_format, requests = detect(lines, "access.log")
    (request,) = requests
    return log_format.name, request


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("Combined Log Format", [COMBINED]),
        ("vhost_combined", [VHOST]),
        ("JSON lines", [NGINX]),
        ("CloudFront standard log", CLOUDFRONT),
        ("Application Load Balancer log", [LOAD_BALANCER]),
    ],
)
def test_each_format_is_detected_and_gives_the_same_request(name: str, lines: list[bytes]) -> None:
    log_format, request = only_request(lines)
    assert log_format == name
    assert (request.client, request.address, request.at) == ("203.0.113.7", "203.0.113.7", AT)
    assert (request.method, request.path, request.search) == ("GET", "/a", "?b=1")
    assert (request.status, request.size, request.agent) == (200, 512, "Mozilla/5.0 (X11)")


def test_common_log_format_is_read_as_combined_without_agent() -> None:
    name, request = only_request([COMMON])
    assert (name, request.agent, request.referrer) == ("Combined Log Format", None, None)


def test_host_of_vhost_combined_never_becomes_the_client() -> None:
    combined = next(it for it in formats() if it.name == "Combined Log Format")
    assert combined.parse(VHOST) == BadLine("virtual host before the client")


@given(log_requests(), st.integers(1, 65_535))
def test_vhost_combined_gives_the_request_of_the_combined_line(request: Request, port: int) -> None:
    line = (
        f'{request.client} - - [{request.at:%d/%b/%Y:%H:%M:%S} +0000] "GET /p HTTP/1.1" 200 -'
    ).encode()
    combined, vhost = formats()[:2]
    expected = combined.parse(line)
    assert vhost.parse(f"www.example.com:{port} ".encode() + line) == expected


def test_cloudfront_field_order_comes_from_the_header() -> None:
    lines = [b"#Fields: cs-uri-stem cs-method c-ip time date sc-status\n"]
    lines += [b"/x\tGET\t203.0.113.7\t10:00:00\t2026-11-25\t404\n"]
    name, request = only_request(lines)
    assert name == "CloudFront standard log"
    assert (request.path, request.status, request.at) == ("/x", 404, AT)


def test_cloudfront_comments_are_not_requests() -> None:
    log_format, _ = detect(CLOUDFRONT, "x.log")
    assert [log_format.is_comment(line) for line in CLOUDFRONT] == [True, True, False]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-11-25T15:30:00+05:30", AT),
        ("25/Nov/2026:10:00:00 +0000", AT),
        (AT.timestamp(), AT),
        (str(AT.timestamp()), AT),
    ],
)
def test_json_time_is_iso_apache_or_unix_seconds(time: object, expected: datetime) -> None:
    line = json.dumps({"time": time, "client": "a", "method": "GET", "uri": "/", "status": 200})
    assert only_request([line.encode()])[1].at == expected


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"remote_addr": ""}, "client"),
        ({"time_iso8601": "2026-11-25T10:00:00"}, "time"),
        ({"time_iso8601": "yesterday"}, "time"),
        ({"request": "GET"}, "request"),
        ({"status": 99}, "status"),
    ],
)
def test_json_line_names_the_first_field_that_is_invalid(
    change: dict[str, object], reason: str
) -> None:
    json_lines = next(it for it in formats() if it.name == "JSON lines")
    assert json_lines.parse(json.dumps(json.loads(NGINX) | change).encode()) == BadLine(reason)


def test_unknown_format_is_refused_with_the_line_and_an_example() -> None:
    with pytest.raises(CommandError) as caught:
        detect([b"Nov 25 10:00:00 host sshd[1]: Accepted publickey\n"] * 3, "auth.log")
    message = str(caught.value)
    assert "auth.log isn't an access log in a known format" in message
    assert "Nov 25 10:00:00 host sshd[1]: Accepted publickey" in message
    assert "Expected, for example:" in message


@pytest.mark.parametrize("lines", [[], [b"\n", b"  \n"]])
def test_empty_log_is_refused(lines: list[bytes]) -> None:
    with pytest.raises(CommandError, match="is empty"):
        detect(lines, "access.log")


def test_log_of_comments_only_is_refused() -> None:
    with pytest.raises(CommandError, match="isn't an access log"):
        detect(CLOUDFRONT[:2], "access.log")


def test_half_readable_log_is_accepted_and_less_is_refused() -> None:
    assert detect([COMBINED, b"broken"], "a.log")[0].name == "Combined Log Format"
    with pytest.raises(CommandError):
        detect([COMBINED, b"broken", b"broken"], "a.log")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_a_bad_line_or_a_comment(line: bytes) -> None:
    for candidate in formats():
        assert isinstance(candidate.parse(line), Request | BadLine | None)
