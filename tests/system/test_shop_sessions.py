"""Real shop sessions, sent as track events, arrive in the data lake."""

from collections import Counter
from itertools import batched

import pytest

from tests.system.test_journey import post, stored
from tools.dev import system
from tools.replay.log_source import sha256
from tools.tests.replay.shop_sessions import SHA256, SHARED, track_events

pytestmark = [pytest.mark.integration, pytest.mark.shared]


def test_each_action_of_the_shop_sessions_becomes_one_good_row(meridian: system.System) -> None:
    if sha256(SHARED) != SHA256:
        pytest.skip("the shop sessions aren't in the shared folder beside the repository")
    with SHARED.open("rb") as file:
        events = list(track_events(file))
    for batch in batched(events, 100, strict=False):
        answer = post(meridian, "/v1/batch", {"batch": batch})
        assert answer.status_code == 200
        assert not answer.json().get("rejected")

    rows = stored(meridian, "message_id LIKE 'shop-%'", len(events))

    assert Counter(row["verdict"] for row in rows) == {"good": len(events)}
    assert Counter((row["anonymous_id"], row["event"]) for row in rows) == Counter(
        (event["anonymousId"], event["event"]) for event in events
    )
    assert {row["message_id"] for row in rows} == {event["messageId"] for event in events}
