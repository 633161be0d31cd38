"""Handler of Custom::EdgeLogs, and of the daily schedule with the same properties."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from custom_resource.response import respond, send_response
from edge_logs import aws_clients
from edge_logs.errors import IncompleteError, LogsApiError
from edge_logs.log_groups import FUNCTION_REGION, Run, parse


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, object]:
    """Handle a request of CloudFormation, or an invocation by EventBridge Scheduler.

    A deployment succeeds without the Regions that fail, so that the outage of one Region doesn't
    stop it; its attribute Summary names them. The daily run repeats them, and fails if one still
    fails, which raises the alarm EdgeLogRetentionFailed.

    Raises:
        IncompleteError: A Region failed in a run of the schedule.
        InvalidPropertyError: The schedule's input is invalid.
        LogsApiError: The account's Regions can't be read in a run of the schedule.
        OSError: CloudFormation's URL doesn't accept the response. Lambda then retries the event.
    """
    if "RequestType" in event:
        return respond(event, _apply, send_response, context)
    run = _set_retention(event)
    print(run.summary)
    if run.failures:
        raise IncompleteError(run.summary)
    return {"Summary": run.summary}


def _apply(event: Mapping[str, Any]) -> dict[str, object]:
    """Apply one request of CloudFormation. Return the response's PhysicalResourceId and Data.

    Raises:
        IncompleteError: The functions' own Region failed, so the cause isn't an outage elsewhere.
        InvalidPropertyError: A property is missing or malformed.
        LogsApiError: The account's Regions can't be read.
    """
    properties = event["ResourceProperties"]
    run = _delete(properties) if event["RequestType"] == "Delete" else _set_retention(properties)
    if FUNCTION_REGION in run.failures:
        raise IncompleteError(run.summary)
    return {"PhysicalResourceId": "edge-logs", "Data": {"Summary": run.summary}}


def _set_retention(properties: Mapping[str, Any]) -> Run:
    logs = parse(properties)
    return _in_each(
        aws_clients.enabled_regions(),
        lambda region: aws_clients.set_retention(region, logs.groups(region), logs.retention_days),
    )


def _delete(properties: Mapping[str, Any]) -> Run:
    """Delete the groups. One that stays, because its Region fails, still expires its lines."""
    logs = parse(properties)
    return _in_each(
        aws_clients.enabled_regions(),
        lambda region: aws_clients.delete_groups(region, logs.groups(region)),
    )


def _in_each(regions: Iterable[str], change: Callable[[str], None]) -> Run:
    """Apply a change in each Region, and collect the errors."""
    names = tuple(regions)
    failures = {}
    for region in names:
        try:
            change(region)
        except LogsApiError as error:
            failures[region] = str(error)
    return Run(names, failures)
