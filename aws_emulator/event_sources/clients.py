"""The boto3 clients of the poller, one per service and Region, shared by all threads."""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
from botocore.parsers import ResponseParserError

from aws_emulator.event_sources.errors import (
    ExpiredIteratorError,
    ServiceError,
    StreamNotFoundError,
    TrimmedDataError,
    UnreachableError,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

#: Connection pool size of one client. Each waiting thread holds one connection.
MAX_CONNECTIONS: Final = 64
#: Timeout in seconds for calls that a healthy endpoint answers immediately.
CONTROL_TIMEOUT_S: Final = 4
#: "Timeout … maximum 900 seconds" (configuration-timeout), plus a margin for the response.
INVOKE_TIMEOUT_S: Final = 910

_ERRORS: Final[dict[str, type[ServiceError]]] = {
    "ResourceNotFoundException": StreamNotFoundError,
    "ExpiredIteratorException": ExpiredIteratorError,
    "TrimmedDataAccessException": TrimmedDataError,
}


class Clients:
    """The clients of one endpoint, created on first use. boto3 clients are thread-safe."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def lambda_control(self, region: str) -> "LambdaClient":
        """Return the client that lists mappings. It never retries: its calls are health checks."""
        client: LambdaClient = self._client("lambda", region, CONTROL_TIMEOUT_S, 1)
        return client

    def lambda_invoke(self, region: str) -> "LambdaClient":
        """Return the client for Invoke. It never retries: `batch_rules` decides about retries."""
        client: LambdaClient = self._client("lambda", region, INVOKE_TIMEOUT_S, 1)
        return client

    def kinesis(self, region: str) -> "KinesisClient":
        """Return the client that reads records, with raw values; see `_keep_raw_values`."""
        client: KinesisClient = self._client("kinesis", region, 30, 3, raw=True)
        return client

    def kinesis_control(self, region: str) -> "KinesisClient":
        """Return the client that lists shards, with a short timeout."""
        client: KinesisClient = self._client("kinesis", region, CONTROL_TIMEOUT_S, 1)
        return client

    def dynamodb_streams(self, region: str) -> "DynamoDBStreamsClient":
        """Return the client that reads records of a table's stream, with raw values."""
        client: DynamoDBStreamsClient = self._client("dynamodbstreams", region, 30, 3, raw=True)
        return client

    def dynamodb_streams_control(self, region: str) -> "DynamoDBStreamsClient":
        """Return the client that lists shards of a table's stream, with a short timeout."""
        client: DynamoDBStreamsClient = self._client(
            "dynamodbstreams", region, CONTROL_TIMEOUT_S, 1
        )
        return client

    def sqs(self, region: str) -> "SQSClient":
        """Return the client for SQS destinations."""
        client: SQSClient = self._client("sqs", region, 30, 3)
        return client

    def sns(self, region: str) -> "SNSClient":
        """Return the client for SNS destinations."""
        client: SNSClient = self._client("sns", region, 30, 3)
        return client

    def s3(self, region: str) -> "S3Client":
        """Return the client for S3 destinations."""
        client: S3Client = self._client("s3", region, 30, 3)
        return client

    @functools.cache  # noqa: B019 -- one instance for the process lifetime
    def _client(
        self, service: str, region: str, read_timeout: int, attempts: int, *, raw: bool = False
    ) -> Any:
        config = Config(
            connect_timeout=CONTROL_TIMEOUT_S,
            read_timeout=read_timeout,
            max_pool_connections=MAX_CONNECTIONS,
            # Standard mode reopens a connection that the endpoint closed while it was idle.
            retries={"mode": "standard", "total_max_attempts": attempts},
            s3={"addressing_style": "path"},
        )
        core = botocore.session.get_session()
        if raw:
            _keep_raw_values(core)
        session = boto3.Session(
            botocore_session=core,
            region_name=region,
            aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "test"),
            aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
        )
        # The stubs have an overload per literal service name only.
        return session.client(service, endpoint_url=self.endpoint, config=config)  # type: ignore[call-overload]


def _keep_raw_values(core: botocore.session.Session) -> None:
    """Keep blobs as base64 text and timestamps as numbers, as the function's event needs them.

    Decoding and re-encoding a page of 10,000 records took half of the time of a read.
    """
    factory = core.get_component("response_parser_factory")
    factory.set_parser_defaults(timestamp_parser=float, blob_parser=str)


@contextmanager
def domain_errors() -> Iterator[None]:
    """Convert SDK errors into errors of this package.

    Raises:
        ServiceError: The service returned an error. The subclass depends on the error code.
        UnreachableError: The endpoint did not respond.
    """
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "Unknown")
        raise _ERRORS.get(code, ServiceError)(f"{error.operation_name} failed: {code}.") from error
    except ResponseParserError as error:
        raise ServiceError("The service returned a malformed response.") from error
    except BotoCoreError as error:
        raise UnreachableError(
            f"The endpoint did not respond: {type(error).__name__}.",
            refused=isinstance(error, EndpointConnectionError),
        ) from error
