"""One request of CloudFormation in, exactly one answer out, whatever happens."""

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
from tests.unit.edge_settings.fakes import KEYS, FakeAws, install

EVENT = json.loads((ROOT / "events/edge_settings/create-auth-version.json").read_text())


def empty_package() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("edge_auth/handler.py", "")
    return target.getvalue()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    it = FakeAws(packages={EVENT["ResourceProperties"]["BuiltVersion"]: empty_package()})
    install(monkeypatch, it)
    return it


def changed(**properties: object) -> dict[str, Any]:
    event = copy.deepcopy(EVENT)
    event["ResourceProperties"] |= properties
    return dict(event)


def with_settings(**more: object) -> dict[str, Any]:
    document = json.loads(EVENT["ResourceProperties"]["Settings"]) | more
    return changed(Settings=json.dumps(document))


def written(package: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        document = json.loads(archive.read("settings.json"))
    assert isinstance(document, dict)
    return document


def test_publishes_the_built_package_with_settings_and_signing_keys(fake: FakeAws) -> None:
    lambda_handler(EVENT, None)
    (told,) = fake.told
    assert told["Status"] == "SUCCESS", told
    assert told["Data"] == {
        "VersionArn": "arn:aws:lambda:us-east-1:123456789012:function:meridian-dev-edge-auth:2"
    }
    (package,) = fake.published
    assert written(package)["jwks"] == KEYS
    assert written(package)["client_id"] == "exampleclient"


def test_the_same_request_again_publishes_nothing_new(fake: FakeAws) -> None:
    lambda_handler(EVENT, None)
    lambda_handler(EVENT | {"RequestType": "Update", "PhysicalResourceId": "x"}, None)
    assert len(fake.published) == 1
    assert fake.told[0]["Data"] == fake.told[1]["Data"]
    assert fake.told[0]["PhysicalResourceId"] == fake.told[1]["PhysicalResourceId"]


def test_a_missing_setting_fails_the_deployment_with_its_name(fake: FakeAws) -> None:
    document = json.loads(EVENT["ResourceProperties"]["Settings"])
    for key in ("issuer", "client_id", "rules", "jwks_uri", "hosted_ui"):
        left = {name: value for name, value in document.items() if name != key}
        lambda_handler(changed(Settings=json.dumps(left)), None)
        assert fake.told[-1]["Status"] == "FAILED"
        assert key in str(fake.told[-1]["Reason"]), fake.told[-1]["Reason"]
    assert fake.published == []


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"Room": "edge_nothing"}, "missing_property"),
        ({"BuiltVersion": "arn:aws:lambda:us-east-1:1:function:f:$LATEST"}, "missing_property"),
        ({"BuiltVersion": "arn:aws:lambda:us-east-1:1:function:f:7"}, "package"),
        ({"Settings": "{"}, "invalid_settings"),
        ({"Settings": "[]"}, "invalid_settings"),
    ],
)
def test_what_cannot_be_served_says_why(
    properties: dict[str, object], code: str, fake: FakeAws
) -> None:
    lambda_handler(changed(**properties), None)
    (told,) = fake.told
    assert told["Status"] == "FAILED"
    assert str(told["Reason"]).startswith(f"[{code}]")


def test_keys_that_cannot_be_fetched_fail_the_deployment(fake: FakeAws) -> None:
    fake.keys_answer = False
    lambda_handler(EVENT, None)
    assert str(fake.told[0]["Reason"]).startswith("[signing_keys]")


def test_delete_deletes_nothing_and_succeeds(fake: FakeAws) -> None:
    lambda_handler(EVENT | {"RequestType": "Delete", "PhysicalResourceId": "x"}, None)
    assert fake.told[0]["Status"] == "SUCCESS"
    assert fake.published == []


def test_no_value_of_a_setting_is_logged(fake: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    lambda_handler(with_settings(site_name="canary-of-the-settings"), None)
    assert fake.told[0]["Status"] == "SUCCESS", fake.told
    assert "canary" not in capsys.readouterr().out


def test_client_urls_are_the_origins_with_their_paths(fake: FakeAws) -> None:
    event = EVENT | {
        "ResourceType": "Custom::ClientUrls",
        "ResourceProperties": {
            "UserPoolId": "us-east-1_Example",
            "ClientId": "exampleclient",
            "CallbackPath": "/auth/callback",
            "LogoutPath": "/",
            "Origins": ["https://d1.cloudfront.net", "", "http://localhost:8080/"],
        },
    }
    lambda_handler(event, None)
    assert fake.told[0]["Status"] == "SUCCESS"
    (urls,) = fake.urls
    assert urls.callback_urls == (
        "https://d1.cloudfront.net/auth/callback",
        "http://localhost:8080/auth/callback",
    )
    assert urls.logout_urls == ("https://d1.cloudfront.net/", "http://localhost:8080/")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["Custom::EdgeVersion", "Custom::ClientUrls", "Custom::Other"]),
    request_type=st.sampled_from(["Create", "Update", "Delete"]),
    properties=st.dictionaries(
        st.sampled_from(["Room", "BuiltVersion", "Settings", "Origins", "UserPoolId", "ClientId"]),
        json_values() | st.just("edge_auth") | st.just("{}"),
    ),
)
def test_any_request_gets_exactly_one_answer(
    kind: str, request_type: str, properties: dict[str, object], fake: FakeAws
) -> None:
    before = len(fake.told)
    event = EVENT | {
        "ResourceType": kind,
        "RequestType": request_type,
        "ResourceProperties": properties,
    }
    lambda_handler(event, None)
    assert len(fake.told) == before + 1
    told = fake.told[-1]
    assert told["Status"] in {"SUCCESS", "FAILED"}
    assert told["PhysicalResourceId"]
    assert (told["Status"] == "FAILED") == ("Reason" in told)
    assert "[unexpected]" not in str(told.get("Reason"))
