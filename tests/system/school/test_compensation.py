"""Compensation of failed account creations, and the parked queue for failed compensations."""

import json
from typing import Any

import pytest

from tests.system.school.school_client import MACHINES, SchoolClient, unique_email
from tests.system.school.workflows import (
    assert_created_once,
    modified_machine,
    run_to_end,
    stored_request,
)

pytestmark = pytest.mark.integration

INTERNAL_FAILURE = {"status": "failed", "codes": ["internal"]}


def assert_compensated(school: SchoolClient, request: dict[str, str], email: str) -> None:
    rows = [it for it in school.items() if it["pk"]["S"] == f"ACCOUNT#{request['accountId']}"]
    assert [(row["sk"]["S"], row["status"]["S"]) for row in rows] == [("ACCOUNT", "withdrawn")]
    owned = [
        it for it in school.items() if it.get("account_id", {}).get("S") == request["accountId"]
    ]
    assert owned == []
    assert school.users_with(email) == []
    assert school.emails(email) == []


def test_address_of_existing_cognito_user_is_rejected(school: SchoolClient) -> None:
    email = unique_email()
    school.cognito.admin_create_user(
        UserPoolId=school.user_pool_id,
        Username=email,
        MessageAction="SUPPRESS",
        UserAttributes=[{"Name": "email", "Value": email}],
    )
    request = school.request_account(email)
    assert school.wait_for_outcome(request) == {"status": "rejected", "codes": ["taken"]}
    account = school.account_of(request)
    rows = [row["sk"]["S"] for row in school.items() if row["pk"]["S"] == f"ACCOUNT#{account}"]
    assert rows == ["ACCOUNT"]
    assert len(school.users_with(email)) == 1
    assert school.emails(email) == []


def broken(*names: str) -> Any:
    """Return a change that makes tasks fail permanently: a missing function or table."""

    def change(definition: Any) -> None:
        for name in names:
            arguments = definition["States"][name]["Arguments"]
            if "FunctionName" in arguments:
                arguments["FunctionName"] += "-missing"
            else:
                (part,) = arguments["TransactItems"][0].values()
                part["TableName"] += "-missing"

    return change


@pytest.mark.parametrize("name", ["CreateIdentity", "Activate"])
def test_failed_creation_is_compensated(school: SchoolClient, name: str) -> None:
    email = unique_email()
    request = stored_request(school, email)
    with modified_machine(school, broken(name)) as arn:
        assert run_to_end(school, arn, request)["status"] == "FAILED"
    assert school.wait_for_outcome(request["requestId"]) == {
        "status": "failed",
        "codes": ["internal"],
    }
    assert_compensated(school, request, email)
    # A restart finds nothing to do and keeps the outcome.
    assert run_to_end(school, f"{MACHINES}-account:live", request)["status"] == "SUCCEEDED"
    assert school.wait_for_outcome(request["requestId"]) == {
        "status": "failed",
        "codes": ["internal"],
    }
    # The address is available again.
    assert school.wait_for_outcome(school.request_account(email))["status"] == "created"


@pytest.mark.parametrize(
    ("names", "undone"),
    [(("Activate", "DeleteIdentity"), "nothing"), (("Activate", "DeleteAccount"), "identity")],
)
def test_failed_compensation_is_parked_and_finished_by_restart(
    school: SchoolClient, names: tuple[str, ...], undone: str
) -> None:
    email = unique_email()
    request = stored_request(school, email)
    with modified_machine(school, broken(*names)) as arn:
        assert run_to_end(school, arn, request)["status"] == "FAILED"
    assert school.wait_for_outcome(request["requestId"])["status"] == "failed"
    (parked,) = [json.loads(it) for it in school.drain("parked")]
    # The request came without an ID of CloudFront, so the account's ID correlates its log lines.
    assert parked == {
        **request,
        "correlationId": request["accountId"],
        "error": parked["error"],
        "undone": undone,
        "trusted": False,
    }
    assert email not in json.dumps(parked)
    # The operator fixes the cause and starts the workflow again under another name.
    run_to_end(school, f"{MACHINES}-account:live", request)
    assert school.wait_for_outcome(request["requestId"])["status"] == "failed"
    assert_compensated(school, request, email)


def test_active_account_is_not_compensated(school: SchoolClient) -> None:
    """Activate was committed, but its response was lost."""
    email = unique_email()
    request = stored_request(school, email)

    def lose_response(definition: Any) -> None:
        activate = definition["States"]["Activate"]
        del activate["End"]
        activate.update(Next="Withdraw", Output="{% $states.input %}")

    with modified_machine(school, lose_response) as arn:
        assert run_to_end(school, arn, request)["status"] == "SUCCEEDED"
    assert_created_once(school, request, email)
