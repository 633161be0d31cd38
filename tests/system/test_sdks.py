"""System tests with unmodified analytics SDKs, on a healthy network."""

import uuid
from pathlib import Path
from typing import Final

import pytest

from tests.system.sdks import senders
from tests.system.sdks.recorder import recording
from tests.system.sdks.variants import VARIANTS, Variant
from tests.system.test_journey import stored
from tools.dev import system

pytestmark = pytest.mark.integration

EVENTS: Final = 30


@pytest.mark.parametrize("variant", VARIANTS, ids=[variant.name for variant in VARIANTS])
def test_sdk_events_are_stored_exactly_once(
    variant: Variant, sdks: dict[str, senders.Sender], meridian: system.System, tmp_path: Path
) -> None:
    """The compatibility table in docs/sdks.md states the requests of each variant."""
    if variant.in_browser and not sdks.keys() & senders.BROWSERS.keys():
        pytest.skip(f"{variant.name} needs Chromium, which isn't installed.")
    visitor = str(uuid.uuid4())
    with recording(meridian.url) as recorder:
        variant.send(senders.Task(recorder.url, meridian.deployed.write_key, visitor, EVENTS))
    assert {it.status for it in recorder.exchanges} == {200}
    assert not any(it.rejected for it in recorder.exchanges)
    assert recorder.resent_after_final_response() == []
    requests = {", ".join(filter(None, (it.path, it.encoding))) for it in recorder.exchanges}
    assert requests == {variant.requests}
    rows = stored(meridian, f"anonymous_id = '{visitor}'", EVENTS, tmp_path)
    assert [row["verdict"] for row in rows] == ["good"] * EVENTS
    assert {row["event"] for row in rows} == {f"Step {number}" for number in range(EVENTS)}
    assert {row["message_id"] for row in rows} == recorder.accepted().keys()


@pytest.mark.parametrize("name", senders.SENDERS)
def test_sdk_with_unknown_write_key_does_not_retry(
    name: str, sdks: dict[str, senders.Sender], meridian: system.System
) -> None:
    with recording(meridian.url) as recorder:
        sdks[name](senders.Task(recorder.url, "wk_unknown", str(uuid.uuid4()), 3))
    assert {it.status for it in recorder.exchanges} == {401}
    assert recorder.resent_after_final_response() == []
