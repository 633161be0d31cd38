"""Tests of the parsers of record sets and health checks."""

from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber

from aws_emulator.route53.model import Alias, HealthCheck, RecordSet, ZoneError
from aws_emulator.route53.zone_reader import parse_check, parse_record_set, read

RECORD: dict[str, Any] = {
    "Name": "\\052.Example.com.",
    "Type": "A",
    "SetIdentifier": "eu-west-2",
    "Region": "eu-west-2",
    "HealthCheckId": "check",
    "AliasTarget": {
        "HostedZoneId": "Z1",
        "DNSName": "X.Example.com.",
        "EvaluateTargetHealth": True,
    },
}
CHECK: dict[str, Any] = {
    "Id": "check",
    "CallerReference": "1",
    "HealthCheckVersion": 1,
    "HealthCheckConfig": {
        "Type": "HTTPS_STR_MATCH",
        "FullyQualifiedDomainName": "api.example.com",
        "ResourcePath": "health",
        "SearchString": "ok",
        "RequestInterval": 10,
        "FailureThreshold": 2,
        "Inverted": True,
    },
}


def test_alias_record_is_parsed_with_policy_and_check() -> None:
    assert parse_record_set(RECORD) == RecordSet(
        "*.example.com.",
        "A",
        alias=Alias("x.example.com.", evaluates_target_health=True),
        identifier="eu-west-2",
        region="eu-west-2",
        health_check="check",
    )


def test_check_is_parsed_with_the_default_port_of_its_type() -> None:
    assert parse_check(CHECK) == HealthCheck(
        "check",
        "HTTPS_STR_MATCH",
        "api.example.com",
        port=443,
        path="/health",
        search="ok",
        interval_s=10,
        threshold=2,
        is_inverted=True,
    )


@pytest.mark.parametrize("name", ["GeoLocation", "CidrRoutingConfig", "GeoProximityLocation"])
def test_record_with_unsupported_policy_is_refused(name: str) -> None:
    with pytest.raises(ZoneError, match=name):
        parse_record_set(RECORD | {name: {}})


def test_check_on_an_alarm_is_refused() -> None:
    with pytest.raises(ZoneError, match="CLOUDWATCH_METRIC"):
        parse_check({**CHECK, "HealthCheckConfig": {"Type": "CLOUDWATCH_METRIC"}})


def test_reader_skips_private_zones_and_reads_the_records_of_others() -> None:
    client = botocore.session.get_session().create_client(
        "route53", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    zones = [
        {"Id": "/hostedzone/Z1", "Name": "example.com.", "CallerReference": "1"},
        {
            "Id": "/hostedzone/Z2",
            "Name": "internal.",
            "CallerReference": "2",
            "Config": {"PrivateZone": True},
        },
    ]
    page = {"IsTruncated": False, "MaxItems": "100"}
    with Stubber(client) as stub:
        stub.add_response("list_hosted_zones", {"HostedZones": zones, "Marker": "", **page})
        stub.add_response("list_health_checks", {"HealthChecks": [CHECK], "Marker": "", **page})
        stub.add_response(
            "list_resource_record_sets",
            {"ResourceRecordSets": [RECORD], **page},
            {"HostedZoneId": "Z1"},
        )
        deployed = read(client)
    assert [it.name for it in deployed.zones] == ["example.com."]
    assert set(deployed.zones[0].records) == {("*.example.com.", "A")}
    assert set(deployed.checks) == {"check"}


def test_reader_reports_a_failed_call() -> None:
    client = botocore.session.get_session().create_client(
        "route53", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(client) as stub:
        stub.add_client_error("list_hosted_zones", "ServiceUnavailable", http_status_code=503)
        with pytest.raises(ZoneError, match="Can't read the hosted zones"):
            read(client)
