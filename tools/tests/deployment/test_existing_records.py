"""Records that a deployment with a domain would create, and that exist without its stack."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tools.deployment.environments import Environment, read_environment
from tools.deployment.preflight.account import Account
from tools.deployment.preflight.command import _existing_records

DOMAIN = "school.example"
HOME: Environment = read_environment("default")


class FakeZone:
    """A hosted zone and a stack, as boto3's clients show them."""

    def __init__(self, records: list[tuple[str, str, str]], owned: list[str]) -> None:
        self._records = [
            {"Name": f"{name}.", "Type": kind, **({"SetIdentifier": it} if it else {})}
            for kind, name, it in records
        ]
        self._owned = owned

    def __call__(self, _service: str, _region: str) -> "FakeZone":
        return self

    def get_paginator(self, name: str) -> Any:
        zone = self

        class Pages:
            def paginate(self, **_: str) -> list[dict[str, Any]]:
                if name == "list_resource_record_sets":
                    return [{"ResourceRecordSets": zone._records}]
                if not zone._owned:
                    missing: Any = {"Error": {"Message": "Stack does not exist"}}
                    raise ClientError(missing, "ListStackResources")
                row = {
                    "ResourceType": "AWS::Route53::RecordSet",
                    "ResourceStatus": "CREATE_COMPLETE",
                    "PhysicalResourceId": "x",
                }
                rows = [{**row, "LogicalResourceId": it} for it in zone._owned]
                return [{"StackResourceSummaries": rows}]

        return Pages()


def existing(
    records: list[tuple[str, str, str]],
    owned: list[str] | None = None,
    environment: Environment = HOME,
) -> list[str]:
    account = Account(environment.region, FakeZone(records, owned or []))
    return _existing_records(environment, account, DOMAIN, "Z1")


@pytest.mark.parametrize(
    ("record", "logical_id"),
    [
        (("A", DOMAIN, ""), "DomainIPv4"),
        (("AAAA", DOMAIN, ""), "DomainIPv6"),
        (("A", f"auth.{DOMAIN}", ""), "SignInRecord"),
        (("A", f"us-east-1.api.{DOMAIN}", ""), "OwnRecord"),
        (("A", f"global-api.{DOMAIN}", "us-east-1"), "SharedRecord"),
    ],
)
def test_record_of_the_stack_itself_is_no_obstacle(
    record: tuple[str, str, str], logical_id: str
) -> None:
    assert len(existing([record])) == 1
    assert len(existing([record], ["Other"])) == 1
    assert existing([record], [logical_id]) == []


@pytest.mark.parametrize(
    "record",
    [
        ("CNAME", DOMAIN, ""),
        ("CNAME", f"global-api.{DOMAIN}", ""),
        ("A", f"global-api.{DOMAIN}", ""),
    ],
)
def test_record_that_excludes_ours_is_an_obstacle(record: tuple[str, str, str]) -> None:
    assert len(existing([record], ["DomainIPv4", "SharedRecord"])) == 1


def test_other_records_of_the_zone_are_no_obstacle() -> None:
    others = [
        ("MX", DOMAIN, ""),
        ("A", f"www.{DOMAIN}", ""),
        ("A", f"global-api.{DOMAIN}", "ap-south-1"),
    ]
    assert existing(others) == []


def test_further_region_creates_no_record_of_the_portal() -> None:
    mumbai = replace(HOME, region="ap-south-1", overrides={"Stage": "dev"})
    assert existing([("A", DOMAIN, "")], environment=mumbai) == []
    assert existing([("A", f"ap-south-1.api.{DOMAIN}", "")], environment=mumbai)
