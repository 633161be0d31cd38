"""Tests of web ACLs: rules in their order, rate limits, and the managed rules with known bounds."""

from dataclasses import replace
from typing import Any, Final

import pytest

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.errors import WebAclBlockError
from aws_emulator.cloudfront.model import Request, Viewer
from aws_emulator.cloudfront.web_acl.acl import WebAcl
from aws_emulator.errors import CommandError
from aws_emulator.tests.cloudfront.fakes import behavior, distribution, edge_location, serve
from aws_emulator.tests.cloudfront.fakes import request as edge_request
from aws_emulator.tests.cloudfront.test_distribution_config import build

UNCHANGED: Final = [{"Priority": 0, "Type": "NONE"}]
CORE: Final = "AWSManagedRulesCommonRuleSet"
ONE: Final = Viewer("192.0.2.1")


def sent(
    path: str = "/a", method: str = "GET", query: str = "", body: bytes = b"", **headers: str
) -> Request:
    pairs = {"user-agent": "test", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return Request(method, path, query, h.collect(list(pairs.items())), body)


def path_is(text: str, **fields: Any) -> dict[str, Any]:
    return {
        "ByteMatchStatement": {
            "SearchString": text,
            "PositionalConstraint": "EXACTLY",
            "FieldToMatch": {"UriPath": {}},
            "TextTransformations": UNCHANGED,
            **fields,
        }
    }


def rule(statement: dict[str, Any], priority: int = 0, **fields: Any) -> dict[str, Any]:
    action = fields or {"Action": {"Block": {}}}
    return {"Name": f"rule-{priority}", "Priority": priority, "Statement": statement, **action}


def managed(name: str = CORE, **fields: Any) -> dict[str, Any]:
    return {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": name, **fields}}


def blocked_status(
    rules: list[dict[str, Any]], request: Request, default: str = "Allow"
) -> int | None:
    """Return the status of the block, or None if the request passes."""
    acl = WebAcl("arn", {"Rules": rules, "DefaultAction": {default: {}}})
    try:
        acl.inspect(request, ONE)
    except WebAclBlockError as error:
        return error.status
    return None


def test_first_terminating_rule_by_priority_decides() -> None:
    block, allow = rule(path_is("/a"), 2), rule(path_is("/a"), 1, Action={"Allow": {}})
    count = rule(path_is("/a"), 0, Action={"Count": {}})
    assert blocked_status([block], sent()) == 403
    assert blocked_status([block], sent("/b")) is None
    assert blocked_status([block, allow], sent()) is None
    assert blocked_status([count, block], sent()) == 403
    assert blocked_status([], sent(), "Block") == 403


@pytest.mark.parametrize(
    ("statement", "request_", "matches"),
    [
        ({"NotStatement": {"Statement": path_is("/a")}}, sent("/b"), True),
        ({"AndStatement": {"Statements": [path_is("/a"), path_is("/b")]}}, sent(), False),
        ({"OrStatement": {"Statements": [path_is("/a"), path_is("/b")]}}, sent("/b"), True),
        (path_is("/a", PositionalConstraint="STARTS_WITH"), sent("/ab"), True),
        (path_is("/a", PositionalConstraint="ENDS_WITH"), sent("/b/a"), True),
        (path_is("b", PositionalConstraint="CONTAINS"), sent("/abc"), True),
        (path_is("/a b", TextTransformations=[{"Priority": 0, "Type": "URL_DECODE"}]),
         sent("/a%20b"), True),
        (path_is("/a", TextTransformations=[{"Priority": 0, "Type": "LOWERCASE"}]),
         sent("/A"), True),
        (path_is("POST", FieldToMatch={"Method": {}}), sent(method="POST"), True),
        (path_is("q=1", FieldToMatch={"QueryString": {}}), sent(query="q=1"), True),
        (path_is("v", FieldToMatch={"SingleHeader": {"Name": "X-A"}}), sent(x_a="v"), True),
        ({"RegexMatchStatement": {"RegexString": "^/(v1|b)/", "FieldToMatch": {"UriPath": {}},
          "TextTransformations": UNCHANGED}}, sent("/v1/x"), True),
    ],
)  # fmt: skip
def test_statement_matches_the_requests_with_its_text(
    statement: dict[str, Any], request_: Request, matches: bool
) -> None:
    assert blocked_status([rule(statement)], request_) == (403 if matches else None)


def test_rate_limit_counts_each_address_in_a_sliding_window() -> None:
    now = [0.0]
    limit = {
        "RateBasedStatement": {
            "AggregateKeyType": "IP",
            "Limit": "3",
            "EvaluationWindowSec": 60,
            "ScopeDownStatement": path_is("/a"),
        }
    }
    custom = {"Block": {"CustomResponse": {"ResponseCode": "429"}}}
    rules = [rule(limit, Action=custom)]
    acl = WebAcl("arn", {"Rules": rules, "DefaultAction": {"Allow": {}}}, lambda: now[0])
    for _ in range(3):
        acl.inspect(sent(), ONE)
        acl.inspect(sent("/b"), ONE)
    with pytest.raises(WebAclBlockError) as blocked:
        acl.inspect(sent(), ONE)
    assert blocked.value.status == 429
    acl.inspect(sent(), Viewer("192.0.2.2"))
    now[0] = 61
    acl.inspect(sent(), ONE)


@pytest.mark.parametrize(
    ("largest", "larger"),
    [
        (sent(query="q" * 2_048), sent(query="q" * 2_049)),
        (sent(cookie="c" * 10_240), sent(cookie="c" * 10_241)),
        (sent(method="POST", body=b"b" * 8_192), sent(method="POST", body=b"b" * 8_193)),
        (sent("/" + "p" * 1_023), sent("/" + "p" * 1_024)),
        (sent(), sent(user_agent="")),
    ],
    ids=["query", "cookie", "body", "path", "user-agent"],
)
def test_core_rule_set_has_the_documented_bounds(largest: Request, larger: Request) -> None:
    assert blocked_status([rule(managed())], largest) is None
    assert blocked_status([rule(managed())], larger) == 403


def test_scope_and_overrides_of_a_managed_group() -> None:
    large = sent(query="q" * 3_000)
    counted = [{"Name": "SizeRestrictions_QUERYSTRING", "ActionToUse": {"Count": {}}}]
    assert blocked_status([rule(managed(RuleActionOverrides=counted))], large) is None
    assert blocked_status([rule(managed(ScopeDownStatement=path_is("/b")))], large) is None
    assert blocked_status([rule(managed(ScopeDownStatement=path_is("/a")))], large) == 403
    assert blocked_status([rule(managed(), OverrideAction={"Count": {}})], large) is None


def test_known_bad_inputs_block_the_documented_examples() -> None:
    rules = [rule(managed("AWSManagedRulesKnownBadInputsRuleSet"))]
    example = "${jndi:ldap://example.com/}"
    for request in (
        sent(method="PROPFIND"),
        sent(x_a=example),
        sent(query=example),
        sent(f"/{example}"),
        sent(method="POST", body=example.encode()),
    ):
        assert blocked_status(rules, request) == 403
    assert blocked_status(rules, sent()) is None


@pytest.mark.parametrize(
    "statement",
    [
        {"GeoMatchStatement": {"CountryCodes": ["NP"]}},
        path_is("/a", PositionalConstraint="CONTAINS_WORD"),
        path_is("/a", FieldToMatch={"Body": {}}),
        path_is("/a", TextTransformations=[{"Priority": 0, "Type": "CMD_LINE"}]),
        {"RateBasedStatement": {"AggregateKeyType": "FORWARDED_IP", "Limit": 100}},
        managed("AWSManagedRulesLinuxRuleSet"),
    ],
)
def test_unsupported_rule_is_refused(statement: dict[str, Any]) -> None:
    with pytest.raises(CommandError, match="emulator doesn't"):
        blocked_status([rule(statement)], sent())


def test_edge_location_answers_a_blocked_request_before_its_functions() -> None:
    custom = {"Block": {"CustomResponse": {"ResponseCode": 429}}}
    for action, status in (({"Block": {}}, 403), (custom, 429)):
        rules = [rule(path_is("/a"), Action=action)]
        acl = WebAcl("arn", {"Rules": rules, "DefaultAction": {"Allow": {}}})
        deployed = replace(distribution(behavior("/a", "viewer-request")), web_acl=acl)
        edge = edge_location(deployed)
        served, body = serve(edge, edge_request())
        assert served.response.status == status
        assert served.error == "WebAclBlock"
        assert (b"blocked by rule-0" in body) == (status == 403)


def test_custom_response_has_its_headers_and_body() -> None:
    kinds = {
        "APPLICATION_JSON": "application/json",
        "TEXT_HTML": "text/html",
        "TEXT_PLAIN": "text/plain",
    }
    bodies = {key: {"ContentType": key, "Content": f"{key} é"} for key in kinds}
    for key, media_type in kinds.items():
        custom = {
            "ResponseCode": "404",
            "CustomResponseBodyKey": key,
            "ResponseHeaders": [{"Name": "x-a", "Value": "v"}],
        }
        rules = [rule(path_is("/a"), Action={"Block": {"CustomResponse": custom}})]
        settings = {"Rules": rules, "DefaultAction": {"Allow": {}}, "CustomResponseBodies": bodies}
        deployed = replace(distribution(behavior("/a")), web_acl=WebAcl("arn", settings))
        served, body = serve(edge_location(deployed), edge_request())
        assert served.response.status == 404
        assert h.first(served.response.headers, "content-type") == media_type
        assert h.first(served.response.headers, "x-a") == "v"
        assert body == f"{key} é".encode()


def test_web_acl_of_a_distribution_is_read() -> None:
    arn = "arn:aws:wafv2:us-east-1:000000000000:global/webacl/a/b"
    assert build().web_acl is None
    acl = build(WebACLId=arn).web_acl
    assert acl is not None
    with pytest.raises(WebAclBlockError):
        acl.inspect(sent(), ONE)
