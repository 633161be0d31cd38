"""Rules for the domain names: records, certificates and health checks."""

from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import TEMPLATES, load, of_type, resources
from tests.unit.stacks.transformed import all_stacks, transformed
from tools.operations import evacuate

NAMES: Final = ROOT / "stacks" / "names.yaml"
EDGE: Final = ROOT / "stacks" / "edge.yaml"
SIGN_IN: Final = ROOT / "stacks" / "sign-in-name.yaml"
SHARED, OWN = "global-api.${Domain}", "${AWS::Region}.api.${Domain}"
RECORDS: Final = [
    pytest.param(it["Properties"], id=name)
    for path in TEMPLATES
    for name, it in of_type(path, "AWS::Route53::RecordSet").items()
]
#: The hosted zone of all CloudFront distributions (API reference, AliasTarget).
ENDPOINT: Final = "x-amazon-apigateway-endpoint-configuration"
CLOUDFRONT_ZONE: Final = "Z2FDTNDATAQYW2"


def checks() -> dict[str, dict[str, Any]]:
    return {
        name: it["Properties"]["HealthCheckConfig"]
        for name, it in of_type(NAMES, "AWS::Route53::HealthCheck").items()
    }


@pytest.mark.parametrize("record", RECORDS)
def test_record_is_an_alias_without_ttl(record: dict[str, Any]) -> None:
    assert "AliasTarget" in record
    assert not {"TTL", "ResourceRecords"} & record.keys()
    # Route 53 can't evaluate a distribution, and the health of an API has a check. The targets of a
    # load balancer have checks of its own.
    is_balancers = record["Name"] == {"Fn::Sub": "global-alb.${Domain}"}
    assert record["AliasTarget"]["EvaluateTargetHealth"] is is_balancers


def test_no_health_check_asks_the_name_of_all_regions() -> None:
    asked = {name: str(it.get("FullyQualifiedDomainName")) for name, it in checks().items()}
    assert asked["OwnHealth"] == asked["QueueHealth"] == str({"Fn::Sub": OWN})
    assert not [name for name, it in asked.items() if "global" in it]


def test_latency_record_has_the_region_and_its_own_check() -> None:
    (record,) = (
        it["Properties"]
        for it in of_type(NAMES, "AWS::Route53::RecordSet").values()
        if "Region" in it["Properties"]
    )
    assert record["Name"] == {"Fn::Sub": SHARED}
    assert record["Region"] == record["SetIdentifier"] == {"Ref": "AWS::Region"}
    assert record["HealthCheckId"] == {"Ref": "Serving"}


def test_region_serves_only_if_it_is_healthy_and_not_evacuated() -> None:
    serving = checks()["Serving"]
    assert serving["Type"] == "CALCULATED"
    own, queue, marked = serving["ChildHealthChecks"]
    assert (own, queue) == ({"Ref": "OwnHealth"}, {"Ref": "QueueHealth"})
    assert marked["Fn::If"][:2] == ["HasMarkRegion", {"Ref": "NotEvacuated"}]
    # All children must be healthy.
    assert serving["HealthThreshold"] == {"Fn::If": ["HasMarkRegion", 3, 2]}
    assert "Inverted" not in checks()["OwnHealth"]
    assert checks()["NotEvacuated"]["Inverted"] is True


def test_times_of_the_checks_are_those_of_the_evacuation() -> None:
    for name in ("OwnHealth", "QueueHealth", "NotEvacuated"):
        check = checks()[name]
        assert check["RequestInterval"] == evacuate.INTERVAL_S
        assert check["FailureThreshold"] == evacuate.THRESHOLD
        # The least number of checkers' Regions, none of which is the edge's.
        assert len(set(check["Regions"])) == 3
        assert "us-east-1" not in check["Regions"]


def test_certificate_has_both_names_of_the_region() -> None:
    (certificate,) = of_type(NAMES, "AWS::CertificateManager::Certificate").values()
    properties = certificate["Properties"]
    names = [properties["DomainName"], *properties["SubjectAlternativeNames"]]
    assert names == [{"Fn::Sub": SHARED}, {"Fn::Sub": OWN}]
    validated = [it["DomainName"] for it in properties["DomainValidationOptions"]]
    assert validated == names


def test_distribution_has_ipv4_and_ipv6_records() -> None:
    records = [it["Properties"] for it in of_type(EDGE, "AWS::Route53::RecordSet").values()]
    assert {it["Type"] for it in records} == {"A", "AAAA"}
    assert {it["AliasTarget"]["HostedZoneId"] for it in records} == {CLOUDFRONT_ZONE}


def test_sign_in_pages_have_a_name_after_the_distribution_has_its_own() -> None:
    """Cognito wants a certificate in us-east-1, and a record of the parent domain."""
    (domain,) = of_type(SIGN_IN, "AWS::Cognito::UserPoolDomain").values()
    assert domain["Properties"]["Domain"] == {"Fn::Sub": "auth.${Domain}"}
    assert domain["Properties"]["ManagedLoginVersion"] == 2
    certificate = resources(EDGE)["Certificate"]["Properties"]
    assert certificate["SubjectAlternativeNames"] == [domain["Properties"]["Domain"]]
    validated = [it["DomainName"] for it in certificate["DomainValidationOptions"]]
    assert validated == [certificate["DomainName"], *certificate["SubjectAlternativeNames"]]
    (record,) = of_type(SIGN_IN, "AWS::Route53::RecordSet").values()
    target = record["Properties"]["AliasTarget"]
    assert target["DNSName"] == {"Fn::GetAtt": "SignInDomain.CloudFrontDistribution"}
    assert target["HostedZoneId"] == CLOUDFRONT_ZONE
    # In a home with the edge, the reference makes CloudFormation create the edge first.
    passed = resources(ROOT / "template.yaml")["SignInName"]["Properties"]["Parameters"]
    assert passed["CertificateArn"]["Fn::If"][:2] == [
        "IsEdge",
        {"Fn::GetAtt": "Edge.Outputs.SignInCertificateArn"},
    ]


def test_throttled_health_request_is_no_failure() -> None:
    """A stranger who throttles the health checkers must not evacuate the Region."""
    api = resources(NAMES)["HealthApi"]["Properties"]["DefinitionBody"]
    response = api["x-amazon-apigateway-gateway-responses"]["THROTTLED"]
    assert response["statusCode"] == 200
    # Nor does it look like the mark of an evacuation.
    (body,) = response["responseTemplates"].values()
    assert checks()["NotEvacuated"]["SearchString"] not in body


def test_health_reads_only_marks_of_the_own_region() -> None:
    (policy,) = resources(NAMES)["HealthRole"]["Properties"]["Policies"]
    statement, queue = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "dynamodb:GetItem"
    assert "${AWS::Region}" in statement["Resource"]["Fn::Sub"]
    assert statement["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["HEALTH", "EVACUATED#*"]}
    }
    assert queue["Action"] == "sqs:GetQueueAttributes"
    assert "${AWS::Region}" in queue["Resource"]["Fn::Sub"]
    targets = dict.fromkeys(("region", "evacuation"), "dynamodb:action/GetItem")
    targets["queue"] = "sqs:path/${AWS::AccountId}/meridian-${Stage}-feedback"
    for name, target in targets.items():
        document = load(ROOT / "src" / "stepfunctions" / "health" / f"{name}.yaml")
        uri = document["get"]["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
        assert uri.endswith(f":${{AWS::Region}}:{target}")
        assert "HomeRegion" not in str(document)


def test_alarm_of_each_region_is_in_the_edge_stack() -> None:
    """Route 53 publishes the metrics of health checks in us-east-1 only."""
    (alarm,) = of_type(ROOT / "stacks" / "health-alarms.yaml", "AWS::CloudWatch::Alarm").values()
    assert alarm["Properties"]["Dimensions"][0]["Name"] == "HealthCheckId"
    parents = [
        path.name
        for path in TEMPLATES
        for it in of_type(path, "AWS::Serverless::Application").values()
        if it["Properties"]["Location"] == "health-alarms.yaml"
    ]
    # A stage has at most five Regions with an API.
    assert parents == ["edge-alarms.yaml"] * 5
    assert load(NAMES)["Outputs"]["HealthCheckId"]["Value"] == {"Ref": "Serving"}


def endpoints() -> list[Any]:
    """Each API whose definition configures its execute-api endpoint, with its stage's variables."""
    configured = []
    for path, _ in all_stacks():
        deployed = transformed(path)["Resources"]
        for name, api in deployed.items():
            if api["Type"] != "AWS::ApiGateway::RestApi":
                continue
            servers = api["Properties"]["Body"].get("servers", [])
            settings = [server[ENDPOINT]["disableExecuteApiEndpoint"] for server in servers]
            stages = [
                stage["Properties"].get("Variables", {})
                for stage in deployed.values()
                if stage["Type"] == "AWS::ApiGateway::Stage"
                and stage["Properties"]["RestApiId"] == {"Ref": name}
            ]
            configured.append(pytest.param(path, settings, stages, id=f"{path.stem}.{name}"))
    return configured


@pytest.mark.parametrize(("path", "settings", "stages"), endpoints())
def test_change_of_endpoint_updates_a_stage(
    path: Path, settings: list[Any], stages: list[dict[str, Any]]
) -> None:
    """ "This setting takes effect when you update any setting on any stage"."""
    (setting,), (variables,) = settings, stages
    if setting is True:
        return
    condition = transformed(path)["Conditions"][setting["Fn::If"][0]]
    (parameter,) = [it for it in condition["Fn::Equals"] if isinstance(it, dict)]
    assert setting["Fn::If"][1:] == [True, False]
    assert condition == {"Fn::Equals": [parameter, "disabled"]}
    assert parameter in variables.values()


def test_endpoint_is_enabled_without_a_domain() -> None:
    """CloudFront has no other name of the API then."""
    school = load(ROOT / "template.yaml")["Resources"]["School"]["Properties"]["Parameters"]
    expected = {"Fn::If": ["HasDomain", {"Ref": "ExecuteApiEndpoint"}, "enabled"]}
    assert school["ExecuteApiEndpoint"] == expected
