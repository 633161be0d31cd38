"""The Regions to which the collector writes: those whose stream an event source mapping reads.

`make deploy` adds a Region after its stack is complete. `make destroy` removes it, and waits until
the data lake has every event of its stream, before it deletes the stack.
"""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from aws_emulator import stack_failures
from aws_emulator.errors import CommandError
from tools.cli import reason_of
from tools.deployment.environments import Environment
from tools.operations.commands import OperatedStack, run
from tools.stack import parameters_of

#: As READING_STATES in src/edge_settings/aws_clients.py, which has the last word.
_READING_STATES: Final = frozenset({"Creating", "Enabling", "Enabled", "Updating"})
#: CloudFormation's reasons of a change set without changes (as in AWS SAM CLI).
_NO_CHANGES: Final = ("didn't contain changes", "No updates are to be performed")
#: Twice the timeout of edge_ingest (stacks/edge-functions.yaml): a request that started before the
#: distribution's update has ended.
IN_FLIGHT_S: Final = 30.0
#: The batching window of up to 5 minutes (EventsBatchingWindow), and time to write.
DRAINED_WITHIN_S: Final = 900.0
_POLL_S: Final = 15.0
#: An update of the distribution takes minutes, that of Cognito's custom domain up to an hour
#: (Amazon Cognito Developer Guide, "Using your own domain for managed login"): 100 minutes.
_UPDATE_WAIT: Final = {"Delay": 5, "MaxAttempts": 1200}
_CREATION_WAIT: Final = {"Delay": 2, "MaxAttempts": 150}
#: An update of an alarm or of a function takes seconds, in a local run less than one.
_FIRST_WAIT: Final = {"Delay": 0.5, "MaxAttempts": 10}
#: boto3's reason for a waiter that ended because of its number of attempts.
_MAX_ATTEMPTS: Final = "Max attempts exceeded"

type Clients = Callable[[str, str], Any]


def _has_consumer(environment: Environment, clients: Clients) -> bool:
    """Return whether an event source mapping reads the Region's event stream."""
    stream = f":stream/meridian-{environment.stage}-events"
    lambda_ = clients("lambda", environment.region)
    pages = lambda_.get_paginator("list_event_source_mappings").paginate()
    return any(
        it["State"] in _READING_STATES
        for page in pages
        for it in page["EventSourceMappings"]
        if str(it["EventSourceArn"]).endswith(stream)
    )


def consumed_regions(environments: Sequence[Environment], clients: Clients) -> list[str]:
    """Return the Regions of the environments whose event stream has a consumer.

    Raises:
        ClientError: A call failed.
    """
    return [it.region for it in environments if _has_consumer(it, clients)]


def collector_regions(edge: Environment, clients: Clients) -> list[str]:
    """Return the Regions to which the deployed collector writes; none without a stack.

    Raises:
        ClientError: CloudFormation refused the call, or the stack doesn't exist.
    """
    cloudformation = clients("cloudformation", edge.region)
    (stack,) = cloudformation.describe_stacks(StackName=edge.stack_name)["Stacks"]
    outputs = {it["OutputKey"]: str(it["OutputValue"]) for it in stack.get("Outputs", [])}
    return [it for it in outputs.get("CollectorRegions", "").split(",") if it]


def set_regions(edge: Environment, regions: Sequence[str], clients: Clients) -> None:
    """Update only the parameter Regions of the deployed edge stack, if it differs.

    Raises:
        CommandError: The update failed.
    """
    if collector_regions(edge, clients) == list(regions):
        return
    print(f"The collector writes to {', '.join(regions)} now. Updating {edge.stack_name}.")
    update_parameters(edge, {"Regions": ",".join(regions)}, clients)


def update_parameters(environment: Environment, changed: dict[str, str], clients: Clients) -> None:
    """Update parameters of a deployed stack; its template and other parameters stay.

    Raises:
        CommandError: CloudFormation rejected or rolled back the update.
    """
    name = environment.stack_name
    cloudformation = clients("cloudformation", environment.region)
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    role = os.environ.get("SERVICE_ROLE_ARN")
    change_set = f"parameters-{time.time_ns()}"
    try:
        cloudformation.create_change_set(
            StackName=name,
            ChangeSetName=change_set,
            UsePreviousTemplate=True,
            Parameters=[
                {"ParameterKey": key, "ParameterValue": changed[key]}
                if key in changed
                else {"ParameterKey": key, "UsePreviousValue": True}
                for key in parameters_of(stack)
            ],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Tags=stack.get("Tags", []),
            **({"RoleARN": role} if role else {}),
        )
        if not _is_created(cloudformation, name, change_set):
            return
        cloudformation.execute_change_set(StackName=name, ChangeSetName=change_set)
        _wait(cloudformation, "stack_update_complete", _UPDATE_WAIT, StackName=name)
    except (ClientError, WaiterError) as error:
        values = ", ".join(f"{key}={value}" for key, value in changed.items())
        reasons = _causes(cloudformation, name) if isinstance(error, WaiterError) else []
        raise CommandError(
            f"Can't update {name} with {values}: {(reasons or [reason_of(error)])[0]}. Read the "
            "stack's events, solve the cause, then run the command again."
        ) from error


def _causes(cloudformation: Any, name: str) -> list[str]:
    """Return the resources that the last update of a stack couldn't change, with their reasons."""
    try:
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except (ClientError, BotoCoreError):
        return []
    return stack_failures.causes(cloudformation, name, stack.get("LastUpdatedTime"))


def _wait(cloudformation: Any, name: str, settings: dict[str, int], **names: str) -> None:
    """Wait with a waiter of CloudFormation, in its first seconds with shorter pauses.

    Raises:
        WaiterError: The awaited status can't be reached, or wasn't in time.
    """
    waiter = cloudformation.get_waiter(name)
    try:
        waiter.wait(**names, WaiterConfig=_FIRST_WAIT)
    except WaiterError as error:
        if _MAX_ATTEMPTS not in str(error):
            raise
        waiter.wait(**names, WaiterConfig=settings)


def _is_created(cloudformation: Any, name: str, change_set: str) -> bool:
    """Wait for a change set; return False if it has no changes.

    Raises:
        WaiterError: CloudFormation couldn't create the change set.
    """
    try:
        _wait(
            cloudformation,
            "change_set_create_complete",
            _CREATION_WAIT,
            StackName=name,
            ChangeSetName=change_set,
        )
    except WaiterError as error:
        reason = str(error.last_response.get("StatusReason", ""))
        if any(it in reason for it in _NO_CHANGES):
            cloudformation.delete_change_set(StackName=name, ChangeSetName=change_set)
            return False
        raise
    return True


def add_region(edge: Environment, environment: Environment, clients: Clients) -> None:
    """Let the collector write to a Region's stream, if an event source mapping reads it.

    Raises:
        ClientError: A call failed.
        CommandError: No mapping reads the stream, or the update failed.
    """
    if not _has_consumer(environment, clients):
        raise CommandError(
            f"No enabled event source mapping reads the event stream in {environment.region}, "
            "so the collector doesn't write to it. Enable the mapping, then run `make deploy "
            f"PLACE={environment.name}` again."
        )
    present = collector_regions(edge, clients)
    set_regions(edge, [*present, *({environment.region} - set(present))], clients)


def remove_region(edge: Environment, environment: Environment, clients: Clients) -> bool:
    """Stop the collector's writes to a Region; return whether it wrote to it.

    Raises:
        ClientError: A call failed.
        CommandError: The collector has no other Region, or the update failed.
    """
    present = collector_regions(edge, clients)
    if environment.region not in present:
        return False
    remaining = [it for it in present if it != environment.region]
    if not remaining:
        raise CommandError(
            f"{environment.region} is the only Region of the collector. Deploy another Region "
            "first, or destroy the whole stage."
        )
    set_regions(edge, remaining, clients)
    return True


def wait_until_drained(
    stack: OperatedStack, within_s: float = DRAINED_WITHIN_S, poll_s: float = _POLL_S
) -> None:
    """Wait until the data lake has every record of the stack's streams.

    Raises:
        CommandError: Records are still missing after `within_s` seconds.
    """
    deadline = time.monotonic() + within_s
    print(f"Waiting until the lake in {stack.region} has every event of the stream.", flush=True)
    while (verified := run(stack, "verify", ["--hours", "168"], capture=True)).returncode != 0:
        if time.monotonic() > deadline:
            raise CommandError(
                f"The lake in {stack.region} still misses records of its streams, so nothing was "
                f"deleted: {(verified.stderr or verified.stdout).strip()[-500:]} Run `make verify "
                f"STAGE={stack.stage} REGION={stack.region} RESTORE=1`, then the command again."
            )
        time.sleep(poll_s)
