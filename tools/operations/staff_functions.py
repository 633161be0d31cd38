"""Invoke the functions behind the API operations of the staff, on AWS or in `make up`."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.cli import reason_of


def invoke(
    functions: Any, name: str, request: Mapping[str, object], accepted: Collection[int] = (200,)
) -> Any:
    """Invoke a function with a Lambda client, and return the body of its response.

    `accepted` are the statuses of a success.

    Raises:
        CommandError: The function can't be invoked, failed, or refused the request.
    """
    try:
        response = functions.invoke(FunctionName=name, Payload=json.dumps(request).encode())
    except (ClientError, BotoCoreError) as error:
        raise CommandError(
            f"Can't invoke {name}: {reason_of(error)}. Check STAGE= and your credentials."
        ) from error
    result = json.loads(response["Payload"].read() or b"{}")
    if "FunctionError" in response or result.get("status") not in accepted:
        detail = result.get("body", {}).get("detail", "The function failed.")
        raise CommandError(f"Nothing was changed: {detail} Read the log of {name}.")
    return result["body"]
