"""System test of `make why`: the states of the events that one visitor sent."""

import pytest

from tests.system.test_journey import event, post, stored
from tools.dev import system
from tools.operations import commands, why

pytestmark = pytest.mark.integration


def test_events_of_a_visitor_are_explained(meridian: system.System) -> None:
    good = event("page", "asked-about", properties={"path": "/asked"})
    bad = {**event("page", "asked-about"), "type": "no-such-type"}
    for body in (good, good):
        assert post(meridian, "/v1/page", body).status_code == 200
    (refused,) = post(meridian, "/v1/batch", {"batch": [bad]}).json()["rejected"]
    stored(meridian, f"message_id = '{good['messageId']}'", 2)
    stored(meridian, f"verdict = 'bad' AND reason_code = '{refused['code']}'", 1)

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
    verdicts = {copy.row["verdict"]: copy.row["reason_code"] for copy in visitor}
    assert verdicts.keys() == {"good", "duplicate", "bad"}
    assert verdicts["bad"] == refused["code"]
    assert why.find(stacks, "no-event-has-this-id", []) == []
