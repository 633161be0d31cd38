"""System tests with unmodified analytics SDKs, on a healthy network."""

import uuid
from typing import Final

import pytest

from tests.support.nightly import mark_others
from tests.system.sdks import senders
from tests.system.sdks.mobile import ANDROID, IOS, NotStartedError, Platform, mobile
from tests.system.sdks.recorder import recording
from tests.system.sdks.variants import BROWSER_SDKS, DROPS_LARGE_EVENTS, VARIANTS, Variant
from tests.system.test_journey import stored
from tools.dev import system

pytestmark = pytest.mark.integration

EVENTS: Final = 30
LARGEST_BYTES: Final = 30_000
#: Over the default `event_bytes`, 65,536.
OVER_LIMIT_BYTES: Final = 100_000
#: An SDK for browsers and one for servers. The others run with large events in `make nightly`.
REPRESENTATIVE: Final = ("@rudderstack/analytics-js", "segment-analytics-python")


def check_browser(sdk: str, sdks: dict[str, senders.Sender]) -> None:
    """Skip the test of a browser SDK without Chromium."""
    if sdk in BROWSER_SDKS and not sdks.keys() & senders.BROWSERS.keys():
        pytest.skip(f"{sdk} needs Chromium, which isn't installed.")


@pytest.mark.parametrize("variant", VARIANTS, ids=[variant.name for variant in VARIANTS])
def test_sdk_events_are_stored_exactly_once(
    variant: Variant, sdks: dict[str, senders.Sender], meridian: system.System
) -> None:
    """The compatibility table in docs/sdks.md states the requests of each variant."""
    check_browser(variant.sdk, sdks)
    visitor = str(uuid.uuid4())
    with recording(meridian.url) as recorder:
        variant.send(senders.Task(recorder.url, meridian.deployed.write_key, visitor, EVENTS))
    assert {it.status for it in recorder.exchanges} == {200}
    assert not any(it.rejected for it in recorder.exchanges)
    assert recorder.resent == []
    requests = {", ".join(filter(None, (it.path, it.encoding))) for it in recorder.exchanges}
    assert requests == {variant.requests}
    rows = stored(meridian, f"anonymous_id = '{visitor}'", EVENTS)
    assert [row["verdict"] for row in rows] == ["good"] * EVENTS
    assert {row["event"] for row in rows} == {f"Step {number}" for number in range(EVENTS)}
    assert {row["message_id"] for row in rows} == recorder.accepted().keys()


@pytest.mark.parametrize("name", mark_others(senders.ALL, REPRESENTATIVE))
def test_sdk_sends_its_largest_events_and_batches(
    name: str, sdks: dict[str, senders.Sender], meridian: system.System
) -> None:
    """Segment documents 32 KB for an event and 500 KB for a batch; 30 events are 900 KB."""
    check_browser(name, sdks)
    visitor, key = str(uuid.uuid4()), meridian.deployed.write_key
    with recording(meridian.url) as recorder:
        senders.ALL[name](
            senders.Task(recorder.url, key, visitor, EVENTS, text_bytes=LARGEST_BYTES)
        )
    assert {it.status for it in recorder.exchanges} == {200}
    assert recorder.resent == []
    assert len(recorder.accepted()) == EVENTS
    rows = stored(meridian, f"anonymous_id = '{visitor}'", EVENTS)
    assert [row["verdict"] for row in rows] == ["good"] * EVENTS


@pytest.mark.parametrize("name", mark_others(senders.ALL, REPRESENTATIVE))
def test_event_over_the_limit_is_rejected_once_or_not_sent(
    name: str, sdks: dict[str, senders.Sender], meridian: system.System
) -> None:
    check_browser(name, sdks)
    visitor, key = str(uuid.uuid4()), meridian.deployed.write_key
    with recording(meridian.url) as recorder:
        senders.ALL[name](senders.Task(recorder.url, key, visitor, 5, text_bytes=OVER_LIMIT_BYTES))
    rejected = [index for it in recorder.exchanges for index in it.rejected]
    is_sent = name.partition(",")[0] not in DROPS_LARGE_EVENTS
    assert {it.status for it in recorder.exchanges} == ({200} if is_sent else set())
    assert len(rejected) == (5 if is_sent else 0)
    assert recorder.accepted() == {}
    assert recorder.resent == []


@pytest.mark.parametrize("platform", [ANDROID, IOS])
def test_mobile_sdk_gets_its_settings_or_stops(platform: Platform, meridian: system.System) -> None:
    """It asks for the settings without a slash, and for ever unless the answer is final."""
    with recording(meridian.url) as recorder:
        with pytest.raises(NotStartedError) as refused:
            mobile(platform)(senders.Task(recorder.url, "wk_unknown", str(uuid.uuid4()), 1))
        assert refused.value.is_final
        assert recorder.exchanges == []
        visitor = str(uuid.uuid4())
        mobile(platform)(senders.Task(recorder.url, meridian.deployed.write_key, visitor, 45))
    assert [len(it.message_ids) for it in recorder.exchanges] == [30, 15]
    rows = stored(meridian, f"anonymous_id = '{visitor}'", 45)
    assert {(row["verdict"], row["device"], row["bot"]) for row in rows} == {
        ("good", "mobile", False)
    }


@pytest.mark.parametrize("name", senders.SENDERS)
def test_sdk_with_unknown_write_key_does_not_retry(
    name: str, sdks: dict[str, senders.Sender], meridian: system.System
) -> None:
    with recording(meridian.url) as recorder:
        sdks[name](senders.Task(recorder.url, "wk_unknown", str(uuid.uuid4()), 3))
    assert {it.status for it in recorder.exchanges} == {401}
    assert recorder.resent == []
