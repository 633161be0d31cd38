"""A custom resource that gives back its Word."""

import json
import urllib.request
from typing import Any


def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    if "ResponseURL" not in event:
        return event
    body = {
        "Status": "SUCCESS",
        "PhysicalResourceId": "echo",
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": {"Word": event["ResourceProperties"]["Word"]},
    }
    request = urllib.request.Request(
        event["ResponseURL"], data=json.dumps(body).encode(), method="PUT"
    )
    urllib.request.urlopen(request, timeout=10).read()
    return body
