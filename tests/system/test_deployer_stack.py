"""The documented commands create the pipeline's roles, which can do what they need and no more."""

import base64
import json
import re
import shlex
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import boto3
import pytest
from botocore.exceptions import ClientError
from pytest_socket import enable_socket

from aws_emulator.launcher import Emulator
from aws_emulator.processes import free_port, supervise
from aws_emulator.sam_cli import SAM
from tests.support.paths import ROOT
from tests.support.running import state_folder
from tools.deployment import adoption, leftovers, recovery
from tools.deployment.environments import read_environment
from tools.deployment.stacks import UNKNOWN_OWNER, Stacks
from tools.stack import DEFAULT_HOME_REGION, StackTarget, outputs_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

STACK: Final = "meridian-deployer"
ACCOUNT: Final = "000000000000"
#: The prefix of the stack's outputs for each stage.
STAGES: Final = {"Staging": "staging", "Production": "prod"}
TRUST: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


@dataclass
class Deployer:
    """The deployed stack: its outputs, and clients with the rights of staging's roles."""

    emulator: Emulator
    outputs: dict[str, str]

    def as_cloudformation(self, service: str, region: str = DEFAULT_HOME_REGION) -> Any:
        """Return a client with the role that CloudFormation assumes."""
        role = self.outputs["StagingServiceRoleArn"]
        query = urllib.parse.urlencode({"service": "cloudformation.amazonaws.com", "role": role})
        url = f"{self.emulator.endpoint}/_local/service-role?{query}"
        request = urllib.request.Request(url, method="POST")
        with urllib.request.urlopen(request, timeout=60) as response:
            issued = json.load(response)["Credentials"]
        return self._client(service, region, issued)

    def as_job(
        self, service: str, region: str = DEFAULT_HOME_REGION, *, environment: str = "staging"
    ) -> Any:
        """Return a client with staging's role, which a job's token of an environment assumes.

        Raises:
            ClientError: The role doesn't trust the token.
        """
        claims = {
            "iss": "https://token.actions.githubusercontent.com",
            "aud": "sts.amazonaws.com",
            "sub": f"repo:owner@1234/name@5678:environment:{environment}",
        }
        parts = [base64.urlsafe_b64encode(json.dumps(it).encode()) for it in ({}, claims, {})]
        issued = self.emulator.client("sts").assume_role_with_web_identity(
            RoleArn=self.outputs["StagingDeployRoleArn"],
            RoleSessionName="job",
            WebIdentityToken=b".".join(parts).decode(),
        )["Credentials"]
        return self._client(service, region, issued)

    def _client(self, service: str, region: str, issued: dict[str, Any]) -> Any:
        return boto3.client(  # type: ignore[call-overload]  # any service, by name
            service,
            region_name=region,
            endpoint_url=self.emulator.endpoint,
            aws_access_key_id=issued["AccessKeyId"],
            aws_secret_access_key=issued["SecretAccessKey"],
            aws_session_token=issued["SessionToken"],
        )


def commands() -> list[list[str]]:
    """Return the commands of docs/deploying.md that create the stack, as argument lists."""
    text = (ROOT / "docs" / "deploying.md").read_text()
    lines = re.findall(r"^sam (?:build|deploy) -t .*deployer.*$", text, re.MULTILINE)
    return [[*SAM, *shlex.split(line)[1:]] for line in lines]


@pytest.fixture(scope="module")
def deployer() -> Iterator[Deployer]:
    enable_socket()
    folder = state_folder("test-deployer-stack")
    with supervise(folder) as processes:
        emulator = Emulator(processes, free_port())
        emulator.start_ministack()
        environment = StackTarget(emulator.endpoint, DEFAULT_HOME_REGION, "deployer").environment()
        assert [it[len(SAM)] for it in commands()] == ["build", "deploy"]
        # The second deployment finds nothing to change.
        for command in [*commands(), [*commands()[1], "--no-fail-on-empty-changeset"]]:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
        (stack,) = emulator.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        yield Deployer(emulator, outputs_of(stack))


@pytest.mark.parametrize(("prefix", "stage"), STAGES.items())
def test_outputs_name_existing_roles_and_the_boundary(
    deployer: Deployer, prefix: str, stage: str
) -> None:
    iam = deployer.emulator.client("iam")
    for output, name in (("DeployRoleArn", "deployer"), ("ServiceRoleArn", "cloudformation")):
        role = iam.get_role(RoleName=f"meridian-{name}-{stage}")["Role"]
        assert role["Arn"] == deployer.outputs[f"{prefix}{output}"]
    boundary = iam.get_policy(PolicyArn=deployer.outputs[f"{prefix}BoundaryArn"])["Policy"]
    assert boundary["PolicyName"] == f"meridian-boundary-{stage}"
    attached = iam.list_attached_role_policies(RoleName=f"meridian-cloudformation-{stage}")
    assert {it["PolicyName"] for it in attached["AttachedPolicies"]} == {
        f"meridian-cloudformation-{stage}-catalogue",
        f"meridian-cloudformation-{stage}-data",
        f"meridian-cloudformation-{stage}-deployment",
        f"meridian-cloudformation-{stage}-edge",
        f"meridian-cloudformation-{stage}-functions",
        f"meridian-cloudformation-{stage}-names",
        f"meridian-cloudformation-{stage}-network",
    }


@pytest.mark.parametrize(("environment", "stage"), [("staging", "staging"), ("production", "prod")])
def test_github_assumes_a_role_with_a_token_of_its_environment(
    deployer: Deployer, environment: str, stage: str
) -> None:
    iam = deployer.emulator.client("iam")
    (provider,) = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    role = iam.get_role(RoleName=f"meridian-deployer-{stage}")["Role"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Federated": provider["Arn"]}
    condition = statement["Condition"]["StringEquals"]
    subject = f"repo:owner@1234/name@5678:environment:{environment}"
    assert condition["token.actions.githubusercontent.com:sub"] == subject


def test_job_of_another_environment_does_not_get_the_role(deployer: Deployer) -> None:
    assert deployer.as_job("sts").get_caller_identity()["Arn"].endswith("staging/job")
    assert refused(deployer.as_job, service="sts", environment="production")


def test_only_production_has_the_policy_of_sams_buckets(deployer: Deployer) -> None:
    iam = deployer.emulator.client("iam")
    for stage, policies in (("staging", ["deploy"]), ("prod", ["deploy", "sam-buckets"])):
        names = iam.list_role_policies(RoleName=f"meridian-deployer-{stage}")["PolicyNames"]
        assert sorted(names) == policies


def refused(call: Callable[..., Any], **arguments: Any) -> bool:
    """Return whether IAM refuses a call."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"].startswith(("AccessDenied", "UnauthorizedOperation"))
    return False


def test_cloudformation_creates_no_role_without_the_boundary(deployer: Deployer) -> None:
    """The emulator refuses the boundary, too: it has no condition key iam:PermissionsBoundary."""
    iam = deployer.as_cloudformation("iam")
    role = {"RoleName": "meridian-staging-test", "AssumeRolePolicyDocument": json.dumps(TRUST)}
    assert refused(iam.create_role, **role)
    boundary = deployer.outputs["StagingBoundaryArn"]
    assert refused(iam.create_role, **role | {"RoleName": "other"}, PermissionsBoundary=boundary)


def test_cloudformation_cannot_change_the_pipelines_roles(deployer: Deployer) -> None:
    iam = deployer.as_cloudformation("iam")
    for name in ("meridian-deployer-staging", "meridian-cloudformation-prod"):
        assert refused(iam.delete_role, RoleName=name)
        assert refused(
            iam.attach_role_policy,
            RoleName=name,
            PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess",
        )


def test_cloudformation_creates_resources_of_its_stage_only(deployer: Deployer) -> None:
    queues = deployer.as_cloudformation("sqs")
    queues.create_queue(QueueName="meridian-staging-test")
    assert refused(queues.create_queue, QueueName="other")
    assert refused(queues.create_queue, QueueName="meridian-prod-test")
    secrets = deployer.as_cloudformation("secretsmanager")
    secrets.create_secret(Name="meridian-staging-test", SecretString="text")
    assert refused(secrets.create_secret, Name="other", SecretString="text")
    assert refused(secrets.create_secret, Name="meridian-prod-test", SecretString="text")
    # Without the tag of the stage.
    assert refused(deployer.as_cloudformation("ec2").create_vpc, CidrBlock="10.0.0.0/16")


@pytest.fixture
def left(deployer: Deployer) -> Iterator[dict[str, str]]:
    """What a deleted stack of staging left: a pool with a user and a group, a queue, a table."""
    cognito, name = deployer.emulator.client("cognito-idp"), "meridian-staging"
    pool = cognito.create_user_pool(
        PoolName=name, UserPoolTags={"stage": "staging"}, UsernameAttributes=["email"]
    )["UserPool"]["Id"]
    cognito.create_group(UserPoolId=pool, GroupName="paying")
    cognito.admin_create_user(UserPoolId=pool, Username="kept@example.org")
    sqs = deployer.emulator.client("sqs")
    queue = sqs.create_queue(QueueName=f"{name}-feedback")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="kept")
    yield {"pool": pool, "queue": queue}
    cloudformation = deployer.emulator.client("cloudformation")
    stacks, root = Stacks(cloudformation, 0.1), read_environment("staging").stack_name
    for stack in reversed(stacks.existing(root, ["Foundation", "School"])):
        stacks.delete(stack)
    cognito.delete_user_pool(UserPoolId=pool)
    sqs.delete_queue(QueueUrl=queue)


def test_job_of_the_pipeline_adopts_leftovers_of_deleted_stack(
    deployer: Deployer, left: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `make deploy` does: it looks for stacks and leftovers, then imports those with data."""
    environment = read_environment("staging")
    monkeypatch.setenv("SERVICE_ROLE_ARN", deployer.outputs["StagingServiceRoleArn"])
    recovered = recovery.recover(environment, deployer.as_job, ACCOUNT)
    assert leftovers.refused(recovered.leftovers) == []
    adopted = adoption.adopt(environment, deployer.as_job, ACCOUNT, recovered.leftovers, poll_s=0.1)
    assert {it.physical_id for it in adopted} == {left["pool"], left["queue"]}
    owned = Stacks(deployer.as_job("cloudformation")).owned(environment.stack_name)
    assert owned >= {
        ("AWS::Cognito::UserPool", "UserPool"),
        ("AWS::Cognito::UserPoolGroup", "PayingGroup"),
        ("AWS::SQS::Queue", "FeedbackQueue"),
    }


def test_job_does_not_read_the_stack_of_another_application(
    deployer: Deployer, left: dict[str, str]
) -> None:
    cloudformation = deployer.emulator.client("cloudformation")
    resource = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "other"}}
    body = json.dumps({"Resources": {"Topic": resource}})
    cloudformation.create_stack(StackName="other", TemplateBody=body)
    cloudformation.get_waiter("stack_create_complete").wait(StackName="other")
    topic = f"arn:aws:sns:{DEFAULT_HOME_REGION}:{ACCOUNT}:other"
    stacks = Stacks(deployer.as_job("cloudformation"))
    assert stacks.owner(topic) == UNKNOWN_OWNER
    assert stacks.owner(left["queue"]) == ""
    cloudformation.delete_stack(StackName="other")
