"""Sign-ups near Mumbai are accepted while London, the home of the accounts, is lost."""

import uuid
from typing import Any

import pytest

from tests.support.waiting import wait_until
from tests.system.conftest import LONDON, MUMBAI
from tests.system.test_failover import emails_about, lost
from tests.system.test_regions import call_api
from tools.dev import system
from tools.stack import StackTarget, client

pytestmark = pytest.mark.integration

PROOF = {"requestId": str(uuid.uuid4()), "token": "a" * 43}


def queue_of(running: system.System) -> tuple[Any, str]:
    """Return a client of Mumbai's SQS, and the URL of the queue of the waiting requests."""
    sqs = client("sqs", StackTarget(running.target.endpoint, MUMBAI))
    name = f"meridian-{running.target.stage}-sign-ups"
    return sqs, sqs.get_queue_url(QueueName=name)["QueueUrl"]


def waiting(running: system.System) -> int:
    """Return the number of requests in the queue, with those that the function has."""
    sqs, url = queue_of(running)
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[it]) for it in names)


def test_sign_up_waits_for_the_lost_home(regions: system.System) -> None:
    sqs, url = queue_of(regions)
    # The next delivery of a message comes after this time; six minutes on AWS.
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "2"})
    request_id = str(uuid.uuid4())
    form = {"requestId": request_id, "email": f"{request_id}@example.com", "name": "Asha Menon"}
    link = f"/accounts/requests/{request_id}"
    with lost(regions, LONDON):
        # The student's browser may send it again.
        for _ in range(2):
            status, accepted = call_api(regions, MUMBAI, "POST", "/accounts", form)
            assert (status, accepted["link"]) == (202, f"/api{link}")
        # What needs the accounts themselves is refused.
        for method, path, body in (("GET", link, None), ("POST", "/accounts/proofs", PROOF)):
            status, refusal = call_api(regions, MUMBAI, method, path, body)
            assert status == 503
            assert refusal["code"] in {"unavailable", "timed_out"}
        assert waiting(regions) > 0
        assert emails_about(regions, form["email"]) == []
    wait_until(lambda: waiting(regions) == 0, "the delivery of the requests")
    for region in (LONDON, MUMBAI):
        status, stored = call_api(regions, region, "GET", link)
        assert (status, stored["status"]) == (200, "unproved")
    wait_until(lambda: emails_about(regions, form["email"]), "the email with the proof")
    assert emails_about(regions, form["email"]) == [form["email"]]
    # A repetition finds the request.
    assert call_api(regions, MUMBAI, "POST", "/accounts", form)[0] == 202
    assert waiting(regions) == 0
