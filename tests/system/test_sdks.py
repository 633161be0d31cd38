"""Analytics SDKs as they come from their makers, pointed at the running system."""

import uuid
from pathlib import Path

import pytest

from tests.system.sdks import senders
from tests.system.sdks.recorder import recording
from tests.system.test_journey import stored
from tools.dev import system

pytestmark = pytest.mark.integration

EVENTS = 30


@pytest.mark.parametrize("name", [*senders.SENDERS, *senders.BROWSERS])
def test_an_sdk_in_good_weather(
    name: str, sdks: dict[str, senders.Sender], meridian: system.System, tmp_path: Path
) -> None:
    if name not in sdks:
        pytest.skip(f"NO CHROMIUM ON THIS MACHINE: {name} WAS NOT RUN")
    visitor = str(uuid.uuid4())
    with recording(meridian.url) as recorder:
        sdks[name](senders.Task(recorder.url, meridian.deployed.write_key, visitor, EVENTS))
    assert {it.status for it in recorder.exchanges} == {200}
    assert not any(it.rejected for it in recorder.exchanges)
    assert recorder.sent_after_an_end() == []
    rows = stored(meridian, f"anonymous_id = '{visitor}'", EVENTS, tmp_path)
    assert [row["verdict"] for row in rows] == ["good"] * EVENTS
    assert {row["event"] for row in rows} == {f"Step {number}" for number in range(EVENTS)}
    assert {row["message_id"] for row in rows} == recorder.accepted().keys()


@pytest.mark.parametrize("name", senders.SENDERS)
def test_an_sdk_whose_key_is_unknown_does_not_try_again(
    name: str, sdks: dict[str, senders.Sender], meridian: system.System
) -> None:
    with recording(meridian.url) as recorder:
        sdks[name](senders.Task(recorder.url, "wk_of_nobody", str(uuid.uuid4()), 3))
    assert {it.status for it in recorder.exchanges} == {401}
    assert recorder.sent_after_an_end() == []
