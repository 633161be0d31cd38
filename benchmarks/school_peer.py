"""Deploy the workflow with which `benchmarks/school.py` compares an account."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any, Final

from benchmarks import school_naive
from tools.dev import system
from tools.stack import client

_MACHINES: Final = "arn:aws:states:us-east-1:000000000000:stateMachine"
_PRINCIPALS: Final = ("apigateway", "lambda", "states")
_LAMBDA_URI: Final = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31"


def deploy(running: system.System, functions: Any) -> str:
    """Create the peer's role, table, functions, workflow and API; return the API's ID."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("school_naive.py", Path(school_naive.__file__).read_text())
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": [f"{it}.amazonaws.com" for it in _PRINCIPALS]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    identities = client("iam", running.target)
    role = identities.create_role(RoleName="naive", AssumeRolePolicyDocument=json.dumps(trust))[
        "Role"
    ]["Arn"]
    identities.put_role_policy(
        RoleName="naive",
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    client("dynamodb", running.target).create_table(
        TableName=school_naive.TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "email", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "email", "KeyType": "HASH"}],
    )
    arns = {}
    for part in ("front", *school_naive.STEPS):
        arns[part] = functions.create_function(
            FunctionName=f"naive-{part}",
            Runtime="python3.13",
            Handler=f"school_naive.{part}",
            Role=role,
            MemorySize=512,
            Timeout=20,
            Code={"ZipFile": package.getvalue()},
            Environment={"Variables": {"MACHINE": f"{_MACHINES}:naive"}},
        )["FunctionArn"]
    text = json.dumps(school_naive.DEFINITION)
    for part, arn in arns.items():
        text = text.replace(f"{{{part}}}", arn)
    client("stepfunctions", running.target).create_state_machine(
        name="naive", definition=text, roleArn=role
    )
    return _deploy_api(running, arns["front"], role)


def _deploy_api(running: system.System, front: str, role: str) -> str:
    """Create the peer's API with CloudFormation, which imports the document; return its ID."""
    described = {
        "responses": {"200": {"description": "Started."}},
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "credentials": role,
            "uri": f"{_LAMBDA_URI}/functions/{front}/invocations",
        },
    }
    document = {
        "openapi": "3.0.1",
        "info": {"title": "naive", "version": "1"},
        "paths": {"/accounts": {"post": described}},
    }
    resources = {
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": document}},
        "Deployment": {
            "Type": "AWS::ApiGateway::Deployment",
            "Properties": {"RestApiId": {"Ref": "Api"}, "StageName": "peer"},
        },
    }
    cloudformation = client("cloudformation", running.target)
    body, stack = json.dumps({"Resources": resources}), {"StackName": "naive"}
    cloudformation.create_stack(TemplateBody=body, **stack)
    cloudformation.get_waiter("stack_create_complete").wait(**stack)
    named = cloudformation.describe_stack_resource(LogicalResourceId="Api", **stack)
    return str(named["StackResourceDetail"]["PhysicalResourceId"])
