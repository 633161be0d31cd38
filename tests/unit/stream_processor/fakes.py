"""In-memory fakes of S3, DynamoDB and the Lambda context, behind a network that can fail.

They have boto3's client methods, so that tests include the adapters of stream_processor.
"""

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import ClientError, ReadTimeoutError

from aws_emulator.simulator import fault_point
from stream_processor.settings import Settings
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.dynamodb import Table
from stream_processor.storage.s3 import Bucket
from tests.unit.stream_processor.fake_glue import FakeGlue

REGION: Final = "us-east-1"
LAKE, FAILURES = "lake", "failures"

SETTINGS: Final = Settings(
    lake_bucket=LAKE,
    failures_bucket=FAILURES,
    checkpoints_table="checkpoints",
    live_table="live",
    appointments_table="appointments",
    region=REGION,
    stage="test",
    live_hours=1_000_000,  # minutes in tests never expire
)


def client_error(status: int, code: str) -> ClientError:
    """Return an error response of AWS."""
    return ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item] # other fields unused
        "Fake",
    )


def no_response() -> Exception:
    """Return a timeout: the caller doesn't know whether the call took effect."""
    return ReadTimeoutError(endpoint_url="https://fake")


class NetworkClient:
    """A client of a fake service whose calls go through `call_over_network`."""

    def __init__(self, service: str, fake: Any) -> None:
        self._service = service
        self._fake = fake

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        effect = getattr(self._fake, operation)

        def call(**query: Any) -> Any:
            location = query.get("TableName", query.get("Bucket", ""))
            return call_over_network(
                f"{self._service} {operation} {location}", lambda: effect(**query)
            )

        return call


def call_over_network[A](name: str, effect: Callable[[], A]) -> A:
    """Call a fake; the fault simulator can lose the request or the response.

    After a lost response, the SDK can send the request again, so that the effect happens twice.
    """
    fault_point(f"{name}: before", error=no_response)
    while True:
        response, rejection = None, None
        try:
            response = effect()
        except ClientError as error:
            rejection = error
        if fault_point(f"{name}: after", error=no_response) == "resent":
            continue
        if rejection is not None:
            raise rejection
        return response  # type: ignore[return-value] # set unless rejected


@dataclass
class FakeS3:
    """Versioned buckets. `objects` holds body and metadata by bucket and key."""

    objects: dict[tuple[str, str], tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    #: Deleted objects, whose versions the bucket keeps.
    deleted: dict[tuple[str, str], tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    #: Keys with a delete marker and no version.
    purged: set[tuple[str, str]] = field(default_factory=set)
    conflicts: int = 0
    #: Order in which the objects were created.
    created: dict[tuple[str, str], int] = field(default_factory=dict)

    def put_object(self, **query: Any) -> dict[str, Any]:
        location = (query["Bucket"], query["Key"])
        if self.conflicts:
            self.conflicts -= 1
            raise client_error(409, "ConditionalRequestConflict")
        if query.get("IfNoneMatch") == "*" and location in self.objects:
            raise client_error(412, "PreconditionFailed")
        self.objects[location] = (bytes(query["Body"]), dict(query.get("Metadata", {})))
        self.created[location] = len(self.created)
        self.deleted.pop(location, None)
        self.purged.discard(location)
        return {}

    def head_object(self, **query: Any) -> dict[str, Any]:
        if "VersionId" in query:
            return {"Metadata": dict(self.deleted[query["Bucket"], query["Key"]][1])}
        return {"Metadata": dict(self._find(query)[1])}

    def get_object(self, **query: Any) -> dict[str, Any]:
        if "VersionId" in query:
            return {"Body": io.BytesIO(self.deleted[query["Bucket"], query["Key"]][0])}
        return {"Body": io.BytesIO(self._find(query)[0])}

    def delete_object(self, **query: Any) -> dict[str, Any]:
        location = (query["Bucket"], query["Key"])
        if "VersionId" in query:
            if location in self.deleted:
                self.objects[location] = self.deleted.pop(location)
        elif location in self.objects:
            self.deleted[location] = self.objects.pop(location)
        return {}

    def list_object_versions(self, **query: Any) -> dict[str, Any]:
        after = query.get("KeyMarker", "")
        keys = sorted(
            key
            for bucket, key in self.deleted
            if bucket == query["Bucket"] and key.startswith(query["Prefix"]) and key > after
        )
        markers = [{"Key": key, "VersionId": "1", "IsLatest": True} for key in keys[:3]]
        versions = [
            {"Key": key, "VersionId": "0", "IsLatest": False}
            for key in keys[:3]
            if (query["Bucket"], key) not in self.purged
        ]
        response: dict[str, Any] = {"DeleteMarkers": markers, "Versions": versions}
        if keys[3:]:
            response |= {"IsTruncated": True, "NextKeyMarker": keys[2], "NextVersionIdMarker": "1"}
        return response

    def list_objects_v2(self, **query: Any) -> dict[str, Any]:
        prefix, start = query.get("Prefix", ""), query.get("StartAfter", "")
        start = max(start, query.get("ContinuationToken", ""))
        keys = sorted(
            key
            for bucket, key in self.objects
            if bucket == query["Bucket"] and key.startswith(prefix) and key > start
        )
        if "Delimiter" in query:
            heads = {key[: key.index("/", len(prefix)) + 1] for key in keys}
            return {"CommonPrefixes": [{"Prefix": head} for head in sorted(heads)]}
        # Short pages make most listings take several calls.
        page, more = keys[:7], keys[7:]
        contents = [self._listed(query["Bucket"], key) for key in page]
        response: dict[str, Any] = {"Contents": contents}
        if more:
            response |= {"IsTruncated": True, "NextContinuationToken": page[-1]}
        return response

    def _listed(self, bucket: str, key: str) -> dict[str, Any]:
        body = self.objects[bucket, key][0]
        created = self.created.setdefault((bucket, key), len(self.created))
        return {
            "Key": key,
            "Size": len(body),
            "ETag": hashlib.sha256(body).hexdigest(),
            "LastModified": datetime.fromtimestamp(created, UTC),
        }

    def _find(self, query: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
        try:
            return self.objects[query["Bucket"], query["Key"]]
        except KeyError:
            raise client_error(404, "NoSuchKey") from None

    def list_keys(self, bucket: str = LAKE) -> list[str]:
        """Return the keys in a bucket, sorted."""
        return sorted(key for name, key in self.objects if name == bucket)


KEYS: Final = {
    "checkpoints": ("chain",),
    "live": ("board", "slot"),
    "appointments": ("pk", "sk"),
}

#: The condition expressions of stream_processor, and functions that evaluate them.
CONDITIONS: Final[dict[str, Callable[[Mapping[str, Any] | None, Mapping[str, Any]], bool]]] = {
    "attribute_not_exists(high) OR high < :high": lambda old, values: (
        old is None or old["high"]["S"] < values[":high"]["S"]
    ),
    "attribute_not_exists(entries) OR entries < :entries": lambda old, values: (
        old is None or int(old["entries"]["N"]) < int(values[":entries"]["N"])
    ),
    "attribute_not_exists(slot)": lambda old, _: old is None,
    "through = :seen": lambda old, values: old is not None and old["through"] == values[":seen"],
}


@dataclass
class FakeDynamoDB:
    """Tables, with items by table and key."""

    items: dict[str, dict[tuple[str, ...], dict[str, Any]]] = field(default_factory=dict)

    def _table(self, query: Mapping[str, Any]) -> dict[tuple[str, ...], dict[str, Any]]:
        return self.items.setdefault(query["TableName"], {})

    @staticmethod
    def _key(query: Mapping[str, Any], of: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(of[name]["S"] for name in KEYS[query["TableName"]])

    def get_item(self, **query: Any) -> dict[str, Any]:
        assert query["ConsistentRead"], "the result is used for a decision"
        item = self._table(query).get(self._key(query, query["Key"]))
        return {} if item is None else {"Item": dict(item)}

    def put_item(self, **query: Any) -> dict[str, Any]:
        key = self._key(query, query["Item"])
        condition = query.get("ConditionExpression")
        if condition is not None:
            old = self._table(query).get(key)
            if not CONDITIONS[condition](old, query.get("ExpressionAttributeValues", {})):
                raise client_error(400, "ConditionalCheckFailedException")
        self._table(query)[key] = dict(query["Item"])
        return {}

    def query(self, **query: Any) -> dict[str, Any]:
        values = query["ExpressionAttributeValues"]
        assert query["KeyConditionExpression"] == "board = :live AND slot >= :from"
        items = [
            item
            for (board, slot), item in sorted(self._table(query).items())
            if board == values[":live"]["S"] and slot >= values[":from"]["S"]
        ]
        return self._paged(items, query)

    def scan(self, **query: Any) -> dict[str, Any]:
        return self._paged([item for _, item in sorted(self._table(query).items())], query)

    @staticmethod
    def _paged(items: list[dict[str, Any]], query: Mapping[str, Any]) -> dict[str, Any]:
        start = int(query.get("ExclusiveStartKey", {}).get("at", {}).get("N", 0))
        page: dict[str, Any] = {"Items": items[start : start + 7]}
        if len(items) > start + 7:
            page["LastEvaluatedKey"] = {"at": {"N": str(start + 7)}}
        return page


@dataclass
class FakeAws:
    """The AWS resources, which outlive the processes of the functions."""

    s3: FakeS3 = field(default_factory=FakeS3)
    dynamodb: FakeDynamoDB = field(default_factory=FakeDynamoDB)
    glue: FakeGlue = field(default_factory=FakeGlue)
    settings: Settings = SETTINGS

    def app(self) -> AppContext:
        """Return the context of a new process."""
        s3: Any = NetworkClient("s3", self.s3)
        dynamodb: Any = NetworkClient("dynamodb", self.dynamodb)
        return AppContext(
            self.settings,
            Bucket(LAKE, s3, lambda _: None),
            Table("checkpoints", dynamodb),
            Table("live", dynamodb),
            Table("appointments", dynamodb),
            Bucket(FAILURES, s3, lambda _: None),
            self.glue,
        )

    def objects(self, prefix: str = "") -> Iterator[tuple[str, bytes, dict[str, str]]]:
        """Yield key, body and metadata of the lake's objects."""
        for key in self.s3.list_keys():
            if key.startswith(prefix):
                body, metadata = self.s3.objects[LAKE, key]
                yield key, body, metadata


class Context:
    """The Lambda context of an invocation."""

    function_name = "meridian-test-events"
    function_version = "1"
    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:meridian-test-events"
    aws_request_id = "00000000-0000-4000-8000-000000000000"
    log_group_name = log_stream_name = "test"

    def __init__(self, milliseconds: int = 300_000) -> None:
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds
