"""This project's rules for cache behaviors, which CloudFront doesn't require."""

from typing import Any

import pytest

from tests.support import school_api
from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import ERROR_PAGES, edge_functions, resources
from tests.unit.stacks.test_templates import cache_behaviors as behaviors_by_path


def cache_behaviors() -> list[Any]:
    """Return every cache behavior of the edge stack, the default one first."""
    behaviors: list[Any] = []
    for resource in resources(ROOT / "stacks" / "edge.yaml").values():
        if resource["Type"] == "AWS::CloudFront::Distribution":
            config = resource["Properties"]["DistributionConfig"]
            behaviors += [
                pytest.param(behavior, id=behavior.get("PathPattern", "default"))
                for behavior in [config["DefaultCacheBehavior"], *config["CacheBehaviors"]]
            ]
    return behaviors


@pytest.mark.parametrize("behavior", cache_behaviors())
def test_cache_behavior_uses_cache_policy_instead_of_legacy_settings(
    behavior: dict[str, Any],
) -> None:
    assert "CachePolicyId" in behavior
    assert not {"ForwardedValues", "MinTTL", "DefaultTTL", "MaxTTL"} & behavior.keys()


def test_error_pages_replace_xml_of_files_and_no_answer_of_a_service() -> None:
    """The collector and the API answer errors with JSON, and players read media."""
    with_pages = {
        it for it, one in behaviors_by_path().items() if ERROR_PAGES in edge_functions(one)
    }
    files = {f"/*.{it}" for it in ("css", "js", "json", "svg")}
    assert with_pages == {"*", "/*.html", "/premium/*", "/courses/*", "/app/*"} | files
    config = resources(ROOT / "stacks" / "edge.yaml")["Distribution"]["Properties"]
    errors = config["DistributionConfig"]["CustomErrorResponses"]
    replaced = [it for it in errors if "ResponsePagePath" in it]
    assert [(it["ErrorCode"], it["ResponseCode"]) for it in replaced] == [(504, 504)]
    assert (ROOT / "web" / "public" / replaced[0]["ResponsePagePath"].lstrip("/")).is_file()
    responses = [
        status
        for path in school_api.document()["paths"].values()
        for operation in path.values()
        for status in operation.get("responses", {})
    ]
    assert "404" in responses
    assert "504" not in responses
