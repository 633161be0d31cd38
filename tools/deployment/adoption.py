"""Adopt leftovers with data: import them into the new stack of their environment.

Each nested stack with leftovers is created by an import, then the root imports it; `sam deploy`
updates the root afterwards. Until then every resource has `DeletionPolicy: Retain`, so nothing that
fails on the way deletes data. An interrupted adoption can be repeated.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError, WaiterError

from aws_emulator.errors import CommandError
from tools.cli import reason_of
from tools.deployment import leftovers
from tools.deployment.environments import Environment
from tools.deployment.import_templates import (
    HANDLE,
    ROOT_PARAMETERS,
    NestedImport,
    nested_identifier,
    nested_imports,
    root_template,
    root_values,
)
from tools.deployment.leftovers import ExistingResource
from tools.deployment.retained_resources import Clients
from tools.deployment.stacks import Stacks
from tools.stack import outputs_of

#: The stack with the bucket of `sam deploy --resolve-s3`.
_SAM_STACK: Final = "aws-sam-cli-managed-default"
_POOL: Final = "AWS::Cognito::UserPool"
#: boto3's waiters ask at this interval, in seconds, for up to 20 minutes.
POLL_S: Final = 5


def sam_bucket(cloudformation: Any, region: str) -> str:
    """Return the bucket of `sam deploy` in a Region.

    Raises:
        ClientError: A call failed.
        CommandError: The Region has no such bucket.
    """
    if Stacks(cloudformation).status(_SAM_STACK) is not None:
        (stack,) = cloudformation.describe_stacks(StackName=_SAM_STACK)["Stacks"]
        if bucket := outputs_of(stack).get("SourceBucket"):
            return bucket
    raise CommandError(
        f"{region} has no bucket of SAM CLI, which the adoption of resources needs. Run `sam "
        f"package --resolve-s3 --region {region}`, which creates it, then the command again."
    )


def adopt(
    environment: Environment,
    clients: Clients,
    account: str,
    present: Sequence[ExistingResource],
    *,
    bucket: str = "",
    poll_s: float = POLL_S,
) -> list[ExistingResource]:
    """Import the leftovers with data into a new root stack, and return them.

    Args:
        environment: The environment whose stack doesn't exist, or only begins an adoption.
        clients: Makes a client for a service and a Region.
        account: The account's ID.
        present: The leftovers; those with an obstacle are left out.
        bucket: The bucket for the templates; by default that of `sam deploy`.
        poll_s: The time between two reads of a status, in seconds.

    Raises:
        ClientError: A call failed.
        CommandError: CloudFormation refused an import.
    """
    adopted = leftovers.adoptable(present)
    if not adopted:
        return []
    importer = _Importer(environment, clients, bucket, poll_s)
    groups = {
        it.physical_id: _groups(clients("cognito-idp", environment.region), it.physical_id)
        for it in adopted
        if it.resource.type == _POOL
    }
    nested = nested_imports(environment, account, adopted, groups)
    values = root_values(environment, account, adopted)
    importer.run(nested, {name: values[name] for name in ROOT_PARAMETERS})
    return adopted


def begins_adoption(cloudformation: Any, name: str) -> bool:
    """Return whether a root stack has nothing but the beginning of an adoption.

    Raises:
        ClientError: A call failed.
    """
    return {it for _, it in Stacks(cloudformation).owned(name)} == {HANDLE}


def _groups(cognito: Any, pool_id: str) -> set[str]:
    pages = cognito.get_paginator("list_groups").paginate(UserPoolId=pool_id)
    return {str(it["GroupName"]) for page in pages for it in page["Groups"]}


class _Importer:
    """Makes the imports of one environment."""

    def __init__(
        self, environment: Environment, clients: Clients, bucket: str, poll_s: float
    ) -> None:
        self._root = environment.stack_name
        self._client = clients("cloudformation", environment.region)
        self._stacks = Stacks(self._client, poll_s)
        self._s3 = clients("s3", environment.region)
        self._bucket = bucket or sam_bucket(self._client, environment.region)
        self._prefix = f"meridian-{environment.stage}/adoption"
        self._wait = {"Delay": poll_s, "MaxAttempts": 240}

    def run(self, nested: Sequence[NestedImport], parameters: Mapping[str, str]) -> None:
        """Create the nested stacks, the root, and import the first into the second."""
        urls = {it.logical_id: self._upload(it.logical_id, it.template) for it in nested}
        identifiers = []
        for stack in nested:
            name = f"{self._root}-{stack.logical_id}-Adopted"
            if self._stacks.status(name):
                self._stacks.delete(name)  # of an interrupted adoption; it retains everything
            url = urls[stack.logical_id]
            stack_id = self._change("IMPORT", name, url, stack.parameters, stack.resources)
            identifiers.append(nested_identifier(stack, stack_id))
        if self._stacks.status(self._root) is None:
            url = self._upload("root", root_template({}, []))
            self._change("CREATE", self._root, url, parameters)
        url = self._upload("root", root_template(urls, nested))
        self._change("IMPORT", self._root, url, parameters, identifiers)

    def _upload(self, name: str, template: Mapping[str, Any]) -> str:
        """Store a template and return its URL."""
        key = f"{self._prefix}/{name}.json"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=json.dumps(template).encode())
        return f"{self._s3.meta.endpoint_url}/{self._bucket}/{key}"

    def _change(
        self,
        kind: str,
        name: str,
        url: str,
        parameters: Mapping[str, str],
        resources: Sequence[Mapping[str, Any]] = (),
    ) -> str:
        """Create a stack, or import resources into a new or existing one; return its ID.

        Raises:
            CommandError: CloudFormation refused it.
        """
        role = os.environ.get("SERVICE_ROLE_ARN")  # as in deploy
        options: dict[str, Any] = {"RoleARN": role} if role else {}
        if resources:
            options["ResourcesToImport"] = resources
        change_set = {"StackName": name, "ChangeSetName": f"adopt-{time.time_ns()}"}
        try:
            created = self._client.create_change_set(
                **change_set,
                ChangeSetType=kind,
                TemplateURL=url,
                Parameters=_list(parameters),
                **options,
            )
            waiter = self._client.get_waiter("change_set_create_complete")
            waiter.wait(**change_set, WaiterConfig=self._wait)
            self._client.execute_change_set(**change_set)
            waiter = self._client.get_waiter(f"stack_{kind.lower()}_complete")
            waiter.wait(StackName=name, WaiterConfig=self._wait)
        except (ClientError, WaiterError) as error:
            raise CommandError(
                f"CloudFormation refused the import into {name}: {_reason(error)}. Nothing was "
                "deleted. Solve the cause and run the command again."
            ) from error
        return str(created["StackId"])


def _reason(error: ClientError | WaiterError) -> str:
    """Return why an import failed: the change set's reason, if there is one."""
    if isinstance(error, WaiterError) and isinstance(error.last_response, dict):
        reason = error.last_response.get("StatusReason")
        if reason:
            return str(reason).rstrip(".")
    return reason_of(error)


def _list(parameters: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": it} for key, it in parameters.items()]
