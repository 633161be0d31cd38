"""The start of a workflow by a function, once for a name."""

from collections.abc import Callable
from functools import cache
from typing import Any

from stepfunctions import aws


@cache
def _machines() -> Any:
    return aws.client("stepfunctions")


def starter(machine: str) -> Callable[[str, str], None]:
    """Return a function that starts a workflow once for a name, with an input.

    It raises TransientError or PermanentError if Step Functions fails or rejects the request.
    """

    def start(name: str, text: str) -> None:
        aws.ignore_error(
            "ExecutionAlreadyExists",
            "Step Functions",
            lambda: _machines().start_execution(stateMachineArn=machine, name=name, input=text),
        )

    return start
