"""The collector's requests reach the function, and no managed rule of the web ACL.

AWS WAF evaluates the scope-down statement; CloudFront selects the first cache behavior whose path
pattern matches.
"""

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aws_emulator.cloudfront.wildcards import matches_wildcards
from edge_ingest import responses, routes
from edge_ingest.cloudfront_event import parse_request
from edge_ingest.errors import NotFoundError
from tests.support.paths import ROOT
from tests.support.sdk_paths import PATHS_OF_OTHER_SDKS, PATHS_OF_PAGES
from tests.unit.edge_ingest import harness
from tests.unit.stacks.test_templates import resources

PATHS = sorted(
    path + slash
    for path in (*routes.PATHS, "/v1/projects/a-write-key/settings")
    for slash in ("", "/")
)
DISTRIBUTION = resources(ROOT / "stacks" / "edge.yaml")["Distribution"]["Properties"]
CONFIG = DISTRIBUTION["DistributionConfig"]
WEB_ACL = resources(ROOT / "stacks" / "edge-firewall.yaml")["WebAcl"]["Properties"]
RULES = WEB_ACL["Rules"]
MANAGED = {"known-bad-inputs", "common"}
#: The API's operations, with a value for each parameter.
API_PATHS = sorted(
    "/api" + re.sub(r"\{[^}]+\}", "x", path)
    for path in json.loads((ROOT / "web" / "public" / "api" / "openapi.json").read_text())["paths"]
)
METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE")


def behavior_of(path: str) -> dict[str, Any]:
    """Return the cache behavior that CloudFront selects for a path."""
    behaviors: list[dict[str, Any]] = CONFIG["CacheBehaviors"]
    return next(
        (one for one in behaviors if matches_wildcards(one["PathPattern"], path)),
        CONFIG["DefaultCacheBehavior"],
    )


def request_functions(behavior: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a behavior's associations with functions that can refuse a request."""
    associations = behavior.get("LambdaFunctionAssociations", [])
    return [it for it in associations if it["EventType"].endswith("-request")]


def function_of(behavior: dict[str, Any]) -> tuple[str, bool]:
    """Return the event type of a behavior's association with the collector, and `IncludeBody`."""
    (association,) = request_functions(behavior)
    assert "EdgeIngestVersionArn" in str(association["LambdaFunctionARN"])
    return association["EventType"], association.get("IncludeBody", False)


def matches(statement: dict[str, Any], method: str, path: str) -> bool:
    """Evaluate a statement of AWS WAF ("Using logical rule statements in AWS WAF")."""
    ((kind, body),) = statement.items()
    if kind == "NotStatement":
        return not matches(body["Statement"], method, path)
    if kind == "AndStatement":
        return all(matches(one, method, path) for one in body["Statements"])
    if kind == "OrStatement":
        return any(matches(one, method, path) for one in body["Statements"])
    assert kind == "RegexMatchStatement", kind
    assert body["TextTransformations"] == [{"Priority": 0, "Type": "NONE"}]
    value = {"UriPath": path, "Method": method}[next(iter(body["FieldToMatch"]))]
    return re.search(body["RegexString"], value) is not None


def inspecting(method: str, path: str) -> set[str]:
    """Return the names of the rules of managed groups that inspect a request."""
    groups = {
        rule["Name"]: rule["Statement"]["ManagedRuleGroupStatement"]
        for rule in RULES
        if "ManagedRuleGroupStatement" in rule["Statement"]
    }
    assert groups.keys() == MANAGED
    return {name for name, it in groups.items() if matches(it["ScopeDownStatement"], method, path)}


def inspected(method: str, path: str) -> bool:
    """Return whether the managed rule groups inspect a request; they must agree."""
    names = inspecting(method, path)
    assert names in (set(), MANAGED)
    return bool(names)


@pytest.mark.parametrize("path", PATHS)
def test_path_of_a_route_has_a_cache_behavior_with_the_collector(path: str) -> None:
    behavior = behavior_of(path)
    assert function_of(behavior) == ("origin-request", True)
    assert {*routes.match(path).methods, "OPTIONS"} <= set(behavior["AllowedMethods"])
    assert not routes.is_page("GET", path)


@pytest.mark.parametrize("path", PATHS)
def test_path_of_a_route_is_outside_the_managed_rules(path: str) -> None:
    assert not any(inspected(method, path) for method in METHODS)


@pytest.mark.parametrize("path", PATHS_OF_OTHER_SDKS)
def test_event_of_another_sdk_reaches_the_collector_uninspected(path: str) -> None:
    """The managed rules would answer a body over 8 KB with CloudFront's HTML."""
    behavior = behavior_of(path)
    function_of(behavior)
    assert {"POST", "OPTIONS"} <= set(behavior["AllowedMethods"])
    assert not inspected("POST", path)
    assert not inspected("OPTIONS", path)
    assert not routes.is_page("POST", path)
    with pytest.raises(NotFoundError):
        routes.match(path)


def is_refused(method: str, path: str) -> bool:
    """Return whether AWS WAF answers a request like the collector an unknown path."""
    (rule,) = (it for it in RULES if it["Name"] == "events-for-a-page")
    return matches(rule["Statement"], method, path)


@pytest.mark.parametrize("path", PATHS_OF_PAGES)
def test_web_acl_refuses_events_at_the_path_of_a_page(path: str) -> None:
    assert {method for method in METHODS if is_refused(method, path)} == {*METHODS[2:]}


def test_web_acl_refuses_events_before_its_managed_rules() -> None:
    """These answer a body over 8 KB with CloudFront's HTML."""
    priorities = {it["Name"]: it["Priority"] for it in RULES}
    assert priorities["events-for-a-page"] < min(priorities[it] for it in MANAGED)


@given(st.sampled_from(PATHS_OF_PAGES), st.text("/ab.%", max_size=8))
@example("/", "x/index.html")
def test_each_path_without_a_function_refuses_events_with_json(path: str, inserted: str) -> None:
    """A behavior without a function allows no POST, and AWS WAF answers in its place."""
    changed = f"/{inserted}{path}"
    behavior = behavior_of(changed)
    has_function = bool(request_functions(behavior))
    assert is_refused("POST", changed) == (not has_function)
    assert not has_function or "POST" in behavior["AllowedMethods"]


@pytest.mark.parametrize("path", [*PATHS, *PATHS_OF_OTHER_SDKS, *API_PATHS])
def test_web_acl_passes_requests_for_a_function(path: str) -> None:
    assert not any(is_refused(method, path) for method in METHODS)


def test_web_acl_and_collector_refuse_events_with_the_same_answer() -> None:
    (rule,) = (it for it in RULES if it["Name"] == "events-for-a-page")
    custom = rule["Action"]["Block"]["CustomResponse"]
    body = WEB_ACL["CustomResponseBodies"][custom["CustomResponseBodyKey"]]
    with pytest.raises(NotFoundError) as refused:
        routes.match("/e/")
    request = parse_request(harness.request(uri="/e/"))
    answer = responses.error_response(refused.value, request, "other")
    headers = {name: it[0]["value"] for name, it in answer["headers"].items()}
    assert (str(custom["ResponseCode"]), body["Content"]) == (answer["status"], answer["body"])
    assert headers.pop("content-type") == "application/json"
    assert body["ContentType"] == "APPLICATION_JSON"
    assert {it["Name"]: it["Value"] for it in custom["ResponseHeaders"]} == {
        name: value for name, value in headers.items() if name != "vary"
    }


def test_default_behavior_passes_no_body_to_the_collector() -> None:
    """The function refuses each request with a body, and never reads it."""
    assert function_of(CONFIG["DefaultCacheBehavior"]) == ("origin-request", False)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/index.html"), ("HEAD", "/e/"), ("POST", "/premium/v1/batch"),
     ("POST", "/api/appointments"), ("POST", "/app"), ("DELETE", "/auth/sign-out")],
)  # fmt: skip
def test_other_request_is_inside_the_managed_rules(method: str, path: str) -> None:
    assert inspected(method, path)


@pytest.mark.parametrize("method", METHODS)
def test_only_the_upload_of_a_roster_is_outside_the_bound_of_bodies(method: str) -> None:
    assert inspecting(method, "/api/rosters") == {"known-bad-inputs"}
    for path in ("/api/rosters/autumn", "/api/rosters/", "/api/rosterss", "/x/api/rosters"):
        assert "common" in inspecting(method, path) or method not in {"GET", "HEAD"}
    assert inspecting(method, "/api/rosters/autumn") == MANAGED


def test_source_with_a_long_tracking_plan_passes_the_common_rules() -> None:
    """The API takes settings of 16,384 characters."""
    assert inspecting("POST", "/api/sources") == {"known-bad-inputs"}
    assert inspecting("POST", "/api/sources/") == MANAGED


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_long_course_passes_the_common_rules(method: str) -> None:
    """A summary of 4,000 characters in Hindi has 12 KB, over the group's bound of 8 KB."""
    for path in ("/catalogue/staff/courses", "/catalogue/staff/courses/ganit-1"):
        assert inspecting(method, path) == {"known-bad-inputs"}
    for path in ("/catalogue/staff/coursess", "/catalogue/courses"):
        assert inspecting(method, path) == MANAGED


def test_managed_rules_inspect_each_behavior_without_the_collector() -> None:
    """A new behavior with another function must join the scope-down statement.

    CloudFront itself refuses the methods that a behavior doesn't allow.
    """
    for behavior in CONFIG["CacheBehaviors"]:
        path = behavior["PathPattern"].replace("*", "x")
        collects = "EdgeIngestVersionArn" in str(behavior)
        listed = behavior.get("AllowedMethods", ["GET", "HEAD"])
        # Without an origin group, members' pages allow all methods.
        listed = listed["Fn::If"][2] if "Fn::If" in listed else listed
        allowed = [it for it in METHODS if it in listed]
        assert allowed
        assert {inspected(method, path) for method in allowed} == {not collects}
