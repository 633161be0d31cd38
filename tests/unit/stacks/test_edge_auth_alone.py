"""The template of edge_auth alone deploys the same function as the whole project."""

import json
from typing import Any, Final

from edge_auth import settings
from edge_settings.rule_coverage import check_coverage
from tests.support.paths import ROOT
from tests.unit.edge_auth import issuer
from tests.unit.stacks.test_templates import resources
from tools.deployment.templates import load

ALONE: Final = ROOT / "stacks" / "edge-auth" / "template.yaml"
WHOLE: Final = ROOT / "stacks" / "edge-functions.yaml"
FUNCTIONS: Final = ("EdgeAuthFunction", "EdgeSettingsFunction")
#: Names and logs belong to a stack.
DIFFERENT: Final = {"FunctionName", "Description"}


def properties(path: Any, name: str) -> dict[str, Any]:
    return {
        key: value
        for key, value in resources(path)[name]["Properties"].items()
        if key not in DIFFERENT
    }


def test_functions_have_the_properties_of_the_whole_project() -> None:
    for name in FUNCTIONS:
        assert properties(ALONE, name) == properties(WHOLE, name), name
        attributes = ("DeletionPolicy", "UpdateReplacePolicy", "Metadata")
        alone, whole = resources(ALONE)[name], resources(WHOLE)[name]
        assert [alone.get(it) for it in attributes] == [whole.get(it) for it in attributes], name


def test_role_allows_no_more_than_the_role_of_the_whole_project() -> None:
    def actions(path: Any, name: str) -> set[str]:
        return {
            action
            for policy in resources(path)[name]["Properties"]["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
            for action in statement["Action"]
        }

    assert actions(ALONE, "EdgeAuthRole") == actions(WHOLE, "EdgeAuthRole")
    assert actions(ALONE, "EdgeSettingsRole") < actions(WHOLE, "EdgeSettingsRole")


def test_default_parameters_are_valid_settings() -> None:
    """A deployment with the user pool's parameters alone protects /premium/*."""
    parameters = load(ALONE)["Parameters"]
    rules = json.loads(parameters["Rules"]["Default"])
    parsed = settings.parse(
        {
            "schema": 1,
            "issuer": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Example",
            "client_id": "exampleclient",
            "token_use": "access",
            "hosted_ui": "https://school.auth.us-east-1.amazoncognito.com",
            "origins": [""],
            "site_name": parameters["SiteName"]["Default"],
            "rules": rules,
            "jwks": issuer.jwks(),
        }
    )
    check_coverage(parsed, parameters["PagePaths"]["Default"].split(","), [])


def test_template_is_a_sam_template_of_its_own() -> None:
    document = load(ALONE)
    assert "AWS::Serverless::Application" not in {
        it["Type"] for it in document["Resources"].values()
    }
    assert set(document["Outputs"]) == {"FunctionVersionArn"}
