"""Bounded AWS clients, and the translation of their errors to TransientError or PermanentError."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from stepfunctions.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

#: Retryable error codes: common ones (AWS, "Common error types") and those of single services.
TRANSIENT_CODES: Final = frozenset(
    {
        "InternalError",
        "InternalErrorException",
        "InternalFailure",
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
    }
)


def client(service: str) -> Any:
    """Return a client with timeouts of seconds: the state machine owns the long retries."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=2, read_timeout=5, retries={"mode": "standard", "max_attempts": 3}
    )
    return boto3.client(service, config=config)  # type: ignore[call-overload] # any service


@contextmanager
def translate_errors(service: str) -> Iterator[None]:
    """Translate a botocore error to TransientError or PermanentError.

    The new error omits the service's message, which may quote personal data from the request.
    `from None` keeps the original out of tracebacks in logs.

    Raises:
        TransientError: The service throttled the call, failed internally or did not respond.
        PermanentError: The service rejected the request.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = _code(error)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in TRANSIENT_CODES or status >= 500:
            raise TransientError(f"{service} failed temporarily: {code}.") from None
        raise PermanentError(f"{service} rejected the request: {code}.") from None
    except BotoCoreError as error:
        raise TransientError(f"{service} did not respond: {type(error).__name__}.") from None


def ignore_error[T](ignored: str, service: str, call: Callable[[], T]) -> T | None:
    """Return the result of `call`, or None if the service answers with the code `ignored`.

    Raises:
        TransientError: The service throttled the call, failed internally or did not respond.
        PermanentError: The service rejected the request with another code.
    """  # noqa: DOC501 - `translate_errors` converts the error
    from botocore.exceptions import ClientError

    with translate_errors(service):
        try:
            return call()
        except ClientError as error:
            if _code(error) != ignored:
                raise
            return None


def _code(error: "ClientError") -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))
