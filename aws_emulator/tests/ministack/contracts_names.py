"""Contracts of the patches for Route 53."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import stack


def health_check(**config: Any) -> dict[str, Any]:
    """Return a health check resource that asks an endpoint every ten seconds."""
    settings = {
        "Type": "HTTPS",
        "FullyQualifiedDomainName": "eu-west-2.api.example.com",
        "ResourcePath": "/health",
        "RequestInterval": 10,
        "FailureThreshold": 3,
        **config,
    }
    return {"Type": "AWS::Route53::HealthCheck", "Properties": {"HealthCheckConfig": settings}}


def calculated(*children: str) -> dict[str, Any]:
    """Return a health check resource that needs all of its children."""
    config = {
        "Type": "CALCULATED",
        "ChildHealthChecks": [{"Ref": it} for it in children],
        "HealthThreshold": len(children),
    }
    return {"Type": "AWS::Route53::HealthCheck", "Properties": {"HealthCheckConfig": config}}


def health_checks(emulator: Emulator) -> None:
    """CloudFormation creates, updates, replaces and deletes health checks."""
    name = unique("checked")
    client = emulator.client("route53")

    def deployed() -> dict[str, dict[str, Any]]:
        resources = emulator.client("cloudformation").list_stack_resources(StackName=name)
        ids = {
            it["LogicalResourceId"]: it["PhysicalResourceId"]
            for it in resources["StackResourceSummaries"]
        }
        return {
            logical_id: client.get_health_check(HealthCheckId=it)["HealthCheck"]
            for logical_id, it in ids.items()
        }

    own, both = health_check(Inverted=True), calculated("Own")
    emulator.deploy(stack(Own=own, Both=both), name)
    before = deployed()
    assert before["Own"]["HealthCheckConfig"]["Inverted"] is True
    assert before["Both"]["HealthCheckConfig"]["ChildHealthChecks"] == [before["Own"]["Id"]]

    emulator.deploy(stack(Own=health_check(FailureThreshold=2), Both=both), name)
    updated = deployed()
    assert updated["Own"]["Id"] == before["Own"]["Id"]
    assert updated["Own"]["HealthCheckConfig"]["FailureThreshold"] == 2
    assert "Inverted" not in updated["Own"]["HealthCheckConfig"]

    emulator.deploy(stack(Own=health_check(RequestInterval=30), Both=both), name)
    replaced = deployed()
    assert replaced["Own"]["Id"] != before["Own"]["Id"]
    assert replaced["Both"]["HealthCheckConfig"]["ChildHealthChecks"] == [replaced["Own"]["Id"]]

    emulator.delete(name)
    with pytest.raises(ClientError, match="NoSuchHealthCheck"):
        client.get_health_check(HealthCheckId=replaced["Own"]["Id"])


def record_sets(emulator: Emulator) -> None:
    """Neither CloudFormation nor the API creates an alias with a TTL."""
    client = emulator.client("route53")
    domain = f"{unique('zone')}.example"
    zone = client.create_hosted_zone(Name=domain, CallerReference=domain)["HostedZone"]["Id"]
    target = {
        "HostedZoneId": "Z2FDTNDATAQYW2",
        "DNSName": "d1.cloudfront.net",
        "EvaluateTargetHealth": False,
    }
    alias = {"Name": domain, "Type": "A", "AliasTarget": target}

    def deploy(**properties: Any) -> None:
        record = {"Type": "AWS::Route53::RecordSet", "Properties": {**alias, **properties}}
        emulator.deploy(stack(Record=record), unique("names"))

    deploy(HostedZoneId=zone)
    with pytest.raises(AssertionError, match="can't have a TTL"):
        deploy(HostedZoneId=zone, Name=f"www.{domain}", TTL="60")
    change = {"Action": "UPSERT", "ResourceRecordSet": {**alias, "TTL": 60}}
    with pytest.raises(ClientError, match="can't have a TTL"):
        client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
