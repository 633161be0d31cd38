"""`make deploy` gives Cognito the identity of the sender that Amazon SES has verified."""

from dataclasses import replace
from typing import Any

import pytest

from tools.deployment.deploy import sender_identity
from tools.deployment.environments import Environment, read_environment
from tools.deployment.preflight import checks
from tools.deployment.preflight.account import Account

HOME: Environment = read_environment("default")
SENDER = "school@mail.example"


class Ses:
    """Amazon SES with verified identities."""

    class exceptions:  # noqa: N801 - as of a boto3 client
        NotFoundException = KeyError

    def __init__(self, *verified: str) -> None:
        self._verified = {it: {"VerifiedForSendingStatus": True} for it in verified}

    def __call__(self, _service: str, _region: str) -> "Ses":
        return self

    def get_account(self) -> dict[str, Any]:
        return {"ProductionAccessEnabled": True}

    def get_email_identity(self, EmailIdentity: str) -> dict[str, Any]:  # noqa: N803 - as of boto3
        assert EmailIdentity, "boto3 refuses an empty identity"
        return self._verified[EmailIdentity]


@pytest.mark.parametrize(
    ("verified", "expected"),
    [
        ([SENDER], {"SenderIdentity": SENDER}),
        (["mail.example"], {"SenderIdentity": "mail.example"}),
        ([SENDER, "mail.example"], {"SenderIdentity": SENDER}),
        ([], {}),
    ],
)
def test_pool_sends_with_the_verified_identity(
    verified: list[str], expected: dict[str, str]
) -> None:
    environment = replace(HOME, overrides={**HOME.overrides, "Sender": SENDER})
    account = Account(HOME.region, Ses(*verified))
    assert sender_identity(environment, account) == expected


def test_stage_without_a_sender_has_no_identity() -> None:
    assert sender_identity(HOME, Account(HOME.region, Ses(SENDER))) == {}


def test_preflight_of_a_stage_without_a_sender_warns_that_students_get_no_emails() -> None:
    sender = Account(HOME.region, Ses()).sender("")
    (finding,) = checks.check_sender("", sender, HOME.region)
    assert finding.observation.startswith("the parameter Sender is empty")
