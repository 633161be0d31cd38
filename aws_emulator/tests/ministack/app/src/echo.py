"""A custom resource that returns its property Word."""

import json
import urllib.request
from typing import Any


def lambda_handler(event: dict[str, Any], context: Any) -> None:
    print("RequestType", event["RequestType"])
    word = event["ResourceProperties"]["Word"]
    if word == "silence" and event["RequestType"] == "Create":
        return
    body = {
        "Status": "FAILED" if word == "forbidden" else "SUCCESS",
        "Reason": "the word is forbidden",
        "PhysicalResourceId": "echo",
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": {"Word": word},
    }
    request = urllib.request.Request(
        event["ResponseURL"],
        data=json.dumps(body).encode(),
        method="PUT",
        headers={"Content-Type": ""},
    )
    urllib.request.urlopen(request, timeout=30).read()
