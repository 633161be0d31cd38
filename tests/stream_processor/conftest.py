"""Powertools wants to know what it measures, and writes to no terminal here."""

import pytest


@pytest.fixture(autouse=True)
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "meridian-test")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "events")
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "CRITICAL")
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
