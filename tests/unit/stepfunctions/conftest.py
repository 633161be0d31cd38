"""Powertools without an exporter, and fixed settings for every handler."""

# The X-Ray SDK opens a UDP socket at import: import it before the tests switch sockets off.
import aws_xray_sdk.core  # type: ignore[import-untyped]
import pytest

from stepfunctions import identity, importer, notify, relay, validate
from tests.unit.stepfunctions.fakes import SETTINGS


def pytest_unconfigure() -> None:
    """Close the X-Ray SDK's socket; otherwise Python warns after the test report."""
    aws_xray_sdk.core.xray_recorder.emitter._socket.close()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "test")
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    for module in (validate, identity, relay, notify, importer):
        monkeypatch.setattr(module, "settings", lambda: SETTINGS)
