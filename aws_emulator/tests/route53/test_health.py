"""Tests of health checks: thresholds, inverted and calculated ones, and the time of a change."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.route53.health import Observed, observe, statuses
from aws_emulator.route53.model import HealthCheck

ENDPOINT = HealthCheck("endpoint", "HTTPS", host="eu-west-2.api.example.com", interval_s=10)


@given(st.lists(st.booleans()), st.integers(1, 10))
def test_status_changes_exactly_after_threshold_contrary_results(
    results: list[bool], threshold: int
) -> None:
    state = Observed()
    for number, result in enumerate(results, start=1):
        before, state = state, observe(state, threshold, result)
        last = results[max(0, number - threshold) : number]
        has_changed = len(last) == threshold and set(last) == {not before.is_healthy}
        assert state.is_healthy == (before.is_healthy != has_changed)


@given(
    st.integers(1, 10),
    st.sampled_from([10, 30]),
    st.floats(0, 1000),
    st.floats(0, 30, exclude_max=True),
)
def test_lost_endpoint_is_unhealthy_within_threshold_intervals(
    threshold: int, interval_s: int, lost_at_s: float, phase: float
) -> None:
    """The requests are `interval_s` apart, with any phase against the loss."""
    state, now = Observed(), phase % interval_s
    lost_s: float | None = None
    returned_s: float | None = None
    while returned_s is None:
        was_healthy = state.is_healthy
        has_returned = lost_s is not None
        state = observe(state, threshold, succeeded=now < lost_at_s or has_returned)
        if was_healthy and not state.is_healthy:
            lost_s = now
        if not was_healthy and state.is_healthy:
            returned_s = now
        now += interval_s
    assert lost_s is not None
    assert lost_at_s <= lost_s <= lost_at_s + interval_s * threshold
    # The endpoint returned right after the request that changed the status.
    assert returned_s == pytest.approx(lost_s + interval_s * threshold)


@given(st.booleans(), st.booleans())
def test_inverted_check_is_healthy_if_its_requests_fail(failed: bool, disabled: bool) -> None:
    check = replace(ENDPOINT, is_inverted=True, is_disabled=disabled)
    observed = {check.id: Observed(not failed)}
    # A disabled check counts as passed, so an inverted one as failed.
    assert statuses({check.id: check}, observed)[check.id] == (failed and not disabled)


@given(st.lists(st.booleans(), min_size=1, max_size=6), st.integers(0, 6), st.booleans())
def test_calculated_check_counts_its_healthy_children(
    children: list[bool], min_healthy: int, inverted: bool
) -> None:
    checks = {str(it): replace(ENDPOINT, id=str(it)) for it in range(len(children))}
    observed = {str(number): Observed(up) for number, up in enumerate(children)}
    checks["all"] = HealthCheck(
        "all", "CALCULATED", children=tuple(checks), min_healthy=min_healthy, is_inverted=inverted
    )
    assert statuses(checks, observed)["all"] == ((sum(children) >= min_healthy) != inverted)


@pytest.mark.parametrize("children", [("loop",), ("missing",)])
def test_unknown_or_circular_child_counts_as_healthy(children: tuple[str, ...]) -> None:
    check = HealthCheck("loop", "CALCULATED", children=children, min_healthy=1)
    assert statuses({"loop": check}, {}) == {"loop": True}
