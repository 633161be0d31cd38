"""System tests of the domain names: a plain resolver, the nearest Region, loss, and evacuation.

Health checks and TTLs pass 20 times faster than on AWS: 1.5 seconds for three checks, and a TTL
of three seconds.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from dnslib import DNSRecord

from aws_emulator.errors import CommandError
from aws_emulator.route53.locations import network_of, service_address
from aws_emulator.route53.messages import query
from tests.support.waiting import wait_until
from tests.system.conftest import LONDON, MUMBAI
from tests.system.test_edge_outage import outage
from tests.system.test_regions import api_key
from tools.deployment.region_values import ENDPOINT
from tools.dev import system
from tools.operations import evacuate
from tools.stack import StackTarget, client, outputs_of, parameters_of

pytestmark = pytest.mark.integration

#: 20 times the limit of a change on AWS is half an hour of a busy machine.
CHANGE_S: Final = 120.0


def ask(
    running: system.System, name: str, location: str = LONDON, kind: str = "A"
) -> list[tuple[str, int]]:
    """Return the values and TTLs of an answer, as a resolver near a location gets them."""
    request = query(name, kind, network_of(location))
    reply = DNSRecord.parse(request.send("127.0.0.1", running.dns_port, timeout=30))
    return [(str(it.rdata), it.ttl) for it in reply.rr]


def api_address(running: system.System, location: str) -> str:
    ((address, _),) = ask(running, f"global-api.{running.domain}", location)
    return address


def answers(running: system.System, location: str, region: str) -> Callable[[], bool]:
    """Return a probe: clients near a location get the address of a Region."""
    return lambda: api_address(running, location) == service_address(region)


def checks(running: system.System) -> list[dict[str, Any]]:
    status = running.directory / "route53" / "status.json"
    listed: list[dict[str, Any]] = json.loads(status.read_text())["checks"]
    return listed


def call_resolved(
    running: system.System, location: str, method: str, key: str, body: Any = None
) -> httpx.Response:
    """Send CloudFront's request for a profile to the address that clients near a location get."""
    port = running.api_url.rpartition(":")[2]
    headers = {
        "Host": f"global-api.{running.domain}",
        "x-api-key": key,
        "Authorization": f"Bearer {running.students[0].token}",
    }
    address = api_address(running, location)
    url = f"http://{address}:{port}/api/profile"
    return httpx.request(method, url, json=body, headers=headers, timeout=30)


def feedback_arrives_in(running: system.System, location: str) -> str:
    """Send feedback through an edge location, and return the Region that received it."""
    text = f"feedback {uuid.uuid4()}"
    sent = httpx.post(
        f"{running.urls[location]}/api/feedback",
        json={"message": text},
        headers={"Authorization": f"Bearer {running.students[0].token}"},
        timeout=30,
    )
    assert sent.status_code == 202, sent.text
    for region in (LONDON, MUMBAI):
        sqs = client("sqs", StackTarget(running.target.endpoint, region))
        url = sqs.get_queue_url(QueueName=f"meridian-{running.target.stage}-feedback")["QueueUrl"]
        received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        for message in received.get("Messages", []):
            if text in message["Body"]:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                return region
    raise AssertionError(f"no Region received {text}")


def api_checks(running: system.System) -> list[dict[str, Any]]:
    """Return the checks of the API; the catalogue's load balancers have checks of their own."""
    return [it for it in checks(running) if ".api." in it["asks"]]


@contextmanager
def evacuated(running: system.System, region: str) -> Iterator[None]:
    """Evacuate a Region as `make evacuate` does."""
    stage = evacuate.local_stage(running.directory)
    assert region in evacuate.change(stage, region, undo=False)
    try:
        yield
    finally:
        evacuate.change(stage, region, undo=True)


def test_resolver_gets_the_names_of_the_domain(regions: system.System) -> None:
    domain = regions.domain
    assert ask(regions, domain) == [("127.0.0.1", 3)]
    assert ask(regions, domain, kind="AAAA") == [("::1", 3)]
    for region in (LONDON, MUMBAI):
        address = [(service_address(region), 3)]
        assert ask(regions, f"{region}.api.{domain}") == address
        assert ask(regions, f"global-api.{domain}", region) == address
    assert ask(regions, f"us-east-1.api.{domain}") == []


def test_sign_in_pages_have_a_name_of_the_domain(regions: system.System) -> None:
    """The edge passed its certificate to the home, and the home the name to the edge."""
    name = f"auth.{regions.domain}"
    assert ask(regions, name) == [("127.0.0.1", 3)]
    endpoint = regions.target.endpoint
    cognito = client("cognito-idp", StackTarget(endpoint, LONDON))
    description = cognito.describe_user_pool_domain(Domain=name)["DomainDescription"]
    assert description["UserPoolId"] == regions.deployed.outputs["UserPoolId"]
    assert ":acm:us-east-1:" in description["CustomDomainConfig"]["CertificateArn"]
    edge = regions.layout.edge
    cloudformation = client("cloudformation", StackTarget(endpoint, edge.region))
    (stack,) = cloudformation.describe_stacks(StackName=edge.stack_name)["Stacks"]
    assert parameters_of(stack)["SignInHost"] == name


def test_api_request_goes_to_the_region_nearest_to_the_edge_location(
    regions: system.System,
) -> None:
    assert feedback_arrives_in(regions, LONDON) == LONDON
    assert feedback_arrives_in(regions, MUMBAI) == MUMBAI


def test_health_check_asks_only_the_name_of_its_own_region(regions: system.System) -> None:
    asked = {it["asks"] for it in api_checks(regions) if not it["inverted"]}
    names = [f"{it}.api.{regions.domain}/health" for it in (LONDON, MUMBAI)]
    assert asked == {*names, *(f"{it}/queue" for it in names)}


@pytest.mark.parametrize(("lost", "remaining"), [(MUMBAI, LONDON), (LONDON, MUMBAI)])
def test_lost_region_leaves_the_answers_and_returns(
    regions: system.System, lost: str, remaining: str
) -> None:
    assert answers(regions, lost, lost)()
    # All Regions have the home's key. The first requests also load the signing keys of the pool.
    key = api_key(regions.target.endpoint, remaining)
    assert key == api_key(regions.target.endpoint, lost)
    profile = {"locale": "hi", "timeZone": "Asia/Kolkata"}
    assert call_resolved(regions, lost, "PUT", key, profile).status_code == 200
    assert call_resolved(regions, remaining, "GET", key).status_code == 200
    with outage(regions, lost):
        wait_until(answers(regions, lost, remaining), f"the loss of {lost}", CHANGE_S)
        assert answers(regions, remaining, remaining)()
        # The lost Region's visitors read their profile in the other Region.
        assert call_resolved(regions, lost, "GET", key).json()["locale"] == "hi"
    wait_until(answers(regions, lost, lost), f"the return of {lost}", CHANGE_S)


def test_region_with_an_ill_queue_leaves_the_answers(regions: system.System) -> None:
    """Its table answers, and feedback would be answered 503."""
    faults = f"{regions.target.endpoint}/_local/faults"
    rule = {"service": "sqs", "kind": "refused", "share": "1", "region": MUMBAI}
    try:
        httpx.post(faults, params=rule, timeout=30).raise_for_status()
        wait_until(answers(regions, MUMBAI, LONDON), "the loss of the queue", CHANGE_S)
        assert answers(regions, LONDON, LONDON)()
    finally:
        httpx.delete(faults, timeout=30).raise_for_status()
    wait_until(answers(regions, MUMBAI, MUMBAI), "the return of the queue", CHANGE_S)


def test_edge_has_an_alarm_on_the_health_check_of_each_region(regions: system.System) -> None:
    """Its metric is in us-east-1, whichever Region the check asks. test_alarms.py raises it."""
    cloudwatch = client("cloudwatch", StackTarget(regions.target.endpoint, "us-east-1"))
    pages = cloudwatch.get_paginator("describe_alarms").paginate()
    alarms = {
        it["AlarmDescription"]: it
        for page in pages
        for it in page["MetricAlarms"]
        if it.get("MetricName") == "HealthCheckStatus"
    }
    deployed = {it["id"] for it in checks(regions) if it["type"] == "CALCULATED"}
    assert {it["Dimensions"][0]["Value"] for it in alarms.values()} == deployed
    for region in (LONDON, MUMBAI):
        (alarm,) = (it for text, it in alarms.items() if region in text)
        assert alarm["AlarmActions"]


def test_all_regions_answer_if_all_are_lost(regions: system.System) -> None:
    with ExitStack() as outages:
        for region in (LONDON, MUMBAI):
            outages.enter_context(outage(regions, region))
        wait_until(
            lambda: (
                not any(
                    it["healthy"] for it in api_checks(regions) if it["asks"].endswith("/health")
                )
            ),
            "both checks",
            CHANGE_S,
        )
        for region in (LONDON, MUMBAI):
            assert answers(regions, region, region)()
    wait_until(lambda: all(it["healthy"] for it in checks(regions)), "the return of both", CHANGE_S)


def test_evacuated_region_gets_no_api_requests(regions: system.System) -> None:
    with evacuated(regions, MUMBAI):
        wait_until(
            lambda: feedback_arrives_in(regions, MUMBAI) == LONDON, "the evacuation", CHANGE_S
        )
        with pytest.raises(CommandError, match="last Region"):
            evacuate.change(evacuate.local_stage(regions.directory), LONDON, undo=False)
    wait_until(lambda: feedback_arrives_in(regions, MUMBAI) == MUMBAI, "the return", CHANGE_S)


def test_lost_mark_region_evacuates_no_region(regions: system.System) -> None:
    """London has the mark of Mumbai: without it, Mumbai serves all clients."""
    with outage(regions, LONDON):
        wait_until(answers(regions, LONDON, MUMBAI), "the loss of London", CHANGE_S)
        assert answers(regions, MUMBAI, MUMBAI)()
        with pytest.raises(CommandError, match="doesn't answer"):
            evacuate.main({"REGION": MUMBAI}, regions.directory)
    wait_until(answers(regions, LONDON, LONDON), "the return of London", CHANGE_S)


def test_stranger_cannot_throttle_the_health_checks(regions: system.System) -> None:
    port = regions.api_url.rpartition(":")[2]
    url = f"http://{service_address(MUMBAI)}:{port}/health"
    with httpx.Client(headers={"Host": f"{MUMBAI}.api.{regions.domain}"}, timeout=30) as stranger:
        responses = [stranger.get(url) for _ in range(300)]
    assert {it.status_code for it in responses} == {200}
    assert {it.json()["status"] for it in responses} <= {"serving", "throttled"}
    assert all(it["healthy"] for it in checks(regions))


def test_health_names_no_data(regions: system.System, tmp_path: Path) -> None:
    port = regions.api_url.rpartition(":")[2]
    url = f"http://{service_address(LONDON)}:{port}"
    headers = {"Host": f"{LONDON}.api.{regions.domain}"}
    health = httpx.get(f"{url}/health", headers=headers, timeout=30)
    assert health.json() == {"region": LONDON, "status": "serving"}
    assert health.headers["Cache-Control"] == "no-store"
    for name in (MUMBAI, "%23", "x" * 100):
        status = httpx.get(f"{url}/health/evacuations/{name}", headers=headers, timeout=30)
        assert (status.status_code, status.json()) == (200, {"status": "serving"})
    # The Region's own name doesn't serve the school's API.
    assert httpx.get(f"{url}/api/profile", headers=headers, timeout=30).status_code == 403


def test_execute_api_endpoint_is_disabled(regions: system.System) -> None:
    """The key of CloudFront doesn't help: only the names of the domain lead to an API."""
    for region in (LONDON, MUMBAI):
        target = StackTarget(regions.target.endpoint, region)
        key, gateway = api_key(target.endpoint, region), client("apigateway", target)
        apis = gateway.get_rest_apis()["items"]
        assert len(apis) == 2
        for api in apis:
            (stage,) = gateway.get_stages(restApiId=api["id"])["item"]
            response = httpx.get(
                f"{regions.api_url}/{stage['stageName']}/profile",
                headers={
                    "Host": f"{api['id']}.execute-api.{region}.amazonaws.com",
                    "x-api-key": key,
                },
                timeout=30,
            )
            assert (response.status_code, response.json()) == (403, {"message": "Forbidden"})
        # The student has no profile unless an earlier test stored it.
        assert call_resolved(regions, region, "GET", key).status_code in {200, 404}


@pytest.mark.parametrize("value", ["enabled", "disabled"])
def test_update_of_the_parameter_changes_the_endpoint(regions: system.System, value: str) -> None:
    """Each update of the stack makes a deployment of the API (AlwaysDeploy)."""
    target = StackTarget(regions.target.endpoint, MUMBAI, regions.target.stage)
    cloudformation, gateway = client("cloudformation", target), client("apigateway", target)
    (stack,) = cloudformation.describe_stacks(StackName=target.stack_name)["Stacks"]
    api = outputs_of(stack)["ApiId"]
    before = gateway.get_stage(restApiId=api, stageName="api")["deploymentId"]
    others = (it["ParameterKey"] for it in stack["Parameters"])
    parameters = [{"ParameterKey": it, "UsePreviousValue": True} for it in others if it != ENDPOINT]
    cloudformation.update_stack(
        StackName=target.stack_name,
        UsePreviousTemplate=True,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[*parameters, {"ParameterKey": ENDPOINT, "ParameterValue": value}],
    )
    cloudformation.get_waiter("stack_update_complete").wait(StackName=target.stack_name)
    assert gateway.get_stage(restApiId=api, stageName="api")["deploymentId"] != before

    def is_forbidden() -> bool:
        host = f"{api}.execute-api.{MUMBAI}.amazonaws.com"
        url = f"{regions.api_url}/api/profile"
        response = httpx.get(url, headers={"Host": host}, timeout=30)
        return bool(response.json() == {"message": "Forbidden"})

    wait_until(lambda: is_forbidden() is (value == "disabled"), f"the endpoint {value}", CHANGE_S)
