"""The Kinesis Data Streams adapter: PutRecords over HTTP, errors as `KinesisError`.

`delivery` calls it. boto3 is too slow to import in a cold start.
"""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from edge_ingest import sigv4
from edge_ingest.http_client import (
    Connect,
    Connection,
    Endpoint,
    Response,
    TransportError,
    endpoint_of_url,
)

_TARGET: Final = "Kinesis_20131202.PutRecords"
# Kinesis API, "Common Errors" and PutRecords: transient errors. For an expired token, the next
# attempt reads the credentials again.
_RETRYABLE: Final = {
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "KMSThrottlingException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "ExpiredTokenException",
    "InternalFailure",
    "ServiceUnavailable",
}
# IAM User Guide, "Troubleshoot Signature Version 4": errors if the clock is off by over 5 minutes.
_CLOCK_SKEW_ERRORS: Final = {
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "RequestExpired",
    "RequestTimeTooSkewed",
}
_MIN_SKEW_S: Final = 60.0


class RecordEntry(msgspec.Struct, frozen=True):
    """A PutRecordsRequestEntry: the data and its partition key."""

    data: bytes
    partition_key: str


class KinesisError(Exception):
    """The call failed as a whole. `retryable`: a retry in the same Region can succeed."""

    def __init__(self, code: str, *, retryable: bool) -> None:
        super().__init__(code)
        self.code = code
        self.retryable = retryable


class PutResult(msgspec.Struct, rename="pascal"):
    """A PutRecordsResultEntry: an error code, or the position of the stored record."""

    error_code: str | None = None
    shard_id: str = ""
    sequence_number: str = ""


class _PutRecordsOutput(msgspec.Struct, rename="pascal"):
    failed_record_count: int
    records: list[PutResult]


_output_decoder: Final = msgspec.json.Decoder(_PutRecordsOutput)


class KinesisClient:
    """Call PutRecords in any Region, with one keep-alive connection per Region."""

    def __init__(
        self,
        connect: Connect,
        clock: Callable[[], float] = time.time,
        credentials: Callable[[], sigv4.Credentials] = sigv4.credentials,
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._credentials = credentials
        self._connections: dict[str, Connection] = {}
        self._skew = 0.0  # the server's clock minus this one, in seconds

    def put_records(
        self, region: str, stream: str, entries: Sequence[RecordEntry], timeout: float
    ) -> list[PutResult]:
        """Put records and return the result of each.

        PutRecords: "A single record failure does not stop the processing of subsequent records".

        Raises:
            KinesisError: The call failed as a whole, or took longer than `timeout` seconds.
        """  # noqa: DOC501 - `_error` returns the error
        body = msgspec.json.encode(
            {
                "StreamName": stream,
                "Records": [
                    {"Data": entry.data, "PartitionKey": entry.partition_key} for entry in entries
                ],
            }
        )
        response = self._post(region, body, timeout)
        if response.status != 200 and self._adjust_clock(response):
            response = self._post(region, body, timeout)
        if response.status != 200:
            raise _error(response)
        try:
            output = _output_decoder.decode(response.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise KinesisError("unreadable_response", retryable=True) from error
        if len(output.records) != len(entries):
            raise KinesisError("unreadable_response", retryable=True)
        return output.records

    def is_reachable(self, region: str, stream: str, timeout: float) -> bool:
        """Return whether the Region answers within `timeout` seconds, by a call without records.

        Kinesis refuses it (PutRecords, `Records`: "Minimum number of 1 item"), so the probe stores
        nothing and costs nothing.
        """
        body = msgspec.json.encode({"StreamName": stream, "Records": []})
        try:
            return self._post(region, body, timeout).status < 500
        except KinesisError:
            return False

    def _post(self, region: str, body: bytes, timeout: float) -> Response:
        connection = self._connections.get(region)
        if connection is None:
            connection = self._connections[region] = Connection(endpoint_of(region), self._connect)
        try:
            headers = sigv4.signed_headers(
                self._credentials(),
                region=region,
                host=connection.endpoint.authority,
                target=_TARGET,
                body=body,
                now=self._clock() + self._skew,
            )
            return connection.post(headers, body, timeout)
        except sigv4.CredentialsError as error:
            raise KinesisError("no_credentials", retryable=False) from error
        except TransportError as error:
            raise KinesisError("unreachable", retryable=True) from error

    def _adjust_clock(self, response: Response) -> bool:
        """Use the server's clock if clock skew explains the error; return whether it does."""
        if _error_code(response) not in _CLOCK_SKEW_ERRORS:
            return False
        skew = _server_time(response) - self._clock()
        if abs(skew - self._skew) < _MIN_SKEW_S:
            return False
        self._skew = skew
        return True


def endpoint_of(region: str) -> Endpoint:
    """Return the Kinesis endpoint of a Region.

    The environment variables of the AWS SDKs override it: `AWS_ENDPOINT_URL_KINESIS`, then
    `AWS_ENDPOINT_URL`.
    """
    url = os.environ.get("AWS_ENDPOINT_URL_KINESIS") or os.environ.get("AWS_ENDPOINT_URL")
    if not url:
        return Endpoint(tls=True, host=f"kinesis.{region}.amazonaws.com", port=443)
    return endpoint_of_url(url)


def _error(response: Response) -> KinesisError:
    code = _error_code(response)
    return KinesisError(code, retryable=response.status >= 500 or code in _RETRYABLE)


def _error_code(response: Response) -> str:
    """Return the error's name.

    It has no prefix, as in `com.amazonaws.kinesis#Name`, and no suffix, as in `Name:http://…`.
    """
    try:
        document: Any = msgspec.json.decode(response.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        document = None
    name = document.get("__type") if isinstance(document, dict) else None
    if not isinstance(name, str):
        name = response.headers.get("x-amzn-errortype", "")
    return name.rpartition("#")[2].partition(":")[0] or f"http_{response.status}"


def _server_time(response: Response) -> float:
    import calendar  # needed only for a skewed clock, so it isn't part of the cold start

    try:
        parsed = time.strptime(response.headers.get("date", ""), "%a, %d %b %Y %H:%M:%S GMT")
    except ValueError:
        return time.time()
    return calendar.timegm(parsed)
