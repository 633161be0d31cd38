"""Traces: invocations from log lines, and trees of spans."""

from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.log_lines import LogLine, parse_function_line
from aws_emulator.trace import Invocation, Span, format_tree, invocations_of, summarize


def function_lines(source: str, request_id: str, *texts: str, end_ms: int = 1_000) -> list[LogLine]:
    """Return the parsed lines of an invocation that took 250 ms."""
    report = f"REPORT RequestId: {request_id}\tDuration: 250 ms\tBilled Duration: 250 ms"
    parsed = [parse_function_line(source, end_ms, it, request_id) for it in (*texts, report)]
    return [it for it in parsed if it is not None]


def test_lines_are_grouped_by_invocation_with_time_and_duration() -> None:
    first = function_lines("Access", "r1", '{"message": "in", "correlation_id": "cf-1"}', "text")
    second = function_lines("Access", "r2", '{"message": "in"}', end_ms=900)
    span_names = invocations_of([*first, *second])
    assert [(it.request_id, it.start_ms, it.duration_ms) for it in span_names] == [
        ("r2", 650, 250),
        ("r1", 750, 250),
    ]
    assert span_names[1].values("correlation_id") == {"cf-1"}
    assert [line.message for line in span_names[1].lines] == ["in correlation_id=cf-1", "text"]


def test_line_that_names_another_request_keeps_its_invocation() -> None:
    (line, _) = function_lines("Access", "r1", '{"message": "in", "request_id": "cf-1"}')
    assert (line.request_id, line.invocation) == ("cf-1", "r1")


def test_running_invocation_has_no_duration() -> None:
    (line, _) = function_lines("Access", "r1", "text")
    (span_names,) = invocations_of([line])
    assert span_names == Invocation("Access", "r1", 1_000, None, (line,))


def test_tree_shows_offsets_and_durations() -> None:
    root = Span("edge", 1_000, 1_520)
    access = root.add(Span("access", 1_002, 8))
    access.add(Span("log line"))
    root.add(Span("api", 999))
    assert format_tree(root).splitlines() == [
        "      offset     duration",
        "       +0 ms     1,520 ms  edge",
        "       +2 ms         8 ms  ├─ access",
        "                           │  └─ log line",
        "       -1 ms               └─ api",
    ]
    assert root.names() == ["edge", "access", "log line", "api"]


spans = st.recursive(
    st.builds(Span, st.text("abc", min_size=1)),
    lambda children: st.builds(Span, st.text("abc"), children=st.lists(children, max_size=4)),
    max_leaves=20,
)


@given(spans)
def test_tree_has_one_line_per_span_in_order(root: Span) -> None:
    lines = format_tree(root).splitlines()[1:]
    assert [line.lstrip(" │├└─") for line in lines] == root.names()


@given(st.integers(0, 30), st.integers(1, 10))
def test_summary_counts_omitted_spans(number: int, limit: int) -> None:
    span_names = summarize([Span(str(i)) for i in range(number)], limit)
    if number <= limit:
        assert [it.name for it in span_names] == [str(i) for i in range(number)]
    else:
        assert len(span_names) == limit + 1
        assert span_names[-1].name == f"and {number - limit} more"
