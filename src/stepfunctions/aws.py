"""How this room calls AWS: bounded clients, and one place where their errors become ours."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stepfunctions.errors import RefusedError, TransientError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

#: What asks for patience, by the services' common and own names (AWS, "Common error types").
TRANSIENT = frozenset(
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
    """Return a client whose calls end in seconds: the workflow is the one that tries again."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=2, read_timeout=5, retries={"mode": "standard", "max_attempts": 3}
    )
    return boto3.client(service, config=config)  # type: ignore[call-overload] # a name among many


@contextmanager
def answers(service: str) -> Iterator[None]:
    """Turn what a call raises into TransientError or RefusedError.

    Neither repeats the service's message, which may repeat what it was sent; nor do they carry it
    along (`from None`), because a trace is written down.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = _code(error)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in TRANSIENT or status >= 500:
            raise TransientError(f"{service} asks for patience: {code}.") from None
        raise RefusedError(f"{service} refuses: {code}.") from None
    except BotoCoreError as error:
        raise TransientError(f"{service} does not answer: {type(error).__name__}.") from None


def unless[T](expected: str, service: str, call: Callable[[], T]) -> T | None:
    """Return what a call returns, or None where the service says `expected`; else as `answers`."""
    from botocore.exceptions import ClientError

    with answers(service):
        try:
            return call()
        except ClientError as error:
            if _code(error) != expected:
                raise
            return None


def _code(error: "ClientError") -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))
