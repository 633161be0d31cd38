"""A slip in the rules or in the cache behaviors fails the deployment."""

import json
import re
from typing import Any

import pytest

from edge_auth.settings import Settings, parse
from edge_settings.errors import InvalidSettingsError
from edge_settings.rule_coverage import check_coverage
from tests.support import school_api
from tests.support.paths import ROOT
from tests.unit.edge_auth import issuer
from tests.unit.stacks.test_templates import (
    EDGE_AUTH,
    ERROR_PAGES,
    cache_behaviors,
    edge_functions,
    resources,
)

PAID = {"path": "/premium/*", "groups": {"any": ["paying"]}}
APP = {"path": "/app/*", "signed_in": True}
API = {"path": "/api/*", "forwards_token": True}
FREE = {"path": "/premium/free/*", "public": True}
PAGES = ["/premium/*", "/premium", "/app/*", "/auth/*"]
APIS = ["/api/*"]


def settings(*rules: dict[str, Any], **changes: object) -> Settings:
    return parse(issuer.settings(rules=list(rules), **changes))


@pytest.mark.parametrize(
    ("rules", "pages", "apis"),
    [
        ([PAID, APP, API], PAGES, APIS),
        ([FREE, PAID, APP, API], PAGES, APIS),
        (
            [PAID, {"path": "/", "public": True}, {"path": "/*", "signed_in": True}],
            ["/auth/*", "*"],
            [],
        ),
        ([PAID], ["premium/*", "auth/*"], []),
        ([{"path": "/course-*", "signed_in": True}], ["/course-?", "/course-*", "/auth/*"], []),
    ],
)
def test_complete_rules_are_accepted(
    rules: list[dict[str, Any]], pages: list[str], apis: list[str]
) -> None:
    check_coverage(settings(*rules, upgrade_path=None), pages, apis)


@pytest.mark.parametrize(
    ("rules", "pages", "apis", "message"),
    [
        ([{**PAID, "path": "/Premium/*"}, APP, API], PAGES, APIS, "/Premium/"),
        ([{**PAID, "path": "/premium/*.html"}, APP, API], PAGES, APIS, "No rule covers"),
        ([APP, API], PAGES, APIS, "No rule covers the cache behavior /premium/"),
        ([PAID, APP], PAGES, APIS, "/api/"),
        ([PAID, APP, API, {"path": "/courses/*", "signed_in": True}], PAGES, APIS, "/courses/"),
        ([{**PAID, "path": "/prem*"}, APP, API], PAGES, APIS, "/prem"),
        ([{"path": "/premium/*", "public": True}, APP, API], PAGES, APIS, "opens the whole"),
        ([{"path": "/premium/*", "forwards_token": True}, APP, API], PAGES, APIS, "for an API"),
        ([PAID, APP, {"path": "/api/*", "signed_in": True}], PAGES, APIS, "for pages"),
        ([PAID, APP, API], ["/premium/*", "/app/*"], APIS, "sign-in"),
        ([PAID, APP, API], PAGES, [], "none"),
    ],
)
def test_slip_is_refused_with_its_pattern(
    rules: list[dict[str, Any]], pages: list[str], apis: list[str], message: str
) -> None:
    with pytest.raises(InvalidSettingsError) as raised:
        check_coverage(settings(*rules, upgrade_path=None), pages, apis)
    assert message in str(raised.value)


def test_protected_page_after_sign_out_is_refused() -> None:
    document = settings(PAID, APP, API, signed_out_path="/app/bye.html")
    with pytest.raises(InvalidSettingsError, match="signed_out_path"):
        check_coverage(document, PAGES, APIS)
    page = {"path": "/app/bye.html", "public": True}
    check_coverage(settings(PAID, page, APP, API, signed_out_path="/app/bye.html"), PAGES, APIS)


def deployed() -> tuple[dict[str, Any], list[str], list[str]]:
    """Return the template's settings, and the path patterns that it passes to edge_settings."""
    version = resources(ROOT / "stacks" / "edge-functions.yaml")["EdgeAuthVersion"]["Properties"]
    # Some references stand for JSON.
    text = re.sub(r": \$\{\w+\}", ": null", version["Settings"]["Fn::Sub"][0])
    text = text.replace("[${Providers}]", "[]")
    document = json.loads(text)
    values = resources(ROOT / "stacks" / "edge.yaml")["Functions"]["Properties"]["Parameters"]
    for name in ("PagePaths", "ApiPaths"):
        assert version[name] == {"Fn::Split": [",", {"Ref": name}]}
    return document, values["PagePaths"].split(","), values["ApiPaths"].split(",")


def origin_of(behavior: dict[str, Any]) -> str:
    """Return the origin of a behavior, with a copy of the pages in another Region or without."""
    target = behavior["TargetOriginId"]
    return target if isinstance(target, str) else str(target["Fn::If"][2])


def test_origin_group_has_the_pages_of_the_origin_without_one() -> None:
    groups = [it["TargetOriginId"] for it in cache_behaviors().values()]
    conditional = {tuple(it["Fn::If"]) for it in groups if not isinstance(it, str)}
    assert {it for it in conditional if it[0] == "HasCopy"} == {
        ("HasCopy", "members-pages", "members"),
        ("HasCopy", "public-pages", "public"),
    }
    # Without the catalogue, its paths have the origins of an unknown page or operation.
    assert {it[2] for it in conditional if it[0] != "HasCopy"} <= {"public", "api"}


def test_template_passes_all_behaviors_with_edge_auth() -> None:
    _, pages, apis = deployed()
    by_origin: dict[str, set[str]] = {}
    for pattern, behavior in cache_behaviors().items():
        if EDGE_AUTH in edge_functions(behavior):
            by_origin.setdefault(origin_of(behavior), set()).add(pattern)
    assert by_origin == {"members": set(pages), "api": set(apis)}


def test_template_rules_cover_the_behaviors() -> None:
    document, pages, apis = deployed()
    rules, upgrade = document["rules"], document["upgrade_path"]
    check_coverage(settings(*rules, upgrade_path=upgrade), pages, apis)
    assert not any(rule.get("public") for rule in rules)


def test_protected_origins_have_no_behavior_without_edge_auth_or_signed_cookies() -> None:
    """CloudFront itself verifies the signed cookies of a behavior with a trusted key group.

    CloudFront uses the first behavior that matches, so one without edge_auth could hide one.
    """
    behaviors = [(pattern, it) for pattern, it in cache_behaviors().items() if pattern != "*"]
    for pattern, behavior in [*behaviors, ("*", cache_behaviors()["*"])]:
        if origin_of(behavior) in {"members", "api"}:
            is_signed = bool(behavior.get("TrustedKeyGroups"))
            functions = edge_functions(behavior) - {ERROR_PAGES}
            assert functions == (set() if is_signed else {EDGE_AUTH}), pattern
    hidden = [
        (earlier, pattern)
        for index, (pattern, behavior) in enumerate(behaviors)
        if EDGE_AUTH in edge_functions(behavior)
        for earlier, other in behaviors[:index]
        if EDGE_AUTH not in edge_functions(other) and _overlap(earlier, pattern)
    ]
    # A file of the portal at an exact path, which no operation of the API has.
    assert hidden == [("/api/openapi.json", "/api/*")]
    assert origin_of(cache_behaviors()["/api/openapi.json"]) == "public"
    assert "/openapi.json" not in school_api.document()["paths"]


def _overlap(first: str, second: str) -> bool:
    """Return whether one pattern's fixed beginning continues the other's."""
    beginnings = [pattern.partition("*")[0] for pattern in (first, second)]
    return beginnings[0].startswith(beginnings[1]) or beginnings[1].startswith(beginnings[0])
