"""Every hypothesis strategy of the project, a section per room."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

import clickstream
from local.replay import combined
from local.replay.events import EventMaker, PageView

# --- clickstream ---

_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)


def json_values(max_leaves: int = 8) -> st.SearchStrategy[Any]:
    """Any JSON value that Python and JSON agree on."""
    return st.recursive(
        _scalars,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
        ),
        max_leaves=max_leaves,
    )


json_objects = st.dictionaries(st.text(max_size=8), json_values(), max_size=5)


@st.composite
def headers(draw: st.DrawFn) -> clickstream.Header:
    """A header as the collector fills it in; its counts are the writer's to set."""
    text = st.none() | st.text(max_size=40)
    return clickstream.Header(
        request_id=draw(st.text(max_size=56)),
        received_at=draw(iso_times()),
        sent_at=draw(st.none() | iso_times() | st.text(max_size=10)),
        source=draw(st.text(min_size=1, max_size=20)),
        stream_region="us-east-1",
        edge_region=draw(st.sampled_from(["us-east-1", "ap-south-1"])),
        failover=draw(st.booleans()),
        ip=draw(text),
        user_agent=draw(text),
        bot=draw(st.booleans()),
        country=draw(text),
        region=draw(text),
        city=draw(text),
        time_zone=draw(text),
        device=draw(st.sampled_from([None, "desktop", "mobile", "tablet", "tv"])),
        context=msgspec.Raw(msgspec.json.encode(draw(st.none() | json_objects))),
    )


@st.composite
def accepted_events(draw: st.DrawFn, i: int = 0) -> clickstream.Accepted:
    return clickstream.Accepted(
        i=i,
        message_id=draw(st.text(min_size=1, max_size=99)),
        message_id_source=draw(st.sampled_from(["client", "derived"])),
        timestamp=draw(iso_times()),
        original_timestamp=draw(st.none() | iso_times()),
        event=msgspec.Raw(msgspec.json.encode(draw(json_objects))),
    )


@st.composite
def rejected_events(draw: st.DrawFn, i: int = 0) -> clickstream.Rejected:
    return clickstream.Rejected(
        i=i,
        code=draw(st.sampled_from(["no_user_anon_id", "invalid_json", "event_too_large"])),
        message=draw(st.text(max_size=40)),
        raw=draw(st.text(max_size=60)),
    )


@st.composite
def packed_requests(
    draw: st.DrawFn,
) -> tuple[clickstream.Header, list[clickstream.Accepted], list[clickstream.Rejected]]:
    """A request's header with its accepted and rejected events, as the collector packs them."""
    accepted = [draw(accepted_events(i)) for i in range(draw(st.integers(0, 6)))]
    start = len(accepted)
    rejected = [draw(rejected_events(i)) for i in range(start, start + draw(st.integers(0, 3)))]
    return draw(headers()), accepted, rejected


def iso_times() -> st.SearchStrategy[str]:
    """UTC times with milliseconds, as the wire record writes them."""
    return st.integers(0, 7_000_000_000_000).map(
        lambda ms: (
            datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            + f".{ms % 1000:03d}Z"
        )
    )


# --- replay ---

_log_text = st.text(st.characters(codec="utf-8"), max_size=40)


@st.composite
def log_requests(draw: st.DrawFn) -> combined.Request:
    """A request that a log can hold."""
    address = draw(st.ip_addresses().map(str) | st.just("visitor.example"))
    path = draw(st.text(st.characters(codec="utf-8", exclude_characters="\n\r? "), max_size=20))
    query = draw(st.text(st.characters(codec="utf-8", categories=("L", "N")), max_size=8))
    return combined.Request(
        client=address,
        address=None if address == "visitor.example" else address,
        at=draw(st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1))).replace(  # noqa: DTZ001 - UTC is put in below
            microsecond=0, tzinfo=UTC
        ),
        method=draw(st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "PROPFIND"])),
        path="/" + path,
        search=f"?{query}" if query else "",
        status=draw(st.integers(100, 599)),
        size=draw(st.none() | st.integers(0, 10**18 - 1)),
        referrer=draw(st.none() | _log_text.filter(lambda text: text not in {"", "-"})),
        agent=draw(st.none() | _log_text.filter(lambda text: text not in {"", "-"})),
    )


@st.composite
def page_views(draw: st.DrawFn) -> list[PageView]:
    """Views of a few visitors in the order of a log whose times also run back a little."""
    steps = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(-40, 90)), max_size=80))
    maker = EventMaker(site="https://school.example", digest="0" * 64, salt=b"salt")
    at = datetime(2025, 9, 15, 8, tzinfo=UTC)
    views = []
    for line, (visitor, seconds) in enumerate(steps, 1):
        at += timedelta(seconds=seconds)
        address = f"192.0.2.{visitor}"
        request = combined.Request(
            address, address, at, "GET", f"/{line}", "", 200, 1, None, "agent"
        )
        views.append(maker.page_view(line, request))
    return views
