"""The adapter of the home's state machine `admit`."""

from typing import Any, Final

from sign_ups.errors import BusyError, UnreachableError
from sign_ups.request import Request

_BUSY: Final = frozenset({"ThrottlingException", "ExecutionLimitExceeded"})


class AccountsHome:
    """The state machine in another Region, with a client of AWS Step Functions."""

    def __init__(self, states: Any, machine: str) -> None:
        """Create the adapter. `machine` is the state machine's ARN."""
        self._states = states
        self._machine = machine

    def admit(self, request: Request) -> dict[str, str]:
        """Return the answer of StartSyncExecution, with the status `SUCCEEDED`.

        Raises:
            UnreachableError: The Region doesn't answer, or the execution failed. It may have stored
                the request all the same; a repetition finds that out.
            BusyError: Step Functions has too many requests.
            ClientError: Step Functions refused the call for another reason.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._states.start_sync_execution(
                stateMachineArn=self._machine, name=request.name, input=request.input
            )
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if code in _BUSY:
                raise BusyError(str(code)) from error
            if int(status) >= 500:
                raise UnreachableError(str(code)) from error
            raise
        except BotoCoreError as error:
            raise UnreachableError(type(error).__name__) from error
        if answer["status"] != "SUCCEEDED":
            raise UnreachableError(str(answer["status"]))
        return {it: str(answer[it]) for it in ("status", "input", "output")}
