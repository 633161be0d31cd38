"""Every hypothesis strategy of the project, a section per room."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import strategies as st

import clickstream

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
