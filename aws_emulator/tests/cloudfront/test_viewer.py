"""Tests of the simulated viewer and the CloudFront-* headers."""

import pytest
from hypothesis import given

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.errors import RequestRejectedError
from aws_emulator.cloudfront.model import Request, Viewer
from aws_emulator.cloudfront.viewer import cloudfront_headers, read_viewer
from aws_emulator.tests.cloudfront import strategies


def test_simulated_viewer_headers_are_removed() -> None:
    headers = h.collect(
        [
            ("X-Local-Viewer-Address", "2001:db8::1"),
            ("X-Local-Viewer-Country", "IN"),
            ("X-Local-Viewer-Region", "MH"),
            ("X-Local-Viewer-City", "Mumbai"),
            ("X-Local-Viewer-Time-Zone", "Asia/Kolkata"),
            ("Accept", "*/*"),
        ]
    )
    viewer = read_viewer(headers, ("127.0.0.1", 4444))
    assert viewer == Viewer("2001:db8::1", 4444, "IN", "MH", "Mumbai", "Asia/Kolkata")
    assert list(headers) == ["accept"]


def test_viewer_defaults_to_tcp_peer_without_location() -> None:
    viewer = read_viewer({}, ("127.0.0.1", 4444))
    assert viewer == Viewer("127.0.0.1", 4444)
    own = cloudfront_headers(Request("GET", "/", "", {}), viewer)
    assert "cloudfront-viewer-country" not in own
    assert own["cloudfront-viewer-address"] == ("CloudFront-Viewer-Address", "127.0.0.1:4444")


def test_invalid_viewer_address_is_rejected() -> None:
    with pytest.raises(RequestRejectedError) as caught:
        read_viewer(h.collect([("X-Local-Viewer-Address", "nowhere")]), None)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("agent", "seen"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64)", {"desktop"}),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) Mobile/15E148", {"ios", "mobile"}),
        ("Mozilla/5.0 (iPad; CPU OS 17_0) Mobile/15E148", {"ios", "mobile", "tablet"}),
        ("Mozilla/5.0 (Linux; Android 14; Pixel 8) Mobile Safari", {"android", "mobile"}),
        ("Mozilla/5.0 (Linux; Android 14; SM-X810) Safari", {"android", "mobile", "tablet"}),
        ("Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0)", {"smarttv"}),
        ("", {"desktop"}),
    ],
)
def test_device_type_is_derived_from_user_agent(agent: str, seen: set[str]) -> None:
    request = Request("GET", "/", "", h.collect([("User-Agent", agent)]))
    own = cloudfront_headers(request, Viewer("192.0.2.1"))
    devices = {name.split("-")[2]: value for name, (_, value) in own.items() if "-is-" in name}
    assert {name for name, value in devices.items() if value == "true"} == seen
    assert set(devices.values()) <= {"true", "false"}
    assert len(devices) == 6


@given(strategies.viewer_requests(), strategies.viewers())
def test_cloudfront_headers_are_valid_header_values(request: Request, viewer: Viewer) -> None:
    for lower, (name, value) in cloudfront_headers(request, viewer).items():
        assert name.lower() == lower
        assert h.is_name(name)
        assert h.is_value(value)
        assert value.isascii()
