"""Powertools wants to know what it measures, and sends nothing from here."""

# The X-Ray SDK opens its socket while it is imported: before sockets are off.
import aws_xray_sdk.core  # type: ignore[import-untyped]
import pytest


def pytest_unconfigure() -> None:
    """Close that socket, or Python warns of it after the last line of the report."""
    aws_xray_sdk.core.xray_recorder.emitter._socket.close()


@pytest.fixture(autouse=True)
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "meridian-test")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "events")
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
