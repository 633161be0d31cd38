"""Handle a custom resource's request, and send the response to CloudFormation."""

import json
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final

TIMEOUT_S: Final = 10
#: CloudFormation limits a response body to 4 KB ("Custom resource response objects").
MAX_REASON_CHARS: Final = 1_000


class CustomResourceError(Exception):
    """Base class of errors that fail a deployment.

    `code` is stable. CloudFormation shows code and message as the resource's failure reason.
    """

    code = "custom_resource"


def respond(
    event: Mapping[str, Any],
    apply: Callable[[Mapping[str, Any]], dict[str, object]],
    send: Callable[[str, dict[str, object]], None],
) -> dict[str, object]:
    """Apply one request, and send exactly one response to its ResponseURL.

    Without a response, CloudFormation waits for the service timeout. The log contains no
    property's value.

    Args:
        event: The request (CloudFormation, "Custom resource request objects").
        apply: Applies the request. Returns the response's PhysicalResourceId and Data, if any.
        send: Sends the response to a URL.

    Raises:
        OSError: `send` failed. Lambda then retries the event.
    """
    response: dict[str, object] = {
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
    }
    try:
        response |= {"Status": "SUCCESS", **apply(event)}
    except CustomResourceError as error:
        response |= {"Status": "FAILED", "Reason": f"[{error.code}] {error}"[:MAX_REASON_CHARS]}
    except Exception as error:  # noqa: BLE001 - without a response, the deployment would wait
        response |= {"Status": "FAILED", "Reason": f"[unexpected] {type(error).__name__}"}
    line = {
        "request": event["RequestType"],
        "resource": event["LogicalResourceId"],
        "status": response["Status"],
        "reason": response.get("Reason"),
        "data": response.get("Data"),
    }
    print(json.dumps(line))
    send(event["ResponseURL"], response)
    return response


def send_response(url: str, document: dict[str, object]) -> None:
    """PUT a custom resource's response to its presigned URL (CloudFormation, "Custom resources").

    The content type is empty because the URL is signed without one.

    Raises:
        OSError: The request failed.
    """
    request = urllib.request.Request(  # noqa: S310 - a presigned URL from CloudFormation
        url, data=json.dumps(document).encode(), method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310 - as above
        pass
