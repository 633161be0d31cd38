"""This project's rules for cache behaviors, which CloudFront doesn't require."""

from typing import Any

import pytest

from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import resources


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
