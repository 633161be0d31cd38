"""Each sample event gets the expected response from the built package."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.package.conftest import events, package
from tests.unit.edge_auth import issuer
from tests.unit.edge_auth.viewer_events import viewer_request
from tests.unit.edge_settings.fake_aws import JWKS

pytestmark = [pytest.mark.package, pytest.mark.usefixtures("sam_build")]

AUTH_SETTINGS: dict[str, object] = {
    "schema": 1,
    "issuer": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Example",
    "client_id": "exampleclient",
    "token_use": "access",
    "jwks_uri": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Example/.well-known/jwks.json",
    "jwks": JWKS,
    "hosted_ui": "https://school.auth.us-east-1.amazoncognito.com",
    "rules": [
        {"path": "/premium/*", "groups": {"any": ["paying"]}},
        {"path": "/app/*", "signed_in": True},
        {"path": "/api/*", "forwards_token": True},
        {"path": "/courses/*", "public": True},
    ],
    "upgrade_path": "/upgrade.html",
}
INGEST_SETTINGS: dict[str, object] = {
    "schema": 1,
    "stream": "meridian-dev-events",
    "regions": ["us-east-1", "eu-west-2"],
    "sources": [{"id": "portal", "write_key": "a-write-key"}],
}
#: A closed port: the collector must return 503 and not acknowledge events that it can't store.
NO_KINESIS = {
    "AWS_ENDPOINT_URL_KINESIS": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    # Lambda sets both ("Defined runtime environment variables"); boto3 reads the second one.
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def invoke_with_samples(
    component: str, function: str, settings: dict[str, object], scratch: Path
) -> dict[str, dict[str, Any]]:
    cases = events(component)
    built_package = package(function, f"{component}.handler.lambda_handler")
    results = built_package.invoke(list(cases.values()), settings, NO_KINESIS, scratch)
    return dict(zip(cases, (one["response"] for one in results), strict=True))


def test_edge_auth_denies_samples_without_valid_token(tmp_path: Path) -> None:
    responses = invoke_with_samples("edge_auth", "EdgeAuthFunction", AUTH_SETTINGS, tmp_path)
    statuses = {case: response.get("status", "passed") for case, response in responses.items()}
    assert statuses.pop("public-page") == "passed"
    assert statuses.pop("api-from-our-page") == "passed"
    # The path has several meanings.
    assert statuses.pop("premium-hidden-path") == "403"
    # Its event comes after the origin's response.
    assert statuses.pop("page-missing") == "404"
    assert "find this page" in responses["page-missing"]["body"]
    # A navigation is redirected to the sign-in; a fetch gets 401.
    assert set(statuses.values()) <= {"303", "401"}, statuses
    assert statuses["premium-anonymous-fetch"] == "401"
    assert statuses["premium-broken-bearer"] == "401"


def test_edge_auth_without_deny_list_denies_valid_token(tmp_path: Path) -> None:
    """A new process reads the list before it opens a protected page."""
    token = issuer.token(issuer.access_claims(time.time()))
    event = viewer_request("/premium/", headers={"Authorization": f"Bearer {token}"})
    unreachable = {"jwks": issuer.jwks(), "origin": "http://127.0.0.1:9"}
    built_package = package("EdgeAuthFunction", "edge_auth.handler.lambda_handler")
    statuses = []
    for name, changes in {"without": {}, "with": {"revocations": unreachable}}.items():
        (tmp_path / name).mkdir()
        document = issuer.settings(jwks_time=int(time.time()), **changes)
        (result,) = built_package.invoke([event], document, NO_KINESIS, tmp_path / name)
        statuses.append(result["response"].get("status", "passed"))
    assert statuses == ["passed", "503"]


def test_collector_returns_503_if_kinesis_is_unreachable(tmp_path: Path) -> None:
    responses = invoke_with_samples("edge_ingest", "EdgeIngestFunction", INGEST_SETTINGS, tmp_path)
    statuses = {case: response["status"] for case, response in responses.items()}
    assert statuses["unknown-key"] == "401"
    assert statuses["project-settings"] == "200"
    assert statuses["preflight"] in {"200", "204"}
    for case in ("batch", "track"):
        assert statuses[case] == "503"
        headers = responses[case]["headers"]
        assert headers["retry-after"][0]["value"].isdigit()
        assert {"code", "message"} <= json.loads(responses[case]["body"]).keys()


#: First word of an event's name -> function and handler.
STEPFUNCTIONS = {
    "validate": ("ValidateFunction", "stepfunctions.validate.lambda_handler"),
    "identity": ("IdentityFunction", "stepfunctions.identity.lambda_handler"),
    "import": ("ImportFunction", "stepfunctions.importer.lambda_handler"),
    "erasure": ("ErasureFunction", "stepfunctions.erasure.lambda_handler"),
    "relay": ("RelayFunction", "stepfunctions.relay.lambda_handler"),
    "notify": ("NotifyFunction", "stepfunctions.notify.lambda_handler"),
}
NO_AWS = {
    **NO_KINESIS,
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_MAX_ATTEMPTS": "1",
    **dict.fromkeys(
        (
            *("ACCOUNTS_TABLE", "SENT_TABLE", "USER_POOL_ID", "EVENT_BUS_NAME", "SENDER"),
            *("APPOINTMENTS_TABLE", "PROFILES_TABLE", "NOTIFICATIONS_ARN", "SCHEDULE_PREFIX"),
            *("SCHEDULE_ROLE_ARN", "SCHEDULE_DEAD_LETTERS_ARN", "CONFIGURATION_SET"),
            *("ADDRESS_MACHINE", "ERASE_MACHINE", "OFFICE_TABLE", "ROSTERS_BUCKET"),
            *("FUNCTION_PREFIX", "ERASURE_REGIONS", "EXPORT_MACHINE"),
        ),
        "named",
    ),
    "ERASURE_WAIT_SECONDS": "330",
    **dict.fromkeys(("PORTAL_URL", "DEAD_LETTER_QUEUE_URL"), "https://school.example/"),
}


@pytest.mark.parametrize("case", sorted(events("stepfunctions")))
def test_workflow_function_fails_transiently_if_aws_is_unreachable(case: str) -> None:
    event = events("stepfunctions")[case]
    (result,) = package(*STEPFUNCTIONS[case.partition("-")[0]]).invoke([event], environment=NO_AWS)
    if case.startswith("notify"):
        failed = [{"itemIdentifier": record["messageId"]} for record in event["Records"]]
        assert result == {"response": {"batchItemFailures": failed}}
    else:
        assert result == {"error": "TransientError"}


NO_TABLE = {
    **NO_KINESIS,
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_MAX_ATTEMPTS": "1",
    "APPOINTMENTS_TABLE": "named",
    "ACCOUNTS_TABLE": "named",
    "USER_POOL_ID": "us-east-1_Example",
    "HOME_REGION": "us-east-1",
    "BOOKINGS_FUNCTION": "named",
}


@pytest.mark.parametrize("case", sorted(events("bookings")))
def test_bookings_answer_503_if_dynamodb_is_unreachable(case: str) -> None:
    """The package's own time zone database parses the availability of the sample."""
    built_package = package("BookingsFunction", "bookings.handler.lambda_handler")
    environment = NO_TABLE | {"PYTHONTZPATH": f"{built_package.path}/tzdata/zoneinfo"}
    (result,) = built_package.invoke([events("bookings")[case]], environment=environment)
    assert result["response"]["status"] == 503
    assert result["response"]["body"]["code"] == "unavailable"


NO_HOME = {
    **NO_KINESIS,
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_REGION": "eu-west-2",
    "HOME_REGION": "us-east-1",
    "ADMIT_MACHINE": "arn:aws:states:us-east-1:123456789012:stateMachine:named",
    "QUEUE_URL": "http://127.0.0.1:9/123456789012/named",
}


def test_sign_ups_are_refused_if_the_home_and_the_queue_are_unreachable() -> None:
    built_package = package("SignUpsFunction", "sign_ups.handler.lambda_handler")
    request, waiting = (events("sign_ups")[it] for it in ("request", "waiting"))
    asked, delivered = built_package.invoke([request, waiting], environment=NO_HOME)
    assert asked["response"] == {"status": "FAILED"}
    (record,) = waiting["Records"]
    failed = [{"itemIdentifier": record["messageId"]}]
    assert delivered["response"] == {"batchItemFailures": failed}


NO_OFFICE = {
    **NO_TABLE,
    "OFFICE_TABLE": "named",
    "ACCOUNTS_TABLE": "named",
    "REVOCATIONS_FUNCTION": "named",
    "IDENTITY_FUNCTION": "named",
    "PARKED_QUEUE_URL": "http://127.0.0.1:9/123456789012/parked",
    "FEEDBACK_QUEUE_URL": "http://127.0.0.1:9/123456789012/feedback",
    "FEEDBACK_REGIONS": "us-east-1",
    "ROSTERS_BUCKET": "named",
    "ACCOUNT_MACHINE": "arn:aws:states:us-east-1:123456789012:stateMachine:named:live",
}


@pytest.mark.parametrize("case", sorted(events("office")))
def test_office_answers_503_if_aws_is_unreachable(case: str) -> None:
    built_package = package("OfficeFunction", "office.handler.lambda_handler")
    (result,) = built_package.invoke([events("office")[case]], environment=NO_OFFICE)
    assert result["response"]["status"] == 503
    assert result["response"]["body"]["code"] == "unavailable"


@pytest.mark.parametrize("case", sorted(events("entitlements")))
def test_tokens_are_issued_without_courses_if_dynamodb_is_unreachable(case: str) -> None:
    built_package = package("EntitlementsFunction", "entitlements.handler.lambda_handler")
    event = events("entitlements")[case]
    (result,) = built_package.invoke([event], environment=NO_OFFICE)
    assert result["response"] == event


NO_DATABASE = {
    **NO_KINESIS,
    "AWS_REGION": "us-east-1",
    "HOME_REGION": "us-east-1",
    "CATALOGUE_READER": "127.0.0.1:9",
    "CATALOGUE_WRITER": "127.0.0.1:9",
    "CATALOGUE_CACHE": "127.0.0.1:9",
    "CATALOGUE_CACHE_MODE": "plain",
    "CATALOGUE_AUTH": "iam",
    "CATALOGUE_DATABASE": "catalogue",
    "CATALOGUE_USER": "catalogue_app",
    "STAFF_ISSUER": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Example",
    "STAFF_CLIENTS": "client",
    "STAFF_KEYS": '{"keys":[]}',
}


def test_catalogue_answers_503_if_its_database_and_cache_are_unreachable() -> None:
    built_package = package("CatalogueFunction", "catalogue.handler.handler")
    search, change = (events("catalogue")[it] for it in ("search", "change"))
    searched, changed = built_package.invoke([search, change], environment=NO_DATABASE)
    assert searched["response"]["statusCode"] == 503
    assert json.loads(searched["response"]["body"])["code"] == "catalogue_unavailable"
    # The sample's token isn't signed by a key of the pool.
    assert changed["response"]["statusCode"] == 401


@pytest.mark.parametrize(
    "component",
    [
        *(
            "catalogue",
            "edge_auth",
            "edge_ingest",
            "edge_logs",
            "edge_settings",
            "reserved_concurrency",
        ),
        *("bookings", "collector_sources", "office", "revocations", "stepfunctions"),
        "entitlements",
        "sign_ups",
        "stream_processor",
    ],
)
def test_component_has_sample_events(component: str) -> None:
    assert events(component)
