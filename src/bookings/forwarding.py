"""Ask the function of the home for a request that another Region received."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from bookings.errors import UnavailableError

_FAILED: Final = "The home Region doesn't answer. Try again in a moment."


class Forwarder:
    """The function `name` in other Regions; `client_of` makes a Lambda client of a Region."""

    def __init__(self, client_of: Callable[[str], Any], name: str) -> None:
        self._client_of = client_of
        self._name = name
        self._clients: dict[str, Any] = {}

    def ask(self, region: str, event: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return the status and the body of a Region's answer. That Region doesn't forward again.

        Raises:
            UnavailableError: The Region doesn't answer, or its function failed.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        if region not in self._clients:
            self._clients[region] = self._client_of(region)
        payload = json.dumps({**event, "forwarded": "yes"}).encode()
        try:
            answer = self._clients[region].invoke(FunctionName=self._name, Payload=payload)
            document = json.loads(answer["Payload"].read())
        except (BotoCoreError, ClientError, ValueError) as error:
            raise UnavailableError(_FAILED) from error
        if "FunctionError" in answer:
            raise UnavailableError(_FAILED)
        return int(document["status"]), document["body"]
