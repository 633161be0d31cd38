"""A request for an account, as API Gateway passes it on and as the queue keeps it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Request:
    """The name and the input of an execution of the home's state machine `admit`.

    The input has the form, so it is personal data. Its `requestId` makes a repetition harmless:
    the state machine answers the same, and sends no second email.
    """

    name: str
    input: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Return the request in an event of the API, or in a message of the queue."""
        return cls(str(document["name"]), str(document["input"]))

    def text(self) -> str:
        """Return the message of the queue."""
        return json.dumps({"name": self.name, "input": self.input})
