"""System test of `make why`: the states of the events that one visitor sent."""

from pathlib import Path

import pytest

from tests.system.test_journey import event, post, stored
from tools.dev import system
from tools.operations import commands, why

pytestmark = pytest.mark.integration


def test_events_of_a_visitor_are_explained(meridian: system.System, tmp_path: Path) -> None:
    good = event("page", "asked-about", properties={"path": "/asked"})
    bad = {**event("page", "asked-about"), "type": "no-such-type"}
    for body in (good, good):
        assert post(meridian, "/v1/page", body).status_code == 200
    assert post(meridian, "/v1/batch", {"batch": [bad]}).status_code == 200
    stored(meridian, f"message_id = '{good['messageId']}'", 2, tmp_path)
    stored(meridian, "reason_code = 'type_unknown'", 1, tmp_path)

    stacks = [commands.local_stack(meridian.target)]
    copies = why.find(stacks, str(good["messageId"]), [])
    assert [(copy.location, copy.row["verdict"]) for copy in copies] == [
        ("lake", "good"),
        ("lake", "duplicate"),
    ]
    explained = "\n".join(why.explain(copies))
    assert explained.startswith("1 good, 1 duplicate")
    assert f"The first copy is in {copies[0].key} (us-east-1)." in explained

    visitor = why.find(stacks, str(good["anonymousId"]), ["--hours=2"])
    assert {copy.row["verdict"] for copy in visitor} >= {"good", "bad", "duplicate"}
    assert why.find(stacks, "no-event-has-this-id", []) == []
