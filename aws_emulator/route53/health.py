"""When a health check changes its status, as pure functions.

Source: Amazon Route 53 Developer Guide, "How Amazon Route 53 determines whether a health check is
healthy". Each of Route 53's checkers counts on its own; this model has one checker.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_emulator.route53.model import HealthCheck, HealthCheckId


@dataclass(frozen=True, slots=True)
class Observed:
    """The status of a check by its requests. A new check is healthy."""

    is_healthy: bool = True
    #: Consecutive results that differ from `is_healthy`.
    contrary: int = 0


def observe(state: Observed, threshold: int, succeeded: bool) -> Observed:
    """Return the state after another request.

    `threshold` is the number of consecutive contrary results that change the status.
    """
    if succeeded == state.is_healthy:
        return Observed(state.is_healthy)
    contrary = state.contrary + 1
    return Observed(succeeded) if contrary >= threshold else Observed(state.is_healthy, contrary)


def statuses(
    checks: Mapping[HealthCheckId, HealthCheck], observed: Mapping[HealthCheckId, Observed]
) -> dict[HealthCheckId, bool]:
    """Return whether each check is healthy, with inverted, disabled and calculated ones."""
    return {it: _status(it, checks, observed, frozenset()) for it in checks}


def _status(
    check_id: HealthCheckId,
    checks: Mapping[HealthCheckId, HealthCheck],
    observed: Mapping[HealthCheckId, Observed],
    parents: frozenset[HealthCheckId],
) -> bool:
    check = checks.get(check_id)
    if check is None or check_id in parents:
        return True
    if check.is_disabled:
        # It counts as healthy, or as unhealthy if it is inverted (API reference, Disabled).
        return not check.is_inverted
    if check.is_calculated:
        above = parents | {check_id}
        healthy = sum(_status(child, checks, observed, above) for child in check.children)
        return (healthy >= check.min_healthy) != check.is_inverted
    return observed.get(check_id, Observed()).is_healthy != check.is_inverted
