"""What the shims decide without MiniStack."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.ministack.patches import bucket_properties, outage, weighted_aliases

_WEIGHTS = st.dictionaries(st.sampled_from(["1", "2", "3", "4"]), st.floats(0, 0.25), max_size=4)
_REGIONS = st.sampled_from(["us-east-1", "eu-west-2", "ap-south-1", "ap-southeast-3"])


@given(_WEIGHTS, st.integers(0, 999))
def test_a_version_gets_the_share_of_its_weight(weights: dict[str, float], start: int) -> None:
    """A thousand evenly spread draws fall on each version as often as its weight says."""
    draws = [((start + index) % 1000) / 1000 for index in range(1000)]
    chosen = [weighted_aliases.choose(weights, draw) for draw in draws]
    for version, weight in weights.items():
        assert chosen.count(version) == pytest.approx(weight * 1000, abs=1.001)
    assert chosen.count(None) == pytest.approx((1 - sum(weights.values())) * 1000, abs=4.001)


class _Gateway:
    """The owner of an API, as MiniStack finds it."""

    def __getitem__(self, _: str) -> Any:
        return {"abc": ("000000000000", "eu-west-2")}.get


def _region(path: str = "/", query: str = "", **headers: str) -> str | None:
    scope = {
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    return outage._region(scope, _Gateway())  # type: ignore[arg-type]  # a fake of it


@given(_REGIONS, st.sampled_from(["kinesis", "s3", "lambda", "dynamodb"]))
def test_a_signed_request_is_for_the_region_of_its_scope(region: str, service: str) -> None:
    scope = f"ASIA1234/20261121/{region}/{service}/aws4_request"
    signature = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=ab"
    assert _region(authorization=signature) == region
    presigned = "X-Amz-Credential=" + scope.replace("/", "%2F")
    assert _region(query=presigned) == region


@given(_REGIONS, st.sampled_from(["iam", "sts", "cloudfront", "route53"]))
def test_a_global_service_is_of_no_region(region: str, service: str) -> None:
    scope = f"AKIA/20261121/{region}/{service}/aws4_request"
    assert _region(authorization=f"AWS4-HMAC-SHA256 Credential={scope}, Signature=ab") is None


@given(_REGIONS)
def test_a_pools_keys_are_of_the_pools_region(region: str) -> None:
    assert _region(path=f"/{region}_AbC123/.well-known/jwks.json") == region


def test_an_api_is_of_its_owners_region() -> None:
    assert _region(path="/_aws/execute-api/abc/local/accounts") == "eu-west-2"
    assert _region(path="/_aws/execute-api/xyz/local/accounts") is None


@pytest.mark.parametrize("path", ["/", "/oauth2/token", "/_ministack/ready", "/bucket/key"])
def test_a_request_that_names_no_region(path: str) -> None:
    assert _region(path=path) is None


def test_a_lifecycle_rule_that_cannot_be_passed_on_is_refused() -> None:
    """Rather than dropped, which is what the shim is there to end."""
    with pytest.raises(ValueError, match="TagFilters"):
        bucket_properties._lifecycle_rule({"Status": "Enabled", "TagFilters": []})
