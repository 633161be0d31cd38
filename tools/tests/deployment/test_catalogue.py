"""What `make deploy` looks up and checks for the course catalogue."""

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from aws_emulator.errors import CommandError
from tools.deployment import catalogue
from tools.deployment.environments import Environment, read_environment
from tools.deployment.preflight.account import Account
from tools.deployment.preflight.catalogue import Networks, check_catalogue
from tools.deployment.preflight.findings import Severity

POOL = "us-east-1_Ab1"
KEYS = [{"kid": "b", "n": "2"}, {"kid": "a", "n": "1"}]


def environment(**overrides: str) -> Environment:
    home = read_environment("default")
    names = {"Domain": "school.example", "HostedZoneId": "Z1", "Catalogue": "true"}
    return replace(home, overrides={**home.overrides, **names, **overrides})


@dataclass
class Meta:
    endpoint_url: str = "https://cognito-idp.us-east-1.amazonaws.com"


class Aws:
    """Amazon EC2 with one prefix list, Service Quotas, and the endpoint of Cognito."""

    def __init__(self, lists: int = 1, networks: int = 1) -> None:
        self.meta = Meta()
        self._lists, self._networks = lists, networks

    def __call__(self, _service: str, _region: str) -> "Aws":
        return self

    def describe_managed_prefix_lists(self, Filters: Any) -> dict[str, Any]:  # noqa: N803 - as of boto3
        assert Filters[0]["Values"] == ["com.amazonaws.global.cloudfront.origin-facing"]
        return {"PrefixLists": self._lists * [{"PrefixListId": "pl-3b927c52"}]}

    def get_paginator(self, _: str) -> "Aws":
        return self

    def paginate(self, **query: str) -> list[dict[str, Any]]:
        if query:
            assert query == {"Engine": "aurora-postgresql"}
            return [{"DBEngineVersions": [{"EngineVersion": it}]} for it in ("17.4", "17.5")]
        return [{"Vpcs": [{}]} for _ in range(self._networks)]

    def get_service_quota(self, **_: str) -> dict[str, Any]:
        return {"Quota": {"Value": 5.0}}


def test_without_the_catalogue_nothing_is_looked_up() -> None:
    def refuse(*_: str) -> Any:
        raise AssertionError

    assert catalogue.needed_values(environment(Catalogue="false"), POOL, refuse) == {}


def test_before_the_pool_exists_no_token_is_valid() -> None:
    values = catalogue.needed_values(environment(), "", Aws())
    assert values == {"CloudFrontPrefixList": "pl-3b927c52", "StaffKeys": '{"keys":[]}'}


@pytest.mark.parametrize(
    ("region", "overrides", "expected"),
    [
        ("us-east-1", {}, True),
        ("us-east-1", {"HomeRegion": "eu-west-2", "GlobalDatabase": "true"}, False),
        ("ap-south-1", {}, False),
        ("ap-south-1", {"GlobalDatabase": "true"}, True),
    ],
)
def test_catalogue_is_in_the_home_and_with_a_global_database_in_further_regions(
    region: str, overrides: dict[str, str], expected: bool
) -> None:
    assert catalogue.is_wanted(replace(environment(**overrides), region=region)) is expected


def test_keys_are_compact_and_in_a_stable_order() -> None:
    urls = []

    def fetch(url: str) -> bytes:
        urls.append(url)
        return json.dumps({"keys": KEYS}).encode()

    text = catalogue.staff_keys(POOL, Aws(), fetch)
    assert text == '{"keys":[{"kid":"a","n":"1"},{"kid":"b","n":"2"}]}'
    assert urls == [f"https://cognito-idp.us-east-1.amazonaws.com/{POOL}/.well-known/jwks.json"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"keys": [{}]}', b'{"keys": null}'])
def test_unreadable_keys_stop_the_deployment(content: bytes) -> None:
    with pytest.raises(CommandError, match="public keys of the user pool"):
        catalogue.staff_keys(POOL, Aws(), lambda _: content)


def test_region_without_the_prefix_list_is_refused() -> None:
    with pytest.raises(CommandError, match="Catalogue=false"):
        catalogue.prefix_list("us-east-1", Aws(lists=0))


def test_price_is_printed_before_the_deployment() -> None:
    (network, price) = check_catalogue(environment(), None, Networks(1, 5))
    assert {network.severity, price.severity} == {Severity.OK}
    assert "about 118 USD a month" in price.observation
    (price,) = check_catalogue(environment(Readers="0"), {"Catalogue": "true"}, None)
    assert "about 31 USD a month" in price.observation


@pytest.mark.parametrize(
    ("overrides", "deployed", "networks", "text"),
    [
        ({"Domain": ""}, None, None, "without Domain"),
        ({"Compute": "fargate"}, None, None, "without CatalogueImage"),
        (
            {"GlobalDatabase": "true"},
            {"Catalogue": "true", "GlobalDatabase": "false"},
            None,
            "was created with false",
        ),
        ({}, None, Networks(5, 5), "the quota is 5"),
    ],
)
def test_deployment_that_would_fail_gets_an_error_with_a_remedy(
    overrides: dict[str, str], deployed: dict[str, str] | None, networks: Any, text: str
) -> None:
    findings = check_catalogue(environment(**overrides), deployed, networks)
    (failed,) = [it for it in findings if it.severity is Severity.ERROR]
    assert text in failed.observation
    assert failed.remedy


@pytest.mark.parametrize(
    ("versions", "severity", "text"),
    [
        (["16.9", "17.4"], Severity.OK, "offers aurora-postgresql 17.4"),
        (["16.9", "17.7", "17.5"], Severity.ERROR, "17.5, 17.7"),
        ([], Severity.ERROR, "none"),
    ],
)
def test_new_database_needs_a_version_that_the_region_offers(
    versions: list[str], severity: Severity, text: str
) -> None:
    findings = check_catalogue(environment(), None, None, versions)
    (finding,) = [it for it in findings if "aurora-postgresql" in it.observation]
    assert finding.severity is severity
    assert text in finding.observation + (finding.remedy or "")


def test_account_reads_the_versions_of_all_pages() -> None:
    assert Account("us-east-1", Aws()).database_versions("aurora-postgresql") == ["17.4", "17.5"]


def test_account_counts_the_networks_of_all_pages() -> None:
    assert Account("us-east-1", Aws(networks=3)).networks() == Networks(3, 5)
