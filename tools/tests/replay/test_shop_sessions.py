"""The shop sessions, if they are in the shared folder beside the repository."""

from collections import Counter

import pytest

from tools.replay.log_source import sha256
from tools.tests.replay.shop_sessions import SHA256, SHARED, track_events


@pytest.mark.shared
def test_each_action_becomes_a_track_event() -> None:
    if sha256(SHARED) != SHA256:
        pytest.skip(
            "the shop sessions aren't in the shared folder beside the repository (see docs)"
        )
    with SHARED.open("rb") as file:
        events = list(track_events(file))

    # The counts in the data set's notes.
    assert Counter(event["event"] for event in events) == {
        "Product Viewed": 800,
        "Product Added": 52,
        "Order Completed": 10,
    }
    assert len({event["anonymousId"] for event in events}) == 20
    assert len({event["messageId"] for event in events}) == len(events)
    first = events[0]
    assert first["timestamp"] == "2022-07-31T22:00:00.025Z"
    assert first["properties"] == {"product_id": "1517085"}
