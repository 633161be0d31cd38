"""Sets the environment that Powertools needs, with tracing disabled."""

# The X-Ray SDK opens a socket on import, so import it before the tests disable sockets.
import aws_xray_sdk.core  # type: ignore[import-untyped]
import pytest


def pytest_unconfigure() -> None:
    """Close the X-Ray SDK's socket; Python would warn about it after the report."""
    aws_xray_sdk.core.xray_recorder.emitter._socket.close()


@pytest.fixture(autouse=True)
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "meridian-test")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "events")
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
