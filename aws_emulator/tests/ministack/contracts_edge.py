"""Contracts of patches for functions that CloudFront runs, and for its web ACL."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import ROLE, function, stack

_CODE = "def handler(event, context):\n    return event\n"


def edge_replicas(emulator: Emulator) -> None:
    """Lambda refuses to delete a function while a distribution has one of its versions."""
    name = unique("replicated")
    emulator.deploy(stack(Role=ROLE, Edge=function(name, _CODE)), name)
    functions = emulator.client("lambda")
    used = functions.publish_version(FunctionName=name)["FunctionArn"]
    functions.update_function_configuration(FunctionName=name, Description="another version")
    unused = functions.publish_version(FunctionName=name)["FunctionArn"]
    behavior = {
        "TargetOriginId": "site",
        "ViewerProtocolPolicy": "redirect-to-https",
        "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
        "LambdaFunctionAssociations": [{"EventType": "viewer-request", "LambdaFunctionARN": used}],
    }
    origin = {
        "Id": "site",
        "DomainName": "site.example",
        "CustomOriginConfig": {"OriginProtocolPolicy": "https-only"},
    }
    distribution = {
        "Type": "AWS::CloudFront::Distribution",
        "Properties": {
            "DistributionConfig": {
                "Enabled": True,
                "Origins": [origin],
                "DefaultCacheBehavior": behavior,
            }
        },
    }
    front = unique("front")
    emulator.deploy(stack(Distribution=distribution), front)

    functions.delete_function(FunctionName=unused)
    for target in (name, used):
        with pytest.raises(ClientError, match="replicated function") as refused:
            functions.delete_function(FunctionName=target)
        assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    emulator.delete(front)
    functions.delete_function(FunctionName=used)
    emulator.delete(name)


def web_acl_responses(emulator: Emulator) -> None:
    """A web ACL keeps the bodies of its custom responses, also after an update."""
    name, firewall = unique("acl"), emulator.client("wafv2")
    visibility = {
        "CloudWatchMetricsEnabled": False,
        "SampledRequestsEnabled": False,
        "MetricName": "acl",
    }

    def template(text: str) -> dict[str, Any]:
        response = {"ResponseCode": 404, "CustomResponseBodyKey": "refusal"}
        properties = {
            "Name": name,
            "Scope": "CLOUDFRONT",
            "DefaultAction": {"Block": {"CustomResponse": response}},
            "VisibilityConfig": visibility,
            "CustomResponseBodies": {"refusal": {"ContentType": "TEXT_PLAIN", "Content": text}},
        }
        return stack(Acl={"Type": "AWS::WAFv2::WebACL", "Properties": properties})

    def stored() -> dict[str, Any]:
        acls = firewall.list_web_acls(Scope="CLOUDFRONT")["WebACLs"]
        (identifier,) = (it["Id"] for it in acls if it["Name"] == name)
        return dict(firewall.get_web_acl(Name=name, Scope="CLOUDFRONT", Id=identifier))

    for text in ("first", "second"):
        emulator.deploy(template(text), name)
        bodies = stored()["WebACL"].get("CustomResponseBodies")
        assert bodies == {"refusal": {"ContentType": "TEXT_PLAIN", "Content": text}}
    answer = stored()
    firewall.update_web_acl(
        Name=name,
        Scope="CLOUDFRONT",
        Id=answer["WebACL"]["Id"],
        DefaultAction={"Allow": {}},
        VisibilityConfig=visibility,
        LockToken=answer["LockToken"],
    )
    assert "CustomResponseBodies" not in stored()["WebACL"]
    emulator.delete(name)
