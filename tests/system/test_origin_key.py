"""Only CloudFront reaches the API: it sends a key that a parameter of the stack replaces."""

import time
import uuid
from typing import Any

import httpx
import pytest

from tests.support.waiting import wait_until
from tools.dev.system import System
from tools.stack import client

pytestmark = pytest.mark.integration

#: An operation without an authorizer.
PATH = f"/api/accounts/requests/{uuid.uuid4()}"


def api_keys(system: System) -> dict[str, str]:
    """Return the API keys of the Region by ID."""
    keys = client("apigateway", system.target).get_api_keys(includeValues=True)["items"]
    return {it["id"]: it["value"] for it in keys}


def get(url: str, key: str | None = None, token: str | None = None) -> httpx.Response:
    headers = {"x-api-key": key} if key else {}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(url, headers=headers, timeout=30)


@pytest.mark.parametrize("key", [None, "0" * 40])
def test_request_past_cloudfront_is_forbidden(meridian: System, key: str | None) -> None:
    for path in (PATH, "/api/profile"):
        response = get(meridian.api_url + path, key, meridian.students[0].token)
        assert response.status_code == 403
        assert response.json()["code"] == "not_through_cloudfront"


def test_viewer_cannot_replace_the_key_of_cloudfront(meridian: System) -> None:
    """CloudFront overwrites a viewer's header that is also a custom header of the origin."""
    assert get(meridian.url + PATH, "0" * 40).status_code == 404


def test_key_is_generated(meridian: System) -> None:
    (key,) = api_keys(meridian).values()
    assert len(key) == 40
    assert key.isalnum()
    assert get(meridian.api_url + PATH, key).status_code == 404


def test_new_version_of_the_key_replaces_the_old_key(meridian: System) -> None:
    ((old_id, old),) = api_keys(meridian).items()
    update_parameter(meridian, "OriginKeyVersion", str(time.time_ns() % 100_000 + 2))
    ((new_id, new),) = api_keys(meridian).items()
    assert old_id != new_id
    assert old != new
    # The servers read a changed configuration within seconds.
    wait_until(lambda: get(meridian.url + PATH).status_code == 404, "CloudFront's new key")
    url = meridian.api_url + PATH
    wait_until(lambda: get(url, new).status_code == 404, "the API's new key")
    assert get(url, old).status_code == 403
    # The API's server may have answered the first request to CloudFront with the old key.
    wait_until(lambda: get(meridian.url + PATH).status_code == 404, "the new key at CloudFront")


def update_parameter(system: System, name: str, value: str) -> None:
    """Update one parameter of the deployed stack, and wait for the end of the update."""
    cloudformation, stack = client("cloudformation", system.target), system.target.stack_name

    def described() -> dict[str, Any]:
        (description,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        return dict(description)

    names = [it["ParameterKey"] for it in described()["Parameters"]]
    parameters = [{"ParameterKey": it, "UsePreviousValue": True} for it in names if it != name]
    cloudformation.update_stack(
        StackName=stack,
        UsePreviousTemplate=True,
        Parameters=[*parameters, {"ParameterKey": name, "ParameterValue": value}],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    ended = "the update of the stack"
    wait_until(lambda: not described()["StackStatus"].endswith("_IN_PROGRESS"), ended, 120)
    assert described()["StackStatus"] == "UPDATE_COMPLETE"
