"""The collector's paths reach the function, and no managed rule of the web ACL.

AWS WAF evaluates the scope-down statement; CloudFront selects the first cache behavior whose path
pattern matches.
"""

import re
from typing import Any

import pytest

from aws_emulator.cloudfront.wildcards import matches_wildcards
from edge_ingest import routes
from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import resources

PATHS = sorted(
    path + slash
    for path in (*routes.PATHS, "/v1/projects/a-write-key/settings")
    for slash in ("", "/")
)
DISTRIBUTION = resources(ROOT / "stacks" / "edge.yaml")["Distribution"]["Properties"]
RULES = resources(ROOT / "stacks" / "edge-firewall.yaml")["WebAcl"]["Properties"]["Rules"]


def behavior_of(path: str) -> dict[str, Any]:
    """Return the cache behavior that CloudFront selects for a path."""
    config = DISTRIBUTION["DistributionConfig"]
    behaviors: list[dict[str, Any]] = config["CacheBehaviors"]
    return next(
        (one for one in behaviors if matches_wildcards(one["PathPattern"], path)),
        config["DefaultCacheBehavior"],
    )


@pytest.mark.parametrize("path", PATHS)
def test_path_of_a_route_has_a_cache_behavior_with_the_collector(path: str) -> None:
    behavior = behavior_of(path)
    (association,) = behavior["LambdaFunctionAssociations"]
    assert "EdgeIngestVersionArn" in str(association["LambdaFunctionARN"])
    assert (association["EventType"], association["IncludeBody"]) == ("origin-request", True)
    assert {*routes.match(path).methods, "OPTIONS"} <= set(behavior["AllowedMethods"])


@pytest.mark.parametrize("path", PATHS)
def test_path_of_a_route_is_outside_the_managed_rules(path: str) -> None:
    groups = [
        rule["Statement"]["ManagedRuleGroupStatement"]
        for rule in RULES
        if "ManagedRuleGroupStatement" in rule["Statement"]
    ]
    assert len(groups) == 2
    for group in groups:
        outside = group["ScopeDownStatement"]["NotStatement"]["Statement"]["RegexMatchStatement"]
        assert re.search(outside["RegexString"], path)


@pytest.mark.parametrize("path", ["/", "/index.html", "/premium/v1/batch", "/api/appointments"])
def test_other_path_is_inside_the_managed_rules(path: str) -> None:
    text = str(RULES)
    (pattern,) = set(re.findall(r"'RegexString': '([^']+)'", text))
    assert not re.search(pattern, path)
