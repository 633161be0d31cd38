"""Contracts of the patches for API Gateway and service roles."""

import json
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from botocore.exceptions import ClientError

from aws_emulator.tests.ministack.running import HOME, Emulator, unique
from aws_emulator.tests.ministack.templates import stack

_DISABLED = "disableExecuteApiEndpoint"
_INTEGRATION = {
    "type": "aws",
    "httpMethod": "POST",
    "uri": "arn:aws:apigateway:us-east-1:sqs:path/000000000000/orders",
    "credentials": "arn:aws:iam::000000000000:role/orders",
    "passthroughBehavior": "never",
    "requestTemplates": {"application/json": "Action=SendMessage"},
    "responses": {"default": {"statusCode": "202", "responseTemplates": {"text/plain": "ok"}}},
}


def _document(title: str) -> dict[str, Any]:
    return {
        "openapi": "3.0.1",
        "info": {"title": title, "version": "1"},
        "x-amazon-apigateway-request-validators": {"all": {"validateRequestBody": True}},
        "x-amazon-apigateway-gateway-responses": {"THROTTLED": {"statusCode": "429"}},
        "components": {"schemas": {"Order": {"type": "object"}}},
        "paths": {
            "/orders": {
                "post": {
                    "responses": {"202": {"description": "sent"}},
                    "x-amazon-apigateway-integration": _INTEGRATION,
                }
            }
        },
    }


def rest_api_export(emulator: Emulator) -> None:
    """GetExport returns the whole imported document, also after an update."""
    name = unique("api")
    gateway = emulator.client("apigateway")
    for title in ("Before", "After"):
        api = emulator.deploy(_stage_template(title, {}, title), name)["Api"]
        exported = gateway.get_export(
            restApiId=api,
            stageName="api",
            exportType="oas30",
            parameters={"extensions": "apigateway"},
        )
        assert json.loads(exported["body"].read()) == _document(title)
        (listed,) = [it for it in gateway.get_rest_apis()["items"] if it["id"] == api]
        assert set(listed) <= set(gateway.meta.service_model.shape_for("RestApi").members)


def rest_api_updates(emulator: Emulator) -> None:
    """A changed Body keeps the API, and waits for a deployment; its endpoint, for a stage."""
    name = unique("endpoint")
    gateway = emulator.client("apigateway")

    def deployed(title: str, setting: str, deployment: str, **stage: Any) -> tuple[Any, ...]:
        settings = {"x-amazon-apigateway-endpoint-configuration": {_DISABLED: setting == "off"}}
        template = _stage_template(title, stage, deployment)
        template["Resources"]["Api"]["Properties"]["Body"]["servers"] = [settings]
        api = emulator.deploy(template, name)["Api"]
        exported = gateway.get_export(
            restApiId=api,
            stageName="api",
            exportType="oas30",
            parameters={"extensions": "apigateway"},
        )
        document = json.loads(exported["body"].read())
        (server,) = document["servers"]
        in_effect = server.get("x-amazon-apigateway-endpoint-configuration", {}).get(_DISABLED)
        configured = gateway.get_rest_api(restApiId=api)[_DISABLED]
        return api, document["info"]["title"], configured, in_effect

    api, *first = deployed("first", "on", "One")
    assert first == ["first", False, False]
    # Only a new deployment serves another document.
    assert deployed("second", "on", "One") == (api, "first", False, False)
    assert deployed("second", "on", "Two") == (api, "second", False, False)
    # "This setting takes effect when you update any setting on any stage".
    assert deployed("second", "off", "Two") == (api, "second", True, False)
    assert deployed("second", "off", "Two", Variables={"a": "1"}) == (api, "second", True, True)
    assert deployed("second", "on", "Two", Variables={"a": "1"}) == (api, "second", False, True)
    assert deployed("third", "on", "Three", Variables={"a": "1"}) == (api, "third", False, False)
    assert [it["id"] for it in gateway.get_rest_apis()["items"] if it["name"] == "third"] == [api]


def stage_access_logs(emulator: Emulator) -> None:
    """GetStage returns the access log of a stage in a template, also after an update."""
    name = unique("logged")
    gateway = emulator.client("apigateway")
    arn = "arn:aws:logs:us-east-1:000000000000:log-group:logged"
    for text in ("$context.requestId", "$context.requestId $context.status"):
        access_log = {"DestinationArn": arn, "Format": text}
        resources = _stage_template(name, {"AccessLogSetting": access_log})
        api = emulator.deploy(resources, name)["Api"]
        access_log_settings = gateway.get_stage(restApiId=api, stageName="api")["accessLogSettings"]
        assert access_log_settings == {"destinationArn": arn, "format": text}


def _stage_template(
    title: str, settings: dict[str, Any], deployment: str = "Deployment"
) -> dict[str, Any]:
    """Return an API with a stage; `deployment` is the logical ID of its deployment."""
    resources: dict[str, Any] = {
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": _document(title)}},
        deployment: {
            "Type": "AWS::ApiGateway::Deployment",
            "Properties": {"RestApiId": {"Ref": "Api"}},
        },
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "DeploymentId": {"Ref": deployment},
                "StageName": "api",
                **settings,
            },
        },
    }
    template = stack(**resources)
    return {**template, "Outputs": {"Api": {"Value": {"Ref": "Api"}}}}


def service_roles(emulator: Emulator) -> None:
    """A service gets credentials for a role that trusts it, with the role's permissions only."""
    name = unique("orders")
    url = emulator.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    emulator.client("sqs").create_queue(QueueName=f"{name}-other")
    trust = {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}}
    role = emulator.client("iam").create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{**trust, "Action": "sts:AssumeRole"}]}
        ),
    )["Role"]["Arn"]
    allowed = {"Effect": "Allow", "Action": "sqs:SendMessage"}
    emulator.client("iam").put_role_policy(
        RoleName=name,
        PolicyName="send",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{**allowed, "Resource": f"arn:aws:sqs:{HOME}:000000000000:{name}"}],
            }
        ),
    )
    credentials = _assume(emulator, "apigateway.amazonaws.com", role)["Credentials"]
    sqs = boto3.client(
        "sqs",
        region_name=HOME,
        endpoint_url=emulator.endpoint,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    assert sqs.send_message(QueueUrl=url, MessageBody="hello")["MessageId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        sqs.send_message(QueueUrl=f"{url}-other", MessageBody="hello")
    with pytest.raises(AssertionError, match="400"):
        _assume(emulator, "events.amazonaws.com", role)


def _assume(emulator: Emulator, service: str, role: str) -> Any:
    query = urlencode({"service": service, "role": role})
    return emulator.local(f"service-role?{query}", "POST")


def generated_secrets(emulator: Emulator) -> None:
    """A generated secret has the characters and the length that the template allows."""
    name = unique("secret")
    properties = {"GenerateSecretString": {"PasswordLength": 200, "ExcludePunctuation": True}}
    template = stack(Key={"Type": "AWS::SecretsManager::Secret", "Properties": properties})
    template["Outputs"] = {"Key": {"Value": {"Ref": "Key"}}}
    outputs = emulator.deploy(template, name)
    secret_id = outputs["Key"]
    text = emulator.client("secretsmanager").get_secret_value(SecretId=secret_id)["SecretString"]
    assert len(text) == 200
    assert text.isalnum()


def identity_providers(emulator: Emulator) -> None:
    """A stack creates an OIDC provider once, and deletes it."""
    name, iam = unique("provider"), emulator.client("iam")
    properties = {"Url": f"https://{name}.example", "ClientIdList": ["sts.amazonaws.com"]}
    template = stack(Provider={"Type": "AWS::IAM::OIDCProvider", "Properties": properties})
    template["Outputs"] = {"Arn": {"Value": {"Ref": "Provider"}}}
    arn = emulator.deploy(template, name)["Arn"]
    described = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert described["ClientIDList"] == ["sts.amazonaws.com"]
    with pytest.raises(AssertionError, match="already exists"):
        emulator.deploy(template, f"{name}-again")
    emulator.delete(name)
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
