"""The plots of the page, as Plotly figures without colours: the page's script adds them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from plotly import graph_objects as go  # type: ignore[import-untyped]

from tools.report.distribution import PERCENTILES, Distribution
from tools.report.results import Report
from tools.report.sections import MAX_LOCATIONS, distribution_text, locations_text, share_text

OTHERS: Final = "others"
_SHORT_PX: Final = 260
_TALL_PX: Final = 320


@dataclass(frozen=True)
class Plot:
    """One plot: an identifier, a heading, one sentence that says what it shows, and the figure."""

    name: str
    title: str
    description: str
    figure: go.Figure

    def document(self) -> dict[str, Any]:
        """Return the figure as Plotly's JSON document."""
        document: dict[str, Any] = self.figure.to_plotly_json()
        return {"data": document["data"], "layout": document["layout"]}


def plots(report: Report) -> list[Plot]:
    """Return the plots of a report in the order of the page."""
    return [
        _hours(report),
        _sessions(report),
        _session_lengths(report),
        _locations(report),
        _durations(
            "latency",
            "Latency of requests",
            "The collector's response times as the replay's clients saw them.",
            report.latency,
        ),
        _durations(
            "lag",
            "Lag from the edge to the data lake",
            "The time from an event's arrival at the edge until its row and the live counters "
            "were stored.",
            report.lag,
        ),
    ]


def _hours(report: Report) -> Plot:
    names = [f"{hour:02d}" for hour in range(24)]
    busiest = max(range(24), key=lambda hour: report.hours[hour])
    return Plot(
        "hours",
        "Views by hour of day",
        f"Hours in UTC, by event timestamps. The busiest hour is {names[busiest]} with "
        f"{report.hours[busiest]:,} views.",
        _bars(names, report.hours, "hour (UTC)", "views"),
    )


def _sessions(report: Report) -> Plot:
    sessions = report.sessions
    return Plot(
        "sessions",
        "Sessions by number of views",
        f"{sessions.sessions:,} sessions, of which "
        f"{share_text(sessions.single_view, sessions.sessions)} have a single view.",
        _of_mapping(sessions.by_views, "views per session", "sessions"),
    )


def _session_lengths(report: Report) -> Plot:
    return Plot(
        "session-lengths",
        "Sessions by length",
        "A session ends after 30 minutes without a request. A single view has the length 0 s.",
        _of_mapping(report.sessions.by_length, "length", "sessions"),
    )


def _locations(report: Report) -> Plot:
    by = {
        "country": "by the country that CloudFront determined",
        "registry": "by the Internet registry that administers the viewer's address",
    }[report.locations_by]
    shown = dict(list(report.locations.items())[:MAX_LOCATIONS])
    rest = sum(report.locations.values()) - sum(shown.values())
    if rest:
        shown[OTHERS] = rest
    # Plotly draws the first bar at the bottom.
    names, views = list(shown)[::-1], list(shown.values())[::-1]
    figure = go.Figure(
        go.Bar(x=views, y=names, orientation="h", hovertemplate="%{y}: %{x:,}<extra></extra>")
    )
    figure.update_layout(height=_SHORT_PX)
    figure.update_xaxes(title="views")
    # Two lines leave space for the bars on a phone.
    labels = [name.replace(" (", "<br>(") for name in names]
    figure.update_yaxes(type="category", automargin=True, tickvals=names, ticktext=labels)
    return Plot("locations", "Geography", f"Views {by}: {locations_text(report)}.", figure)


def _durations(name: str, title: str, description: str, distribution: Distribution) -> Plot:
    figure = go.Figure(
        go.Scatter(
            x=list(range(1, len(distribution.curve) + 1)),
            y=list(distribution.curve),
            mode="lines",
            hovertemplate="%{x} % within %{y:,} ms<extra></extra>",
        )
    )
    if distribution.count:
        figure.add_trace(
            go.Scatter(
                x=list(PERCENTILES),
                y=[distribution.percentile(number) for number in PERCENTILES],
                mode="markers",
                hovertemplate="p%{x}: %{y:,} ms<extra></extra>",
            )
        )
    figure.update_layout(height=_TALL_PX)
    figure.update_xaxes(title="percentile", range=[0, 101])
    figure.update_yaxes(title="milliseconds", rangemode="tozero")
    return Plot(
        name, title, f"{description} {distribution_text(distribution).capitalize()}.", figure
    )


def _of_mapping(counts: Mapping[str, int], x_title: str, y_title: str) -> go.Figure:
    return _bars(list(counts), list(counts.values()), x_title, y_title)


def _bars(names: Sequence[str], values: Sequence[int], x_title: str, y_title: str) -> go.Figure:
    figure = go.Figure(
        go.Bar(x=list(names), y=list(values), hovertemplate="%{x}: %{y:,}<extra></extra>")
    )
    figure.update_layout(height=_SHORT_PX)
    # The labels are names, even if they look like numbers.
    figure.update_xaxes(title=x_title, type="category", automargin=True)
    figure.update_yaxes(title=y_title, rangemode="tozero", automargin=True)
    return figure
