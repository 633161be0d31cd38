"""The adapter of Amazon Kinesis Data Streams: PutRecords, and its errors as the room's own."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from edge_ingest import signing
from edge_ingest.http import Connection, Dial, Endpoint, Response, TransportError

_TARGET: Final = "Kinesis_20131202.PutRecords"
# Kinesis API, PutRecords errors that pass by themselves; an expired token is read anew.
_PASSING: Final = {
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "KMSThrottlingException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "ExpiredTokenException",
    "InternalFailure",
    "ServiceUnavailable",
}
# IAM User Guide, "Troubleshoot Signature Version 4": what a clock more than 5 minutes off gives.
_SKEWED: Final = {
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "RequestExpired",
    "RequestTimeTooSkewed",
}
_SKEW_SECONDS: Final = 60.0


class Entry(NamedTuple):
    """A record to put: its bytes and its partition key."""

    data: bytes
    key: str


class PutError(Exception):
    """The whole call failed. `passing`: it is worth another try in the same region."""

    def __init__(self, code: str, *, passing: bool) -> None:
        super().__init__(code)
        self.code = code
        self.passing = passing


class _Record(msgspec.Struct, rename="pascal"):
    error_code: str | None = None


class _Put(msgspec.Struct, rename="pascal"):
    failed_record_count: int
    records: list[_Record]


_put_decoder: Final = msgspec.json.Decoder(_Put)


class Kinesis:
    """PutRecords in any region, over one kept-alive connection for each."""

    def __init__(
        self,
        dial: Dial,
        clock: Callable[[], float] = time.time,
        credentials: Callable[[], signing.Credentials] = signing.credentials,
    ) -> None:
        self._dial = dial
        self._clock = clock
        self._credentials = credentials
        self._connections: dict[str, Connection] = {}
        self._skew = 0.0

    def put(
        self, region: str, stream: str, entries: Sequence[Entry], seconds: float
    ) -> list[str | None]:
        """Put records; return for each its error code, or None where it is stored.

        PutRecords: "A single record failure does not stop the processing of subsequent records".

        Raises:
            PutError: the call failed as a whole, within `seconds`.
        """
        body = msgspec.json.encode(
            {
                "StreamName": stream,
                "Records": [{"Data": entry.data, "PartitionKey": entry.key} for entry in entries],
            }
        )
        response = self._post(region, body, seconds)
        if response.status != 200 and self._adjusted(response):
            response = self._post(region, body, seconds)
        if response.status != 200:
            raise _error(response)
        try:
            put = _put_decoder.decode(response.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise PutError("unreadable_response", passing=True) from error
        if len(put.records) != len(entries):
            raise PutError("unreadable_response", passing=True)
        return [record.error_code for record in put.records]

    def _post(self, region: str, body: bytes, seconds: float) -> Response:
        connection = self._connections.get(region)
        if connection is None:
            connection = self._connections[region] = Connection(endpoint_of(region), self._dial)
        try:
            headers = signing.headers(
                self._credentials(),
                region=region,
                host=connection.endpoint.authority,
                target=_TARGET,
                body=body,
                now=self._clock() + self._skew,
            )
            return connection.post(headers, body, seconds)
        except signing.CredentialsError as error:
            raise PutError("no_credentials", passing=False) from error
        except TransportError as error:
            raise PutError("unreachable", passing=True) from error

    def _adjusted(self, response: Response) -> bool:
        """Take over the server's clock where the signature failed because ours is off."""
        if _code(response) not in _SKEWED:
            return False
        skew = _server_time(response) - self._clock()
        if abs(skew - self._skew) < _SKEW_SECONDS:
            return False
        self._skew = skew
        return True


def endpoint_of(region: str) -> Endpoint:
    """Return where Kinesis listens for a region: botocore's standard variables may say where."""
    url = os.environ.get("AWS_ENDPOINT_URL_KINESIS") or os.environ.get("AWS_ENDPOINT_URL")
    if not url:
        return Endpoint(tls=True, host=f"kinesis.{region}.amazonaws.com", port=443)
    scheme, _, rest = url.partition("://")
    authority = rest.partition("/")[0]
    host, colon, port = authority.rpartition(":")
    if not colon or "]" in port:
        host, port = authority, ""
    tls = scheme == "https"
    return Endpoint(tls=tls, host=host.strip("[]"), port=int(port or (443 if tls else 80)))


def _error(response: Response) -> PutError:
    code = _code(response)
    return PutError(code, passing=response.status >= 500 or code in _PASSING)


def _code(response: Response) -> str:
    """Return the error's name: `com.amazonaws.kinesis#Name` or `Name:http://…` say the same."""
    try:
        document: Any = msgspec.json.decode(response.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        document = None
    name = document.get("__type") if isinstance(document, dict) else None
    if not isinstance(name, str):
        name = response.headers.get("x-amzn-errortype", "")
    return name.rpartition("#")[2].partition(":")[0] or f"http_{response.status}"


def _server_time(response: Response) -> float:
    import calendar  # only a clock that is off pays for it

    try:
        parsed = time.strptime(response.headers.get("date", ""), "%a, %d %b %Y %H:%M:%S GMT")
    except ValueError:
        return time.time()
    return calendar.timegm(parsed)
