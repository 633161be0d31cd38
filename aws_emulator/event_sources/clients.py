"""The boto3 clients of the poller: one per service and region, with room for every thread."""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
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

#: Connections kept to one service of one region: one for each thread that may wait there.
MAX_CONNECTIONS = 64
#: Seconds for an answer that comes at once where the endpoint is alive.
CONTROL_TIMEOUT_S = 4
#: "Timeout … maximum 900 seconds" (configuration-timeout), and a little more for the way back.
INVOKE_TIMEOUT_S = 910

_ERRORS: dict[str, type[ServiceError]] = {
    "ResourceNotFoundException": StreamNotFoundError,
    "ExpiredIteratorException": ExpiredIteratorError,
    "TrimmedDataAccessException": TrimmedDataError,
}


class Clients:
    """Every client of one endpoint. A client is safe to share between threads."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def lambda_control(self, region: str) -> "LambdaClient":
        """For the lists that also tell whether the endpoint lives: no retries, short waits."""
        client: LambdaClient = self._client("lambda", region, CONTROL_TIMEOUT_S, 1)
        return client

    def lambda_invoke(self, region: str) -> "LambdaClient":
        """For Invoke. The rules decide about a retry, so the client never does."""
        client: LambdaClient = self._client("lambda", region, INVOKE_TIMEOUT_S, 1)
        return client

    def kinesis(self, region: str) -> "KinesisClient":
        """For reading a stream. Data stays base64 text and times stay numbers; see `_raw`."""
        client: KinesisClient = self._client("kinesis", region, 30, 3, raw=True)
        return client

    def kinesis_control(self, region: str) -> "KinesisClient":
        """For the list of a stream's shards, which must not hold the poller up."""
        client: KinesisClient = self._client("kinesis", region, CONTROL_TIMEOUT_S, 1)
        return client

    def dynamodb_streams(self, region: str) -> "DynamoDBStreamsClient":
        """For reading a table's stream; as `kinesis`."""
        client: DynamoDBStreamsClient = self._client("dynamodbstreams", region, 30, 3, raw=True)
        return client

    def dynamodb_streams_control(self, region: str) -> "DynamoDBStreamsClient":
        """For the list of a table stream's shards; as `kinesis_lists`."""
        client: DynamoDBStreamsClient = self._client(
            "dynamodbstreams", region, CONTROL_TIMEOUT_S, 1
        )
        return client

    def sqs(self, region: str) -> "SQSClient":
        """For queues as on-failure destinations."""
        client: SQSClient = self._client("sqs", region, 30, 3)
        return client

    def sns(self, region: str) -> "SNSClient":
        """For topics as on-failure destinations."""
        client: SNSClient = self._client("sns", region, 30, 3)
        return client

    def s3(self, region: str) -> "S3Client":
        """For buckets as on-failure destinations."""
        client: S3Client = self._client("s3", region, 30, 3)
        return client

    @functools.cache  # noqa: B019 -- one object per process, which lives as long as the process
    def _client(
        self, service: str, region: str, read_timeout: int, attempts: int, *, raw: bool = False
    ) -> Any:
        config = Config(
            connect_timeout=CONTROL_TIMEOUT_S,
            read_timeout=read_timeout,
            max_pool_connections=MAX_CONNECTIONS,
            # A connection that the emulator closed while it lay idle is opened again.
            retries={"mode": "standard", "total_max_attempts": attempts},
            s3={"addressing_style": "path"},
        )
        core = botocore.session.get_session()
        if raw:
            _raw(core)
        session = boto3.Session(
            botocore_session=core,
            region_name=region,
            aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "test"),
            aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
        )
        # The service is a name here, and boto3's types know only literals.
        return session.client(service, endpoint_url=self.endpoint, config=config)  # type: ignore[call-overload]


def _raw(core: botocore.session.Session) -> None:
    """Leave blobs in base64 and times as numbers: that is how the function's event holds them.

    Decoding 10,000 records only to encode them again was half of the time of a read.
    """
    factory = core.get_component("response_parser_factory")
    factory.set_parser_defaults(timestamp_parser=float, blob_parser=str)


@contextmanager
def domain_errors() -> Iterator[None]:
    """The one place where an SDK's error becomes one of this room."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "Unknown")
        raise _ERRORS.get(code, ServiceError)(
            f"{error.operation_name} was refused: {code}"
        ) from error
    except ResponseParserError as error:
        raise ServiceError("an answer could not be read") from error
    except BotoCoreError as error:
        raise UnreachableError(f"no answer: {type(error).__name__}") from error
