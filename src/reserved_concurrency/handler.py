"""Handler of Custom::ReservedConcurrency."""

from collections.abc import Mapping
from typing import Any

from custom_resource.response import respond, send_response
from reserved_concurrency import aws_clients
from reserved_concurrency.plan import make_plan, ordered_changes, parse_properties


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, object]:
    """Handle Create, Update and Delete of Custom::ReservedConcurrency.

    Its attribute Summary lists the reserved values.

    Raises:
        OSError: CloudFormation's URL doesn't accept the response. Lambda then retries the event.
    """
    return respond(event, _apply, send_response, context)


def _apply(event: Mapping[str, Any]) -> dict[str, object]:
    """Apply one request. Return the response's PhysicalResourceId and Data.

    Raises:
        InvalidPropertyError: A property is missing or malformed.
        QuotaError: The mode is all, and the quota doesn't allow all reservations.
        LambdaApiError: Lambda refused a call.
    """
    if event["RequestType"] == "Delete":
        # The reservation ends with its function, which the stack deletes too.
        return {}
    mode, wanted = parse_properties(event["ResourceProperties"])
    quota = aws_clients.read_quota([it.function for it in wanted])
    plan = make_plan(mode, wanted, quota)
    for function, executions in ordered_changes(plan, quota):
        aws_clients.set_reservation(function, executions)
    data = {"Executions": plan.executions, "Summary": plan.summary}
    return {"PhysicalResourceId": "reserved-concurrency", "Data": data}
