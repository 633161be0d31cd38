"""Tests for `visitor_facts`: the facts describe the visitor of each event."""

import json
import zlib
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import clickstream
from tests.unit.edge_ingest import harness

GOOGLEBOT: Final = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
CHROME: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0"
IPHONE: Final = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Mobile/15E148"
#: CloudFront's headers about the sender of the request.
SENDER: Final = {
    "CloudFront-Viewer-Country": "IE",
    "CloudFront-Viewer-Country-Region": "L",
    "CloudFront-Viewer-City": "Dublin",
    "CloudFront-Viewer-Time-Zone": "Europe/Dublin",
    "CloudFront-Is-Desktop-Viewer": "true",
}
SENDER_IP: Final = "203.0.113.77"
#: User agents as the SDKs send them, recorded or read in their sources.
SERVERS: Final = (
    "analytics-python/2.4.0",
    "analytics-ruby/2.5.0",
    "analytics-go (version: 3.3.0)",
    "analytics-java/3.5.2",
    "analytics-php/3.8.1",
    "node",
    "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
    "axios/1.7.2",
    "python-requests/2.32.3",
    "Go-http-client/1.1",
    "curl/8.9.1",
    None,
)
DEVICES: Final = (
    CHROME,
    GOOGLEBOT,
    "Opera/9.80 (Android 4.1.2; Linux; Opera Mobi/ADR-1305251841) Presto/2.11.355",
    "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UD1A.230803.041)",
    "okhttp/4.12.0",
    "Runner/1 CFNetwork/1496.0.7 Darwin/23.5.0",
    "Dart/3.4 (dart:io)",
    "analytics-ios/1.5.11",
    "analytics-kotlin/1.16.3",
)
EMPTY: Final = clickstream.Visitor()


def send(
    batch: list[dict[str, Any]],
    agent: str | None,
    *,
    path: str = "/v1/batch",
    context: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    **source: object,
) -> clickstream.Record:
    """Return the record of a batch that `agent` sends."""
    collector = harness.Harness(harness.settings_document(**source))
    named = SENDER | (headers or {}) | ({} if agent is None else {"User-Agent": agent})
    body = {"batch": batch} | ({} if context is None else {"context": context})
    collector.send_ok("POST", path, body, headers=named, ip=SENDER_IP)
    (record,) = collector.streams.records
    return record


def event(number: int = 0, agent: str | None = CHROME, **context: object) -> dict[str, Any]:
    stated: dict[str, object] = {"ip": f"198.51.{number}.9", **context}
    if agent is not None:
        stated["userAgent"] = agent
    return harness.track(messageId=f"m-{number}", userId=f"u-{number}", context=stated)


def visitors(record: clickstream.Record) -> list[clickstream.Visitor]:
    """Return the facts of each event, as a reader of the record sees them."""
    names = clickstream.Visitor.__struct_fields__
    header = clickstream.Visitor(**{name: getattr(record.header, name) for name in names})
    return [header if one.visitor is None else one.visitor for one in record.accepted]


@pytest.mark.parametrize("agent", SERVERS)
def test_event_of_server_has_facts_of_its_context(agent: str | None) -> None:
    stated = event(
        7,
        IPHONE,
        location={"country": "np", "region": "P3", "city": "Kathmandu"},
        timezone="Asia/Kathmandu",
    )
    record = send([stated], agent)
    assert visitors(record) == [
        clickstream.Visitor(
            ip="198.51.7.0",
            user_agent=IPHONE,
            country="NP",
            region="P3",
            city="Kathmandu",
            time_zone="Asia/Kathmandu",
            device="mobile",
        )
    ]


@pytest.mark.parametrize("agent", SERVERS)
def test_event_of_server_without_context_has_no_facts(agent: str | None) -> None:
    record = send([harness.track()], agent)
    assert visitors(record) == [EMPTY]
    text = "\n".join(map(str, (record.header, record.accepted)))
    for canary in ("203.0.113", "Dublin", "'IE'"):
        assert canary not in text


@pytest.mark.parametrize("agent", DEVICES)
def test_event_of_device_has_facts_of_its_request(agent: str) -> None:
    record = send([event(1, "Another/1.0"), event(2)], agent)
    assert (
        visitors(record)
        == [
            clickstream.Visitor(
                ip="203.0.113.0",
                user_agent=agent,
                bot=agent == GOOGLEBOT,
                country="IE",
                region="L",
                city="Dublin",
                time_zone="Europe/Dublin",
                device="desktop",
            )
        ]
        * 2
    )
    assert all(one.visitor is None for one in record.accepted)


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/beacon/v1/batch", {}), ("/v1/batch", {"Origin": "https://school.example"})],
)
def test_request_of_page_with_unknown_agent_has_its_own_facts(
    path: str, headers: dict[str, str]
) -> None:
    record = send([event()], "Browser of an app/1.0", path=path, headers=headers)
    assert record.header.city == "Dublin"
    assert record.accepted[0].visitor is None


def test_pixel_has_facts_of_its_request() -> None:
    collector = harness.Harness()
    headers = SENDER | {"User-Agent": "Microsoft Office/16.0 (Outlook Mail)"}
    query = f"userId=u&writeKey={harness.WRITE_KEY}"
    collector.send("GET", "/pixel/v1/page", query=query, key=None, headers=headers)
    (record,) = collector.streams.records
    assert (record.header.city, record.accepted[0].visitor) == ("Dublin", None)


AGENTS: Final = st.sampled_from([GOOGLEBOT, CHROME, IPHONE, "", None])


@given(st.lists(AGENTS, min_size=1, max_size=6), st.sampled_from(SERVERS))
def test_facts_of_event_do_not_depend_on_other_events(
    agents: list[str | None], sender: str | None
) -> None:
    batch = [event(n, agent) for n, agent in enumerate(agents)]
    together = visitors(send(batch, sender))
    assert together == [visitors(send([one], sender))[0] for one in batch]
    assert [one.bot for one in together] == [agent == GOOGLEBOT for agent in agents]


@pytest.mark.parametrize("channel", ["server", "sources"])
def test_server_behind_agent_of_browser_states_its_channel(channel: str) -> None:
    """A web server that forwards its visitor's User-Agent sends from its own address."""
    record = send([event(1) | {"channel": channel}, event(2)], CHROME)
    first, second = visitors(record)
    assert (first.ip, first.city, first.user_agent) == ("198.51.1.0", None, CHROME)
    assert (second.ip, second.city) == ("203.0.113.0", "Dublin")


def test_app_with_unknown_agent_states_its_channel() -> None:
    record = send([event(1) | {"channel": "mobile"}, event(2)], "UnityPlayer/2022.3")
    first, second = visitors(record)
    assert (first.ip, first.city) == ("203.0.113.0", "Dublin")
    assert first.user_agent == "UnityPlayer/2022.3"
    assert (second.ip, second.city) == ("198.51.2.0", None)


def test_crawler_that_states_its_own_agent_is_a_bot() -> None:
    record = send([event(1, "Googlebot/2.1"), event(2, CHROME)], "Googlebot/2.1")
    assert [one.bot for one in visitors(record)] == [True, False]
    assert [one.city for one in visitors(record)] == ["Dublin", None]


def test_event_without_context_has_facts_of_batch() -> None:
    context = {"userAgent": GOOGLEBOT, "ip": "198.51.3.9", "timezone": "Asia/Tokyo"}
    bare = harness.track(messageId="m-2")
    first, second = visitors(send([event(1), bare], "node", context=context))
    assert (first.ip, first.bot) == ("198.51.1.0", False)
    assert second == clickstream.Visitor(
        ip="198.51.3.0", user_agent=GOOGLEBOT, bot=True, time_zone="Asia/Tokyo", device="desktop"
    )


@pytest.mark.parametrize(
    ("rule", "stored"), [("truncate", "198.51.1.0"), ("drop", None), ("hash", "hashed")]
)
def test_stated_address_is_stored_by_rule_of_source(rule: str, stored: str | None) -> None:
    (visitor,) = visitors(send([event(1)], "node", privacy={"ip": rule}))
    if stored == "hashed":
        assert visitor.ip is not None
        assert len(visitor.ip) == 32
    else:
        assert visitor.ip == stored


@pytest.mark.parametrize("rule", ["drop", "hash"])
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("context.userAgent", "user_agent"),
        ("context.timezone", "time_zone"),
        ("context.location.city", "city"),
        ("context.location", "city"),
        ("context", "city"),
        ("context.*", "time_zone"),
    ],
)
def test_dropped_or_hashed_field_is_not_stored_as_fact(rule: str, path: str, name: str) -> None:
    stated = event(1, CHROME, location={"city": "Canary"}, timezone="Canary")
    (visitor,) = visitors(send([stated], "node", privacy={rule: [path]}))
    assert getattr(visitor, name) not in ("Canary", CHROME)


def test_opt_out_of_visitor_keeps_only_the_type_of_device() -> None:
    stated = event(1, IPHONE, location={"country": "NP", "city": "Patan"}, timezone="Asia/Tokyo")
    (visitor,) = visitors(send([stated], "node", headers={"Sec-GPC": "1"}))
    assert visitor == clickstream.Visitor(device="mobile")


def test_record_of_denied_event_has_no_facts_of_server_or_visitor() -> None:
    consent = {"categoryPreferences": {"analytics": False}}
    denied = event(1, timezone="Asia/Canary", consent=consent)
    collector = harness.Harness(
        harness.settings_document(privacy={"consent": {"categories": ["analytics"]}})
    )
    collector.send_ok(body={"batch": [denied]}, headers=SENDER | {"User-Agent": "node"})
    text = b"\n".join(zlib.decompress(entry.data, 31) for _, entry in collector.streams.stored)
    assert not any(canary in text for canary in (b"Canary", b"Dublin", b"203.0.113"))


@pytest.mark.parametrize(
    ("device", "agent", "expected"),
    [
        ({"type": "ios"}, None, "mobile"),
        ({"type": "Android"}, CHROME, "mobile"),
        ({"type": "tablet"}, None, "tablet"),
        ({"type": 7}, IPHONE, "mobile"),
        ("a text", IPHONE, "mobile"),
        (None, "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) Mobile/15E148", "tablet"),
        (None, "Mozilla/5.0 (Linux; Android 14; SM-X910) Chrome/126.0 Safari/537.36", "tablet"),
        (None, "Mozilla/5.0 (Linux; Android 14) Chrome/126.0 Mobile Safari/537.36", "mobile"),
        (None, "Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) Safari/537.36", "tv"),
        (None, CHROME, "desktop"),
        (None, "SomeApp/1.0", None),
        (None, None, None),
    ],
)
def test_device_is_stated_or_derived_from_stated_agent(
    device: object, agent: str | None, expected: str | None
) -> None:
    (visitor,) = visitors(send([event(1, agent, device=device)], "node"))
    assert visitor.device == expected


@pytest.mark.parametrize(
    ("agent", "device", "expected"),
    [
        ("Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8)", {"type": "Android"}, "mobile"),
        ("School/7 CFNetwork/1494.0.7 Darwin/23.4.0", {"type": "iOS"}, "mobile"),
        ("okhttp/4.12.0", {"type": "tablet"}, "tablet"),
        ("okhttp/4.12.0", {"type": "unknown"}, "desktop"),
        ("okhttp/4.12.0", {"type": ["ios"]}, "desktop"),
        ("okhttp/4.12.0", "ios", "desktop"),
        ("okhttp/4.12.0", None, "desktop"),
        # A web view's user agent is a browser's, which CloudFront recognizes.
        (IPHONE, {"type": "tablet"}, "desktop"),
    ],
)
def test_app_states_its_type_of_device(agent: str, device: object, expected: str) -> None:
    """SENDER has the type of device that CloudFront derives from the user agent."""
    record = send([event(1, agent, device=device)], agent)
    assert record.header.device == expected
    batch = {"device": device} if isinstance(device, dict) else {}
    collector = harness.Harness()
    body = {"batch": [harness.track()], "context": batch}
    collector.send_ok(body=body, headers=SENDER | {"User-Agent": agent})
    (record,) = collector.streams.records
    assert record.header.device == expected


@pytest.mark.parametrize(
    "context",
    [
        {"location": {"country": "United Kingdom"}},
        {"location": {"country": "G8"}},
        {"location": {"country": 44, "region": ["x"], "city": {}}},
        {"location": [], "timezone": 60, "ip": 7, "userAgent": []},
        {"location": {"city": "x" * 129, "region": ""}, "timezone": "y" * 129},
    ],
)
def test_unusual_fact_is_not_stored(context: dict[str, object]) -> None:
    (visitor,) = visitors(send([harness.track(context=context)], "node"))
    assert visitor == EMPTY


def test_long_user_agent_is_cut() -> None:
    (visitor,) = visitors(send([event(1, "x" * 2_000)], "node"))
    assert visitor.user_agent == "x" * 1_024


def test_record_without_server_events_has_no_key_of_visitor() -> None:
    """Requests of browsers, most of all requests, cost no byte more than before."""
    record = send([event(n) for n in range(3)], CHROME)
    for one in record.accepted:
        assert "visitor" not in json.loads(msgspec.json.encode(one))
