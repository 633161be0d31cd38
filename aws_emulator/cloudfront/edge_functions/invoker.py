"""Invoke Lambda@Edge functions, and map Lambda's errors to CloudFront's."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from aws_emulator.cloudfront.errors import (
    EdgeError,
    FunctionExecutionError,
    FunctionLimitError,
    FunctionResultError,
)
from aws_emulator.cloudfront.headers import first
from aws_emulator.cloudfront.model import FunctionAssociation
from aws_emulator.cloudfront.settings import Endpoint
from aws_emulator.cloudfront.transport.http_client import ConnectionPool
from aws_emulator.cloudfront.transport.sigv4 import sign

# Quotas on Lambda@Edge: "Function timeout: 5 seconds (viewer request and viewer response events),
# 30 seconds (origin request and origin response events)". Newer pages allow 30 s for viewer events;
# the emulator keeps the stricter value.
TIMEOUT_S: Final[dict[str, float]] = {
    "viewer-request": 5.0,
    "viewer-response": 5.0,
    "origin-request": 30.0,
    "origin-response": 30.0,
}


#: The emulator lists functions that a debugger is attached to. They have no time limit.
_DEBUGGED_PATH: Final = "/_local/debugged-functions"
_DEBUG_TIMEOUT_S: Final = 86_400.0


class FunctionInvoker:
    """Invoke edge functions, at most `concurrency` at once; further invocations wait.

    They run in the Region of the endpoint: as a replica, or in their own Region.
    """

    def __init__(self, endpoint: Endpoint, pool: ConnectionPool, concurrency: int) -> None:
        self._endpoint = endpoint
        self._pool = pool
        self._slots = asyncio.Semaphore(concurrency)

    async def invoke(self, association: FunctionAssociation, event: dict[str, Any]) -> Any:
        """Invoke the function version and return its result, any JSON value.

        Raises:
            FunctionExecutionError: The function failed or can't be associated.
            FunctionLimitError: Lambda throttled the function, or it exceeded its timeout.
            FunctionResultError: The result isn't JSON.
            EdgeError: The Lambda API is unreachable (502).
        """
        if association.refusal is not None:
            raise FunctionExecutionError(association.refusal, code="FunctionNotAssociable")
        payload = json.dumps(event, separators=(",", ":")).encode()
        name = quote(association.replica or association.arn, safe="")
        path = f"/2015-03-31/functions/{name}/invocations"
        endpoint = self._endpoint
        signed_headers = {
            "host": endpoint.netloc,
            "content-type": "application/json",
            "x-amz-invocation-type": "RequestResponse",
        }
        signed_headers |= sign(
            endpoint.credentials,
            "POST",
            path,
            "",
            signed_headers,
            payload,
            region=endpoint.region,
            service="lambda",
            now=datetime.now(UTC),
        )
        headers = [*signed_headers.items(), ("content-length", str(len(payload)))]
        limit_s = TIMEOUT_S[association.event_type]
        async with self._slots:
            exchange = asyncio.create_task(self._exchange(path, headers, payload))
            try:
                done, _ = await asyncio.wait({exchange}, timeout=limit_s)
                if not done and not await self._is_debugged(association.arn):
                    raise FunctionLimitError(
                        f"The function exceeded {limit_s:g} seconds.", code="FunctionTimeout"
                    )
                status, function_error, body = await exchange
            except ConnectionError as error:
                raise EdgeError(f"The Lambda API is unreachable: {error}.") from error
            finally:
                exchange.cancel()
        return _outcome(status, function_error, body)

    async def _exchange(
        self, path: str, headers: list[tuple[str, str]], payload: bytes
    ) -> tuple[int, str, bytes]:
        response = await self._pool.send(
            self._endpoint.address, "POST", path, headers, payload, timeout_s=_DEBUG_TIMEOUT_S
        )
        body = await response.read(_DEBUG_TIMEOUT_S)
        return response.status, first(response.headers, "x-amz-function-error"), body

    async def _is_debugged(self, arn: str) -> bool:
        """Return whether the emulator sends the function's invocations to a debugger."""
        headers = [("host", self._endpoint.netloc)]
        try:
            response = await self._pool.send(
                self._endpoint.address, "GET", _DEBUGGED_PATH, headers, b"", timeout_s=1.0
            )
            debugged = json.loads(await response.read(1.0)) if response.status == 200 else []
        except (TimeoutError, ConnectionError, ValueError):
            return False
        return ":".join(arn.split(":")[:7]) in debugged


def _outcome(status: int, function_error: str, body: bytes) -> Any:
    if status == 429:
        # HTTP 503 status code, "Lambda@Edge limit exceeded": "The number of function executions
        # exceeded one of the quotas that Lambda sets to throttle executions".
        raise FunctionLimitError("The function was throttled.", code="FunctionThrottled")
    if status >= 400:
        raise FunctionExecutionError(f"Lambda returned {status}.", code="FunctionNotInvocable")
    try:
        result = json.loads(body) if body else None
    except (ValueError, RecursionError):
        raise FunctionResultError("The function's result isn't JSON.", code="NotJson") from None
    if function_error:
        _raise_failure(result)
    return result


def _raise_failure(result: Any) -> None:
    failure = result if isinstance(result, dict) else {}
    message = str(failure.get("errorMessage", ""))
    if "Task timed out" in message:
        # "The function exceeded the Lambda function timeout quota."
        raise FunctionLimitError("The function timed out.", code="FunctionTimeout")
    # The error page omits the error message, because it can contain data that a viewer sent.
    kind = str(failure.get("errorType") or "an error")[:80]
    raise FunctionExecutionError(f"The function failed with {kind}.", code="FunctionFailed")
