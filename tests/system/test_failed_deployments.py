"""A deployment that fails in any nested stack can be repeated, and sign-in answers afterwards."""

import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from pytest_socket import enable_socket

from aws_emulator.errors import CommandError
from aws_emulator.launcher import Emulator
from aws_emulator.processes import free_port, supervise
from tests.support.running import state_folder
from tests.system.packaged_stack import FAILING, PackagedStack, clients_of, package
from tools.deployment import recovery
from tools.deployment.environments import Environment
from tools.deployment.retained_resources import Clients
from tools.deployment.stacks import Stacks
from tools.stack import DEFAULT_HOME_REGION, StackTarget

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ACCOUNT: Final = "000000000000"
STAGE: Final = "failing"
PORTAL: Final = "https://portal.example"


@dataclass
class Deployment:
    """The packaged application on an emulator of its own."""

    stack: PackagedStack

    @property
    def clients(self) -> Clients:
        """Makes a client of the emulator for a service and a Region."""
        return self.stack.clients

    @property
    def environment(self) -> Environment:
        """The environment that `make deploy` would deploy."""
        return Environment("test", DEFAULT_HOME_REGION, STAGE, self.stack.target.stack_name, {})

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
            "OperatorEmail": "operator@example.org",
        }
        return unchanged | changed

    def recover(self) -> recovery.Recovery:
        """Delete the failed stack and its leftovers; return what was found."""
        result = recovery.recover(self.environment, self.clients, ACCOUNT, poll_s=0.1)
        recovery.remove(result.leftovers, self.clients)
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

    def edge_versions_exist(self) -> bool:
        """Return whether Lambda has each version that the distribution uses."""
        outputs = self.stack.outputs()
        cloudfront = self.clients("cloudfront", DEFAULT_HOME_REGION)
        config = cloudfront.get_distribution_config(Id=outputs["DistributionId"])
        behaviors = config["DistributionConfig"]["CacheBehaviors"]["Items"]
        arns = {
            it["LambdaFunctionARN"]
            for behavior in behaviors
            for it in behavior.get("LambdaFunctionAssociations", {}).get("Items", [])
        }
        functions = self.clients("lambda", DEFAULT_HOME_REGION)
        return bool(arns) and all(
            functions.get_function(FunctionName=arn)["Configuration"]["State"] == "Active"
            for arn in arns
        )


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
        yield Deployment(PackagedStack(target, clients_of(emulator), root))


def _control(deployment: Deployment, outcome: str) -> None:
    url = f"{deployment.stack.target.endpoint}/_local/nested-rollback?outcome={outcome}"
    request = urllib.request.Request(url, method="POST")
    urllib.request.urlopen(request, timeout=60).close()


def test_leftover_with_data_stops_the_next_deployment(deployment: Deployment) -> None:
    stack = deployment.stack
    status = stack.deploy(stack.failing_in(("Foundation",)), deployment.parameters())
    assert status.startswith("ROLLBACK_")
    table = f"meridian-{STAGE}-accounts"
    key = {"pk": {"S": "account"}, "sk": {"S": "profile"}}
    dynamodb = deployment.clients("dynamodb", DEFAULT_HOME_REGION)
    dynamodb.put_item(TableName=table, Item=key)
    with pytest.raises(CommandError, match=f"GlobalTable {table} in us-east-1: items"):
        deployment.recover()
    assert dynamodb.scan(TableName=table)["Items"] == [key]
    dynamodb.delete_item(TableName=table, Key=key)
    deployment.recover()
    assert table not in dynamodb.list_tables()["TableNames"]


def test_failed_creation_of_each_nested_stack_can_be_repeated(deployment: Deployment) -> None:
    stack = deployment.stack
    paths = stack.nested_stacks()
    assert len(paths) >= 17
    for outcome, failing in [("retain", paths), ("delete", paths[-2:])]:
        _control(deployment, outcome)
        for path in failing:
            status = stack.deploy(stack.failing_in(path), deployment.parameters())
            assert status.startswith("ROLLBACK_"), path
            # A name that is taken would fail another resource first.
            assert stack.failures() == {FAILING}, path
            assert deployment.recover().deleted_status == status
    _control(deployment, "retain")
    assert stack.deploy(stack.root, deployment.parameters()) == "CREATE_COMPLETE"
    assert deployment.sign_in_status() == 200


def test_failed_update_of_each_nested_stack_keeps_sign_in(deployment: Deployment) -> None:
    stack = deployment.stack
    if not _is_complete(deployment):
        assert stack.deploy(stack.root, deployment.parameters()).endswith("_COMPLETE")
    urls = deployment.callback_urls()
    assert f"{PORTAL}/auth/callback" in urls
    # Changes the log groups, the settings of both edge functions and the app client's URLs.
    changes: dict[str, Any] = {
        "LogRetentionDays": "7",
        "PortalOrigins": f"{PORTAL},https://second.example",
    }
    for path in stack.nested_stacks():
        status = stack.deploy(stack.failing_in(path), deployment.parameters(**changes))
        assert status == "UPDATE_ROLLBACK_COMPLETE", path
        assert deployment.callback_urls() == urls, path
        assert deployment.sign_in_status() == 200, path
        assert deployment.edge_versions_exist(), path
    status = stack.deploy(stack.root, deployment.parameters(**changes))
    assert status == "UPDATE_COMPLETE"
    assert "https://second.example/auth/callback" in deployment.callback_urls()
    assert deployment.sign_in_status() == 200


def _is_complete(deployment: Deployment) -> bool:
    cloudformation = deployment.clients("cloudformation", DEFAULT_HOME_REGION)
    status = Stacks(cloudformation).status(deployment.environment.stack_name)
    return bool(status and status.endswith("_COMPLETE") and not status.startswith("ROLLBACK"))
