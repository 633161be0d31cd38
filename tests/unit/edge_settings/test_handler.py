"""The custom resource handler: each CloudFormation request gets exactly one response."""

import copy
import io
import json
import zipfile
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_settings.handler import lambda_handler
from tests.strategies import json_values
from tests.support.paths import ROOT
from tests.unit.edge_settings.fake_aws import JWKS, JWKS_TIME, FakeAws, install

EVENT = json.loads((ROOT / "events/edge_settings/create-auth-version.json").read_text())


def empty_package() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("edge_auth/handler.py", "")
    return target.getvalue()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    aws = FakeAws(packages={EVENT["ResourceProperties"]["BuiltVersion"]: empty_package()})
    install(monkeypatch, aws)
    return aws


def event_with(**properties: object) -> dict[str, Any]:
    event = copy.deepcopy(EVENT)
    event["ResourceProperties"] |= properties
    return dict(event)


def event_with_settings(**changes: object) -> dict[str, Any]:
    document = json.loads(EVENT["ResourceProperties"]["Settings"]) | changes
    return event_with(Settings=json.dumps(document))


def settings_in(package: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        document = json.loads(archive.read("settings.json"))
    assert isinstance(document, dict)
    return document


def test_create_publishes_package_with_settings_and_signing_keys(fake: FakeAws) -> None:
    lambda_handler(EVENT, None)
    (response,) = fake.responses
    assert response["Status"] == "SUCCESS", response
    assert response["Data"] == {
        "VersionArn": "arn:aws:lambda:us-east-1:123456789012:function:meridian-dev-edge-auth:2"
    }
    (package,) = fake.published
    assert settings_in(package)["jwks"] == JWKS
    assert settings_in(package)["jwks_time"] == JWKS_TIME
    assert settings_in(package)["client_id"] == "exampleclient"


def test_unchanged_update_publishes_no_new_version(fake: FakeAws) -> None:
    lambda_handler(EVENT, None)
    lambda_handler(EVENT | {"RequestType": "Update", "PhysicalResourceId": "x"}, None)
    assert len(fake.published) == 1
    assert fake.responses[0]["Data"] == fake.responses[1]["Data"]
    assert fake.responses[0]["PhysicalResourceId"] == fake.responses[1]["PhysicalResourceId"]


def test_missing_setting_fails_deployment_and_is_named(fake: FakeAws) -> None:
    document = json.loads(EVENT["ResourceProperties"]["Settings"])
    for key in ("issuer", "client_id", "rules", "jwks_uri", "hosted_ui"):
        remaining = {name: value for name, value in document.items() if name != key}
        lambda_handler(event_with(Settings=json.dumps(remaining)), None)
        assert fake.responses[-1]["Status"] == "FAILED"
        assert key in str(fake.responses[-1]["Reason"]), fake.responses[-1]["Reason"]
    assert fake.published == []


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"Component": "edge_nothing"}, "missing_property"),
        ({"BuiltVersion": "arn:aws:lambda:us-east-1:1:function:f:$LATEST"}, "missing_property"),
        ({"BuiltVersion": "arn:aws:lambda:us-east-1:1:function:f:7"}, "package"),
        ({"Settings": "{"}, "invalid_settings"),
        ({"Settings": "[]"}, "invalid_settings"),
    ],
)
def test_invalid_property_fails_with_error_code(
    properties: dict[str, object], code: str, fake: FakeAws
) -> None:
    lambda_handler(event_with(**properties), None)
    (response,) = fake.responses
    assert response["Status"] == "FAILED"
    assert str(response["Reason"]).startswith(f"[{code}]")


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"PagePaths": None}, "[missing_property] PagePaths"),
        ({"ApiPaths": "/api/*"}, "[missing_property] ApiPaths"),
        ({"PagePaths": ["/Premium/*", "/auth/*"]}, "[invalid_settings] The rule /premium/*"),
        ({"PagePaths": ["/premium/*", "/app/*", "/auth/*"]}, "[invalid_settings] No rule covers"),
    ],
)
def test_paths_that_differ_from_rules_fail_deployment(
    properties: dict[str, object], message: str, fake: FakeAws
) -> None:
    lambda_handler(event_with(**properties), None)
    assert str(fake.responses[0]["Reason"]).startswith(message)
    assert fake.published == []


def test_more_settings_add_to_the_template_and_replace_none_of_its_settings(fake: FakeAws) -> None:
    lambda_handler(event_with(MoreSettings='{"other_clients": ["7mobile"]}'), None)
    assert settings_in(fake.published[-1])["other_clients"] == ["7mobile"]
    for more in ('{"rules": []}', '{"other_client": ["7mobile"]}', "[]", "{"):
        lambda_handler(event_with(MoreSettings=more), None)
        assert fake.responses[-1]["Status"] == "FAILED", more
        assert "invalid_settings" in str(fake.responses[-1]["Reason"])
    assert len(fake.published) == 1


def test_unavailable_signing_keys_fail_deployment(fake: FakeAws) -> None:
    fake.jwks_available = False
    lambda_handler(EVENT, None)
    assert str(fake.responses[0]["Reason"]).startswith("[signing_keys]")


def test_delete_succeeds_without_changes(fake: FakeAws) -> None:
    lambda_handler(EVENT | {"RequestType": "Delete", "PhysicalResourceId": "x"}, None)
    assert fake.responses[0]["Status"] == "SUCCESS"
    assert fake.published == []


INGEST_SETTINGS = {
    "schema": 1,
    "stream": "meridian-dev-events",
    "regions": ["us-east-1"],
    "sources": [{"id": "portal", "write_key": "k", "privacy": {"ip": "hash", "hash": ["userId"]}}],
}
SECRET_NAME = "/meridian/dev/collector-secret"


def collector_event(generation: str = "1", **event: str) -> dict[str, Any]:
    return (
        event_with(
            Component="edge_ingest",
            Settings=json.dumps(INGEST_SETTINGS),
            SecretName=SECRET_NAME,
            SecretGeneration=generation,
        )
        | event
    )


def test_collector_with_hash_rules_is_published_with_a_generated_secret(fake: FakeAws) -> None:
    lambda_handler(collector_event(), None)
    assert fake.responses[0]["Status"] == "SUCCESS", fake.responses
    salt = settings_in(fake.published[0])["salt"]
    assert salt == fake.secrets[SECRET_NAME][1]
    lambda_handler(collector_event(RequestType="Update", PhysicalResourceId="x"), None)
    assert len(fake.published) == 1


def test_another_generation_publishes_another_secret(fake: FakeAws) -> None:
    for generation in ("1", "2"):
        lambda_handler(collector_event(generation), None)
    first, second = (settings_in(package)["salt"] for package in fake.published)
    assert first != second


def test_deleted_collector_version_deletes_its_secret(fake: FakeAws) -> None:
    lambda_handler(collector_event(), None)
    lambda_handler(collector_event(RequestType="Delete", PhysicalResourceId="x"), None)
    assert fake.responses[-1]["Status"] == "SUCCESS"
    assert fake.secrets == {}


def test_collector_is_published_with_a_suppression_key_that_stays(fake: FakeAws) -> None:
    name = "/meridian/dev/suppression-key"
    keys = set()
    event = collector_event()
    event["ResourceProperties"]["SuppressionKeyName"] = name
    for generation in ("1", "2"):
        event["ResourceProperties"]["SecretGeneration"] = generation
        lambda_handler(event, None)
        keys.add(settings_in(fake.published[-1])["suppression_key"])
    assert keys == {fake.secrets[name][1]}
    lambda_handler(event | {"RequestType": "Delete", "PhysicalResourceId": "x"}, None)
    assert set(fake.secrets) == {name}


def test_secret_is_in_no_response(fake: FakeAws) -> None:
    lambda_handler(collector_event(), None)
    assert fake.secrets[SECRET_NAME][1] not in json.dumps(fake.responses)


def test_log_contains_no_setting_value(fake: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    lambda_handler(event_with_settings(site_name="canary-of-the-settings"), None)
    assert fake.responses[0]["Status"] == "SUCCESS", fake.responses
    assert "canary" not in capsys.readouterr().out


def app_client_event(**properties: object) -> dict[str, Any]:
    event: dict[str, Any] = EVENT | {
        "ResourceType": "Custom::AppClientSettings",
        "ResourceProperties": {
            "UserPoolId": "us-east-1_Example",
            "ClientId": "exampleclient",
            "CallbackPath": "/auth/callback",
            "LogoutPath": "/",
            "Origins": ["https://d1.cloudfront.net", "", "http://localhost:8080/"],
            "Settings": '{"AccessTokenValidity": 60, "AllowedOAuthFlows": ["code"]}',
        }
        | properties,
    }
    return event


def test_app_client_gets_urls_of_all_origins_and_settings_with_types(fake: FakeAws) -> None:
    lambda_handler(app_client_event(), None)
    assert fake.responses[0]["Status"] == "SUCCESS"
    (client,) = fake.app_clients
    assert client.callback_urls == (
        "https://d1.cloudfront.net/auth/callback",
        "http://localhost:8080/auth/callback",
    )
    assert client.logout_urls == ("https://d1.cloudfront.net/", "http://localhost:8080/")
    assert client.settings == {"AccessTokenValidity": 60, "AllowedOAuthFlows": ["code"]}


def test_settings_of_app_client_can_not_contain_its_urls(fake: FakeAws) -> None:
    lambda_handler(app_client_event(Settings='{"CallbackURLs": ["https://a.example/"]}'), None)
    (response,) = fake.responses
    assert str(response["Reason"]).startswith("[invalid_settings]")
    assert "CallbackURLs" in str(response["Reason"])
    assert fake.app_clients == []


def test_resource_type_of_an_earlier_template_can_be_deleted(fake: FakeAws) -> None:
    event = app_client_event() | {"ResourceType": "Custom::ClientUrls", "RequestType": "Delete"}
    lambda_handler(event | {"PhysicalResourceId": "exampleclient-urls"}, None)
    assert fake.responses[0]["Status"] == "SUCCESS"
    assert fake.app_clients == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["Custom::EdgeVersion", "Custom::AppClientSettings", "Custom::Other"]),
    request_type=st.sampled_from(["Create", "Update", "Delete"]),
    properties=st.dictionaries(
        st.sampled_from(
            [
                "Component",
                "BuiltVersion",
                "Settings",
                "Origins",
                "UserPoolId",
                "ClientId",
                "SecretName",
                "SecretGeneration",
            ]
        ),
        json_values() | st.just("edge_auth") | st.just("{}"),
    ),
)
def test_any_request_gets_exactly_one_response(
    kind: str, request_type: str, properties: dict[str, object], fake: FakeAws
) -> None:
    before = len(fake.responses)
    event = EVENT | {
        "ResourceType": kind,
        "RequestType": request_type,
        "ResourceProperties": properties,
    }
    lambda_handler(event, None)
    assert len(fake.responses) == before + 1
    response = fake.responses[-1]
    assert response["Status"] in {"SUCCESS", "FAILED"}
    assert response["PhysicalResourceId"]
    assert (response["Status"] == "FAILED") == ("Reason" in response)
    assert "[unexpected]" not in str(response.get("Reason"))
