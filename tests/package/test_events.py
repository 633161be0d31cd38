"""Every event of events/ is given to the package that was shipped, in a bare interpreter."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.package.conftest import events, package
from tests.unit.edge_settings.fakes import KEYS

pytestmark = pytest.mark.package

AUTH_SETTINGS: dict[str, object] = {
    "schema": 1,
    "issuer": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Example",
    "client_id": "exampleclient",
    "token_use": "access",
    "jwks_uri": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Example/.well-known/jwks.json",
    "jwks": KEYS,
    "hosted_ui": "https://school.auth.us-east-1.amazoncognito.com",
    "rules": [
        {"path": "/premium/*", "groups": {"any": ["paying"]}},
        {"path": "/app/*", "signed_in": True},
        {"path": "/api/*", "forwards_token": True},
        {"path": "/*", "public": True},
    ],
    "upgrade_path": "/upgrade.html",
}
INGEST_SETTINGS: dict[str, object] = {
    "schema": 1,
    "stream": "meridian-dev-events",
    "regions": ["us-east-1", "eu-west-2"],
    "sources": [{"id": "portal", "write_key": "a-write-key"}],
}
#: A port that answers nobody: the collector must say 503, and lose nothing by claiming success.
NO_KINESIS = {
    "AWS_ENDPOINT_URL_KINESIS": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
}


def answers(
    room: str, function: str, settings: dict[str, object], scratch: Path
) -> dict[str, dict[str, Any]]:
    cases = events(room)
    it = package(function, f"{room}.handler.lambda_handler")
    given = it.replay(list(cases.values()), settings, NO_KINESIS, scratch)
    return dict(zip(cases, (one["answer"] for one in given), strict=True))


def test_the_gate(tmp_path: Path) -> None:
    found = answers("edge_auth", "EdgeAuthFunction", AUTH_SETTINGS, tmp_path)
    statuses = {case: answer.get("status", "passed") for case, answer in found.items()}
    assert statuses.pop("public-page") == "passed"
    assert statuses.pop("api-from-our-page") == "passed"
    # A person is sent to sign in, a program is told 401; nobody without a token passes.
    assert set(statuses.values()) <= {"303", "401"}, statuses
    assert statuses["premium-anonymous-fetch"] == "401"
    assert statuses["premium-broken-bearer"] == "401"


def test_the_collector(tmp_path: Path) -> None:
    found = answers("edge_ingest", "EdgeIngestFunction", INGEST_SETTINGS, tmp_path)
    statuses = {case: answer["status"] for case, answer in found.items()}
    assert statuses["unknown-key"] == "401"
    assert statuses["project-settings"] == "200"
    assert statuses["preflight"] in {"200", "204"}
    # Kinesis does not answer: what was not stored is not said to be.
    for case in ("batch", "track"):
        assert statuses[case] == "503"
        headers = found[case]["headers"]
        assert headers["retry-after"][0]["value"].isdigit()
        assert {"code", "message"} <= json.loads(found[case]["body"]).keys()


#: Of which function an event of the school is, by the first word of its name.
SCHOOL = {
    "validate": ("ValidateFunction", "stepfunctions.validate.lambda_handler"),
    "identity": ("IdentityFunction", "stepfunctions.identity.lambda_handler"),
    "import": ("ImportFunction", "stepfunctions.importer.lambda_handler"),
    "relay": ("RelayFunction", "stepfunctions.relay.lambda_handler"),
    "notify": ("NotifyFunction", "stepfunctions.notify.lambda_handler"),
}
NO_AWS = {
    **NO_KINESIS,
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_MAX_ATTEMPTS": "1",
    **dict.fromkeys(("ACCOUNTS_TABLE", "SENT_TABLE", "USER_POOL_ID", "BUS", "SENDER"), "named"),
    **dict.fromkeys(("PORTAL_URL", "DEAD_LETTERS"), "https://school.example/"),
}


@pytest.mark.parametrize("case", sorted(events("stepfunctions")))
def test_the_school_says_that_nobody_answers(case: str) -> None:
    """No AWS answers here: the workflow's functions ask for another try, the notifier too."""
    event = events("stepfunctions")[case]
    (given,) = package(*SCHOOL[case.partition("-")[0]]).replay([event], environment=NO_AWS)
    if case.startswith("notify"):
        failed = [{"itemIdentifier": record["messageId"]} for record in event["Records"]]
        assert given == {"answer": {"batchItemFailures": failed}}
    else:
        assert given == {"error": "TransientError"}


def test_every_room_with_a_function_has_events() -> None:
    for room in ("edge_auth", "edge_ingest", "edge_settings", "stepfunctions", "stream_processor"):
        assert events(room), room
