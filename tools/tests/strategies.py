"""Hypothesis strategies for the tools' tests: access log requests and page views."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from tools.replay import combined_log_format
from tools.replay.events import EventMaker, PageView

_log_text = st.text(st.characters(codec="utf-8"), max_size=40)


@st.composite
def log_requests(draw: st.DrawFn) -> combined_log_format.Request:
    """A request that an access log can contain."""
    address = draw(st.ip_addresses().map(str) | st.just("visitor.example"))
    path = draw(st.text(st.characters(codec="utf-8", exclude_characters="\n\r? "), max_size=20))
    query = draw(st.text(st.characters(codec="utf-8", categories=("L", "N")), max_size=8))
    return combined_log_format.Request(
        client=address,
        address=None if address == "visitor.example" else address,
        at=draw(st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1))).replace(  # noqa: DTZ001 - replace() sets UTC
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
    """Views of a few visitors, in the order of a log whose timestamps aren't sorted."""
    steps = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(-40, 90)), max_size=80))
    maker = EventMaker(site="https://school.example", digest="0" * 64, salt=b"salt")
    at = datetime(2025, 9, 15, 8, tzinfo=UTC)
    views = []
    for line, (visitor, seconds) in enumerate(steps, 1):
        at += timedelta(seconds=seconds)
        address = f"192.0.2.{visitor}"
        request = combined_log_format.Request(
            address, address, at, "GET", f"/{line}", "", 200, 1, None, "agent"
        )
        views.append(maker.page_view(line, request))
    return views
