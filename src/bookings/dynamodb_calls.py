"""Call DynamoDB, and translate its errors."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from bookings.errors import ConflictError, NotHomeError, UnavailableError

#: The condition of an item, or another transaction on it at the same time.
_CONFLICTS: Final = frozenset({"ConditionalCheckFailed", "TransactionConflict"})


def call(request: Callable[[], Any], guards: int = 0) -> Any:
    """Return the response of a call.

    Args:
        request: Calls DynamoDB.
        guards: The number of conditions on the record of the home, the first of a transaction.

    Raises:
        ConflictError: A condition failed.
        NotHomeError: A condition on the record of the home failed.
        UnavailableError: DynamoDB failed.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return request()
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        reasons = [str(it.get("Code")) for it in error.response.get("CancellationReasons", [])]
        if "ConditionalCheckFailed" in reasons[:guards]:
            raise NotHomeError("The bookings are moving to another Region.") from None
        if code == "ConditionalCheckFailedException" or _are_conflicts(reasons):
            raise ConflictError(code) from None
        raise UnavailableError("The appointment was not changed. Try again.") from error
    except BotoCoreError as error:
        raise UnavailableError("The appointment was not changed. Try again.") from error


def _are_conflicts(reasons: Sequence[str]) -> bool:
    codes = set(reasons) - {"None"}
    return bool(codes) and codes <= _CONFLICTS
