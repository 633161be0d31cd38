"""Powertools wants to know what it measures, and sends nothing from here."""

# The X-Ray SDK opens its socket while it is imported: before sockets are off.
import aws_xray_sdk.core  # type: ignore[import-untyped] # noqa: F401
import pytest


@pytest.fixture(autouse=True)
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "meridian-test")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "events")
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
