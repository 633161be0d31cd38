"""Logs of web ACLs that AWS WAF refuses, as resources of templates."""

from typing import Any, Final

import pytest

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import stack

BUCKET: Final = "arn:aws:s3:::aws-waf-logs-example"
GROUP: Final = "arn:aws:logs:us-east-1:000000000000:log-group:aws-waf-logs-example"
_VISIBILITY: Final = {
    "SampledRequestsEnabled": True,
    "CloudWatchMetricsEnabled": True,
    "MetricName": "m",
}


def deploy(emulator: Emulator, **properties: Any) -> str:
    """Deploy a web ACL with a log; return the stack's name."""
    name = unique("logged")
    acl = {
        "Type": "AWS::WAFv2::WebACL",
        "Properties": {
            "Name": name,
            "Scope": "REGIONAL",
            "DefaultAction": {"Allow": {}},
            "VisibilityConfig": _VISIBILITY,
        },
    }
    log = {
        "Type": "AWS::WAFv2::LoggingConfiguration",
        "Properties": {
            "ResourceArn": {"Fn::GetAtt": ["Acl", "Arn"]},
            "LogDestinationConfigs": [BUCKET],
            **properties,
        },
    }
    emulator.deploy(stack(Acl=acl, Log=log), name)
    return name


def refused(emulator: Emulator, reason: str, **properties: Any) -> None:
    with pytest.raises(Exception, match=reason):
        deploy(emulator, **properties)


def test_waf_refuses_log_destination(emulator: Emulator) -> None:
    for destination in (BUCKET, f"{BUCKET}/prefix", GROUP):
        deploy(emulator, LogDestinationConfigs=[destination])
    refused(emulator, "LOG_DESTINATION", LogDestinationConfigs=["arn:aws:s3:::waf-logs-example"])
    refused(emulator, "LOG_DESTINATION", LogDestinationConfigs=[GROUP.replace("aws-waf", "waf")])
    refused(emulator, "one log destination", LogDestinationConfigs=[BUCKET, GROUP])
    elsewhere = GROUP.replace("us-east-1", "eu-west-2")
    refused(emulator, "another Region", LogDestinationConfigs=[elsewhere])


def test_waf_refuses_log_without_web_acl_and_of_other_fields(emulator: Emulator) -> None:
    redacted = [{"QueryString": {}}, {"SingleHeader": {"Name": "cookie"}}]
    deploy(emulator, RedactedFields=redacted)
    refused(emulator, "can't be redacted", RedactedFields=[{"Body": {}}])
    missing = "arn:aws:wafv2:us-east-1:000000000000:regional/webacl/none/none"
    refused(emulator, "couldn't find the web ACL", ResourceArn=missing)
