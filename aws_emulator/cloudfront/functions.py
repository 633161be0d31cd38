"""The adapter to Lambda: invokes the associated version, and says what went wrong as CloudFront."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from aws_emulator.cloudfront.client import Pool
from aws_emulator.cloudfront.errors import (
    EdgeError,
    ExecutionError,
    LimitExceededError,
    ResultInvalidError,
)
from aws_emulator.cloudfront.headers import first
from aws_emulator.cloudfront.model import Association
from aws_emulator.cloudfront.settings import Endpoint
from aws_emulator.cloudfront.sigv4 import sign

# Quotas on Lambda@Edge: "Function timeout: 5 seconds (viewer request and viewer response events),
# 30 seconds (origin request and origin response events)". Newer pages give viewer events 30 s: the
# older, stricter figure is kept.
TIMEOUT_S: dict[str, float] = {
    "viewer-request": 5.0,
    "viewer-response": 5.0,
    "origin-request": 30.0,
    "origin-response": 30.0,
}


class Functions:
    """Invokes edge functions; at most `concurrency` calls are under way, the rest wait in line."""

    def __init__(self, endpoint: Endpoint, pool: Pool, concurrency: int) -> None:
        self._endpoint = endpoint
        self._pool = pool
        self._line = asyncio.Semaphore(concurrency)

    async def invoke(self, association: Association, event: dict[str, Any]) -> Any:
        """Invoke the version with an event and give its result (any JSON value).

        Raises ExecutionError, LimitExceededError, ResultInvalidError (a result that is not JSON),
        or EdgeError (502) when the Lambda API itself fails.
        """
        if association.refusal is not None:
            raise ExecutionError(association.refusal, code="FunctionNotAssociable")
        payload = json.dumps(event, separators=(",", ":")).encode()
        path = f"/2015-03-31/functions/{quote(association.arn, safe='')}/invocations"
        endpoint = self._endpoint
        signed = {
            "host": endpoint.netloc,
            "content-type": "application/json",
            "x-amz-invocation-type": "RequestResponse",
        }
        signed |= sign(
            endpoint.credentials,
            "POST",
            path,
            "",
            signed,
            payload,
            region=endpoint.region,
            service="lambda",
            now=datetime.now(UTC),
        )
        headers = [*signed.items(), ("content-length", str(len(payload)))]
        limit = TIMEOUT_S[association.event_type]
        async with self._line:
            try:
                answer = await self._pool.send(
                    endpoint.address, "POST", path, headers, payload, timeout_s=limit
                )
                body = await answer.read(limit)
            except TimeoutError:
                raise LimitExceededError(
                    f"The function took longer than {limit:g} seconds.", code="FunctionTimeout"
                ) from None
            except ConnectionError as error:
                raise EdgeError(f"The Lambda API could not be asked: {error}.") from error
        return _outcome(answer.status, first(answer.headers, "x-amz-function-error"), body)


def _outcome(status: int, function_error: str, body: bytes) -> Any:
    if status == 429:
        # HTTP 503 status code, "Lambda@Edge limit exceeded": "The number of function executions
        # exceeded one of the quotas that Lambda sets to throttle executions".
        raise LimitExceededError("The function was throttled.", code="FunctionThrottled")
    if status >= 400:
        raise ExecutionError(f"Lambda answered {status}.", code="FunctionNotInvocable")
    try:
        result = json.loads(body) if body else None
    except (ValueError, RecursionError):
        raise ResultInvalidError("The function returned no JSON.", code="NotJson") from None
    if function_error:
        _raise_failure(result)
    return result


def _raise_failure(result: Any) -> None:
    failure = result if isinstance(result, dict) else {}
    message = str(failure.get("errorMessage", ""))
    if "Task timed out" in message:
        # "The function exceeded the Lambda function timeout quota."
        raise LimitExceededError("The function timed out.", code="FunctionTimeout")
    # The message stays out: it may hold what a visitor sent.
    kind = str(failure.get("errorType") or "an error")[:80]
    raise ExecutionError(f"The function ended with {kind}.", code="FunctionFailed")
