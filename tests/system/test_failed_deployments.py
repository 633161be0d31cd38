"""A deployment that fails in any nested stack can be repeated, and sign-in answers afterwards."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
from pytest_socket import enable_socket

from aws_emulator.errors import CommandError
from aws_emulator.launcher import Emulator
from aws_emulator.processes import free_port, supervise
from catalogue import migration
from tests.support.running import state_folder
from tests.system.packaged_stack import BUCKET, FAILING, PackagedStack, clients_of, package
from tools.deployment import adoption, recovery
from tools.deployment.environments import Environment, template_defaults
from tools.deployment.preflight import user_pool
from tools.deployment.preflight.account import Account
from tools.deployment.preflight.findings import Severity
from tools.deployment.retained_resources import Clients
from tools.deployment.stacks import Stacks
from tools.stack import DEFAULT_HOME_REGION, StackTarget

pytestmark = [pytest.mark.integration, pytest.mark.timeout(2400)]

ACCOUNT: Final = "000000000000"
STAGE: Final = "failing"
PORTAL: Final = "https://portal.example"
DOMAIN: Final = "school.example"
NEWEST: Final = migration.load()[-1].name
#: The answer of the catalogue's migrations to CloudFormation.
ANSWER: Final = f"""
import json, urllib.request

def handler(event, context):
    body = {{key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}}
    body |= {{"Status": "SUCCESS", "PhysicalResourceId": "it", "Data": {{"Newest": "{NEWEST}"}}}}
    request = urllib.request.Request(
        event["ResponseURL"], json.dumps(body).encode(), {{"Content-Type": ""}}, method="PUT"
    )
    urllib.request.urlopen(request, timeout=30).close()
"""


@dataclass
class Deployment:
    """The packaged application on an emulator of its own."""

    stack: PackagedStack
    #: ID of the hosted zone of DOMAIN.
    zone: str

    @property
    def clients(self) -> Clients:
        """Makes a client of the emulator for a service and a Region."""
        return self.stack.clients

    @property
    def environment(self) -> Environment:
        """The environment that `make deploy` would deploy."""
        name = self.stack.target.stack_name
        # `make deploy` looks for leftovers of the stacks that the parameters select.
        overrides = {"RequestLogs": "true"}
        return Environment("test", DEFAULT_HOME_REGION, STAGE, name, overrides, template_defaults())

    def parameters(self, **changed: str) -> dict[str, str]:
        """Return the template's parameters, with changes."""
        unchanged = {
            "Stage": STAGE,
            "EmulatorUrl": self.stack.target.endpoint,
            "PortalOrigins": PORTAL,
            "Regions": DEFAULT_HOME_REGION,
            # With these, the root has every optional stack.
            "AuditTrail": "true",
            "MonthlyBudgetUsd": "10",
            "RequestLogs": "true",
            "OperatorEmail": "operator@example.org",
            "Domain": DOMAIN,
            "HostedZoneId": self.zone,
            "KafkaClusterArn": f"arn:aws:kafka:{DEFAULT_HOME_REGION}:{ACCOUNT}:cluster/events/id-1",
            "KafkaTopics": "events",
            "IdentityProviders": "Google,school-oidc,school-saml",
            "SparkJobs": "manual",
        }
        return unchanged | changed

    def recover(self) -> recovery.Recovery:
        """Delete the failed stack and empty leftovers, adopt the others; return what was found."""
        result = recovery.recover(self.environment, self.clients, ACCOUNT, poll_s=0.1)
        recovery.remove(result.leftovers, self.clients)
        adoption.adopt(
            self.environment, self.clients, ACCOUNT, result.leftovers, bucket=BUCKET, poll_s=0.1
        )
        return result

    def sign_in_status(self) -> int:
        """Request the sign-in page as the portal does, and return the status."""
        outputs = self.stack.outputs()
        query = {
            "client_id": outputs["UserPoolClientId"],
            "response_type": "code",
            "scope": "openid email",
            "redirect_uri": f"{PORTAL}/auth/callback",
            "state": "s",
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            "code_challenge_method": "S256",
        }
        url = f"{self.stack.target.endpoint}/oauth2/authorize?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=60) as response:
            return int(response.status)

    def callback_urls(self) -> list[str]:
        """Return the app client's callback URLs."""
        outputs = self.stack.outputs()
        described = self.clients("cognito-idp", DEFAULT_HOME_REGION).describe_user_pool_client(
            UserPoolId=outputs["UserPoolId"], ClientId=outputs["UserPoolClientId"]
        )
        return list(described["UserPoolClient"].get("CallbackURLs", []))

    def sign_in_location(self) -> str:
        """Return the URL to which edge_auth sends a visitor who signs in."""
        functions = self.clients("lambda", DEFAULT_HOME_REGION)
        request = {
            "uri": "/auth/sign-in",
            "method": "GET",
            "querystring": "",
            "headers": {"host": [{"key": "Host", "value": urlsplit(PORTAL).netloc}]},
        }
        event = {"Records": [{"cf": {"request": request}}]}
        (arn,) = {it for it in self.edge_versions() if "auth" in it}
        answer = functions.invoke(FunctionName=arn, Payload=json.dumps(event))
        return str(json.load(answer["Payload"])["headers"]["location"][0]["value"])

    def edge_versions_exist(self) -> bool:
        """Return whether Lambda has each version that the distribution uses."""
        functions = self.clients("lambda", DEFAULT_HOME_REGION)
        arns = self.edge_versions()
        return bool(arns) and all(
            functions.get_function(FunctionName=arn)["Configuration"]["State"] == "Active"
            for arn in arns
        )

    def edge_versions(self) -> set[str]:
        """Return the ARNs of the versions that the distribution uses."""
        outputs = self.stack.outputs()
        cloudfront = self.clients("cloudfront", DEFAULT_HOME_REGION)
        config = cloudfront.get_distribution_config(Id=outputs["DistributionId"])
        behaviors = config["DistributionConfig"]["CacheBehaviors"]["Items"]
        return {
            it["LambdaFunctionARN"]
            for behavior in behaviors
            for it in behavior.get("LambdaFunctionAssociations", {}).get("Items", [])
        }


@pytest.fixture(scope="module")
def deployment(sam_build: None) -> Iterator[Deployment]:
    """An emulator without any stack of the application."""
    enable_socket()
    folder = state_folder("test-failed-deployments")
    with supervise(folder) as processes:
        emulator = Emulator(processes, free_port())
        emulator.start_ministack()
        target = StackTarget(emulator.endpoint, DEFAULT_HOME_REGION, STAGE)
        root = package(target, folder)
        zone = emulator.client("route53").create_hosted_zone(Name=DOMAIN, CallerReference="1")
        identifier = zone["HostedZone"]["Id"].rpartition("/")[2]
        login = "https://login.example"
        details = json.dumps(
            {
                "google_client_id": "id",
                "google_client_secret": "secret",
                "oidc_client_id": "id",
                "oidc_client_secret": "secret",
                "oidc_issuer": login,
                "saml_metadata_url": f"{login}/metadata",
            }
        )
        emulator.client("secretsmanager").create_secret(
            Name=f"meridian-{STAGE}-identity-providers", SecretString=details
        )
        yield Deployment(PackagedStack(target, clients_of(emulator), root), identifier)


def _control(deployment: Deployment, outcome: str) -> None:
    url = f"{deployment.stack.target.endpoint}/_local/nested-rollback?outcome={outcome}"
    request = urllib.request.Request(url, method="POST")
    urllib.request.urlopen(request, timeout=60).close()


def test_leftover_that_cannot_be_adopted_stops_the_next_deployment(
    deployment: Deployment,
) -> None:
    """The tool can't know which of two pools has the students."""
    cognito = deployment.clients("cognito-idp", DEFAULT_HOME_REGION)
    pools = [
        cognito.create_user_pool(PoolName=f"meridian-{STAGE}")["UserPool"]["Id"] for _ in range(2)
    ]
    for pool in pools:
        cognito.admin_create_user(UserPoolId=pool, Username="kept", MessageAction="SUPPRESS")
    with pytest.raises(
        CommandError, match=f"UserPool meridian-{STAGE} in us-east-1: users .*sever"
    ):
        deployment.recover()
    for pool in pools:
        cognito.admin_delete_user(UserPoolId=pool, Username="kept")
    deployment.recover()
    assert cognito.list_user_pools(MaxResults=60)["UserPools"] == []


def test_resource_of_another_stack_is_neither_adopted_nor_removed(deployment: Deployment) -> None:
    cloudformation = deployment.clients("cloudformation", DEFAULT_HOME_REGION)
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"meridian-{STAGE}-feedback"}}
    template = json.dumps({"Resources": {"Queue": queue}})
    cloudformation.create_stack(StackName="other", TemplateBody=template)
    cloudformation.get_waiter("stack_create_complete").wait(StackName="other")
    with pytest.raises(CommandError, match=r"Queue meridian-.*belongs to the stack other"):
        deployment.recover()
    cloudformation.delete_stack(StackName="other")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="other")
    assert deployment.recover().leftovers == []


def test_failed_creation_of_each_nested_stack_can_be_repeated(deployment: Deployment) -> None:
    stack = deployment.stack
    paths = stack.nested_stacks()
    assert ("Names",) in paths
    assert len(paths) >= 18
    # The last stack fails among all others too, which a rollback leaves behind or deletes.
    parameters = deployment.parameters()
    attempts = [("retain", path, stack.only_failing_in(path, parameters)) for path in paths]
    attempts += [(it, paths[-1], stack.failing_in(paths[-1])) for it in ("retain", "delete")]
    for outcome, path, failing in attempts:
        _control(deployment, outcome)
        status = stack.deploy(failing, parameters)
        assert status.startswith("ROLLBACK_"), path
        # A name that is taken would fail another resource first. `make deploy` prints the cause.
        cause = stack.causes()[0]
        assert cause.startswith(f"{'/'.join((*path, FAILING))} (Custom::Failing): "), cause
        assert deployment.recover().deleted_status == status
    _control(deployment, "retain")
    assert stack.deploy(stack.root, parameters) == "CREATE_COMPLETE"
    assert deployment.sign_in_status() == 200


def test_failed_update_of_each_nested_stack_keeps_sign_in(deployment: Deployment) -> None:
    stack = deployment.stack
    if not _is_complete(deployment):
        assert stack.deploy(stack.root, deployment.parameters()).endswith("_COMPLETE")
    urls = deployment.callback_urls()
    assert f"{PORTAL}/auth/callback" in urls
    # Changes the settings of both edge functions and the app client's URLs.
    origins = {"PortalOrigins": f"{PORTAL},https://second.example"}
    # Also changes every stack with a log group.
    changes = {"LogRetentionDays": "7", **origins}
    paths = stack.nested_stacks()
    for path in paths:
        changed = changes if path in (paths[0], paths[-1]) else origins
        status = stack.deploy(stack.failing_in(path), deployment.parameters(**changed))
        assert status == "UPDATE_ROLLBACK_COMPLETE", path
        assert deployment.callback_urls() == urls, path
        assert deployment.sign_in_status() == 200, path
        assert deployment.edge_versions_exist(), path
    status = stack.deploy(stack.root, deployment.parameters(**changes))
    assert status == "UPDATE_COMPLETE"
    assert "https://second.example/auth/callback" in deployment.callback_urls()
    assert deployment.sign_in_status() == 200


def test_leftovers_with_data_are_adopted_by_the_next_deployment(deployment: Deployment) -> None:
    if not _is_complete(deployment):
        assert deployment.stack.deploy(deployment.stack.root, deployment.parameters()).endswith(
            "_COMPLETE"
        )
    deployment.stack.failures()  # of earlier tests
    data = _Data(deployment)
    data.write()
    # As `sam delete` does: the nested stack with the users stays.
    name = deployment.environment.stack_name
    cloudformation = deployment.clients("cloudformation", DEFAULT_HOME_REGION)
    Stacks(cloudformation, 0.1).delete(name)
    contents = {it.content for it in deployment.recover().leftovers}
    kinds = {it.partition(" ")[0] for it in contents}
    assert kinds >= {"items", "objects", "records", "messages", "users"}
    # An interrupted adoption can be repeated: the nested stacks exist, and the root doesn't.
    Stacks(cloudformation, 0.1).delete(name)
    assert {it.content for it in deployment.recover().leftovers} >= contents - {""}
    assert Stacks(cloudformation).status(name) == "IMPORT_COMPLETE"
    status = deployment.stack.deploy(deployment.stack.root, deployment.parameters())
    assert (status, deployment.stack.failures()) == ("UPDATE_COMPLETE", set())
    data.check()
    assert deployment.stack.outputs()["UserPoolId"] == data.pool
    assert deployment.sign_in_status() == 200
    # A complete stack owns what it adopted.
    assert recovery.find_leftovers(deployment.environment, deployment.clients, ACCOUNT) == []


def test_portal_uses_a_user_pool_made_outside(deployment: Deployment) -> None:
    """The stack adds its app client to the pool; its own pool, with its users, stays."""
    stack = deployment.stack
    if not _is_complete(deployment):
        assert stack.deploy(stack.root, deployment.parameters()).endswith("_COMPLETE")
    own = stack.outputs()["UserPoolId"]
    cognito = deployment.clients("cognito-idp", DEFAULT_HOME_REGION)
    pool = cognito.create_user_pool(
        PoolName="town-library",
        UsernameAttributes=["email"],
        UserPoolTier="ESSENTIALS",
        Policies={"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP"]}},
    )["UserPool"]["Id"]
    host = f"town-library.auth.{DEFAULT_HOME_REGION}.amazoncognito.com"
    cognito.create_user_pool_domain(UserPoolId=pool, Domain="town-library", ManagedLoginVersion=2)
    for group in ("paying", "staff"):
        cognito.create_group(UserPoolId=pool, GroupName=group)
    google = {"client_id": "id", "client_secret": "secret", "authorize_scopes": "openid"}
    cognito.create_identity_provider(
        UserPoolId=pool, ProviderName="Google", ProviderType="Google", ProviderDetails=google
    )
    existing = {"ExistingUserPoolId": pool, "ExistingSignInHost": host}
    existing["IdentityProviders"] = "Google"
    findings = user_pool.check_user_pool(
        pool,
        Account(DEFAULT_HOME_REGION, deployment.clients).user_pool(pool),
        host,
        STAGE,
        DEFAULT_HOME_REGION,
        ["Google"],
    )
    assert Severity.ERROR not in {it.severity for it in findings}

    assert stack.deploy(stack.root, deployment.parameters(**existing)) == "UPDATE_COMPLETE"
    outputs = stack.outputs()
    assert (outputs["UserPoolId"], outputs["SignInHost"]) == (pool, host)
    assert outputs["UserPoolArn"].endswith(f":userpool/{pool}")
    assert f"{PORTAL}/auth/callback" in deployment.callback_urls()
    assert deployment.sign_in_status() == 200
    functions = deployment.clients("lambda", DEFAULT_HOME_REGION)
    for function in ("identity", "office", "revocations", "notify"):
        settings = functions.get_function_configuration(FunctionName=f"meridian-{STAGE}-{function}")
        assert settings["Environment"]["Variables"]["USER_POOL_ID"] == pool
    location = deployment.sign_in_location()
    assert parse_qs(urlsplit(location).query)["client_id"] == [outputs["UserPoolClientId"]]
    assert cognito.describe_user_pool(UserPoolId=own)["UserPool"]["Name"] == f"meridian-{STAGE}"


def test_catalogue_comes_and_goes_with_its_parameter(deployment: Deployment) -> None:
    """The emulator has no PostgreSQL, so the migrations' function is one that only answers."""
    stack = deployment.stack
    with_catalogue = {
        "Catalogue": "true",
        "CloudFrontPrefixList": "pl-3b927c52",
        "StaffKeys": json.dumps({"keys": []}),
    }
    root = stack.changed_in(("CourseCatalogue", "Migration"), _answer_migrations)
    assert stack.deploy(root, deployment.parameters(**with_catalogue)).endswith("_COMPLETE")
    assert stack.failures() == set()
    functions = deployment.clients("lambda", DEFAULT_HOME_REGION)
    configuration = functions.get_function_configuration(FunctionName=f"meridian-{STAGE}-catalogue")
    variables = configuration["Environment"]["Variables"]
    assert variables["MIGRATIONS"] == NEWEST
    assert json.loads(variables["STAFF_KEYS"]) == {"keys": []}
    assert variables["CATALOGUE_READER"].endswith(":5432")
    assert variables["CATALOGUE_CACHE"].endswith(":6379")
    zone = deployment.clients("route53", DEFAULT_HOME_REGION).list_resource_record_sets(
        HostedZoneId=deployment.zone
    )
    names = {it["Name"] for it in zone["ResourceRecordSets"]}
    assert names >= {f"global-alb.{DOMAIN}.", f"{DEFAULT_HOME_REGION}.alb.{DOMAIN}."}

    assert stack.deploy(stack.root, deployment.parameters(Catalogue="false")) == "UPDATE_COMPLETE"
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_function(FunctionName=f"meridian-{STAGE}-catalogue")
    assert deployment.sign_in_status() == 200


def _answer_migrations(resources: dict[str, Any]) -> None:
    function = resources["CatalogueMigrationFunction"]["Properties"]
    function.pop("CodeUri")
    function |= {"InlineCode": ANSWER, "Handler": "index.handler"}


class _Data:
    """One datum in a resource of each type that the templates retain."""

    _KEY: Final = {"pk": {"S": "account"}, "sk": {"S": "profile"}}

    def __init__(self, deployment: Deployment) -> None:
        self._clients = deployment.clients
        outputs = deployment.stack.outputs()
        self.pool, self._bucket = outputs["UserPoolId"], outputs["LakeBucket"]
        # In a stack with nested stacks of its own.
        name = f"meridian-{STAGE}-stream-schedule-dead-letters"
        self._queue = self._of("sqs").get_queue_url(QueueName=name)["QueueUrl"]

    def _of(self, service: str) -> Any:
        return self._clients(service, DEFAULT_HOME_REGION)

    def write(self) -> None:
        """Write the data."""
        self._of("dynamodb").put_item(TableName=f"meridian-{STAGE}-accounts", Item=self._KEY)
        self._of("s3").put_object(Bucket=self._bucket, Key="kept", Body=b"kept")
        self._of("kinesis").put_record(
            StreamName=f"meridian-{STAGE}-events", Data=b"{}", PartitionKey="kept"
        )
        self._of("sqs").send_message(QueueUrl=self._queue, MessageBody="kept")
        cognito = self._of("cognito-idp")
        user = cognito.admin_create_user(
            UserPoolId=self.pool, Username="kept@example.org", MessageAction="SUPPRESS"
        )
        cognito.admin_add_user_to_group(
            UserPoolId=self.pool, Username=user["User"]["Username"], GroupName="paying"
        )

    def check(self) -> None:
        """Read the data."""
        table = f"meridian-{STAGE}-accounts"
        assert self._of("dynamodb").get_item(TableName=table, Key=self._KEY)["Item"] == self._KEY
        assert self._of("s3").get_object(Bucket=self._bucket, Key="kept")["Body"].read() == b"kept"
        received = self._of("sqs").receive_message(QueueUrl=self._queue)["Messages"]
        assert [it["Body"] for it in received] == ["kept"]
        assert self._has_record()
        members = self._of("cognito-idp").list_users_in_group(
            UserPoolId=self.pool, GroupName="paying"
        )["Users"]
        assert len(members) == 1

    def _has_record(self) -> bool:
        kinesis, stream = self._of("kinesis"), f"meridian-{STAGE}-events"
        for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
            iterator = kinesis.get_shard_iterator(
                StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            if kinesis.get_records(ShardIterator=iterator)["Records"]:
                return True
        return False


def _is_complete(deployment: Deployment) -> bool:
    cloudformation = deployment.clients("cloudformation", DEFAULT_HOME_REGION)
    status = Stacks(cloudformation).status(deployment.environment.stack_name)
    return bool(status and status.endswith("_COMPLETE") and not status.startswith("ROLLBACK"))
