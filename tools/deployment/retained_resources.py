"""Look up and delete the resources of the types that the templates retain.

These are DynamoDB tables, S3 buckets, Kinesis streams, SQS queues and Cognito user pools.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from tools.deployment.leftovers import ExistingResource
from tools.deployment.stacks import ACCESS_DENIED
from tools.deployment.templates import NamedResource

#: (service, Region) -> boto3 client.
type Clients = Callable[[str, str], Any]

_TABLES: Final = {"AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"}
_NOT_FOUND: Final = {
    "404",
    "AWS.SimpleQueueService.NonExistentQueue",
    "NoSuchBucket",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
    "ValidationError",
}
#: The content of a resource that the caller may not read. It counts as data.
UNKNOWN_CONTENT: Final = "content unknown, access denied"
#: GetRecords may return no records before it reaches the first one.
MAX_READS_PER_SHARD: Final = 20


def _find_table(dynamodb: Any, name: str) -> Iterator[str]:
    yield dynamodb.describe_table(TableName=name)["Table"]["TableName"]


def _has_items(dynamodb: Any, name: str) -> bool:
    return bool(dynamodb.scan(TableName=name, Limit=1, ConsistentRead=True)["Count"])


def _find_bucket(s3: Any, name: str) -> Iterator[str]:
    s3.head_bucket(Bucket=name)
    yield name


def _has_objects(s3: Any, name: str) -> bool:
    listed = s3.list_object_versions(Bucket=name, MaxKeys=1)
    return bool(listed.get("Versions") or listed.get("DeleteMarkers"))


def _find_stream(kinesis: Any, name: str) -> Iterator[str]:
    yield kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamName"]


def _has_records(kinesis: Any, name: str) -> bool:
    shards = kinesis.list_shards(StreamName=name)["Shards"]
    return any(_shard_has_records(kinesis, name, it["ShardId"]) for it in shards)


def _shard_has_records(kinesis: Any, stream: str, shard: str) -> bool:
    iterator = kinesis.get_shard_iterator(
        StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    for _ in range(MAX_READS_PER_SHARD):
        answer = kinesis.get_records(ShardIterator=iterator, Limit=1)
        if answer["Records"]:
            return True
        iterator = answer.get("NextShardIterator")
        if not iterator or not answer.get("MillisBehindLatest"):
            return False
    # A shard that isn't read to its end may hold records.
    return True


def _find_queue(sqs: Any, name: str) -> Iterator[str]:
    yield sqs.get_queue_url(QueueName=name)["QueueUrl"]


def _has_messages(sqs: Any, url: str) -> bool:
    names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return any(int(counts[name]) for name in names)


def _find_user_pools(cognito: Any, name: str) -> Iterator[str]:
    pages = cognito.get_paginator("list_user_pools").paginate(MaxResults=60)
    for pool in (it for page in pages for it in page["UserPools"]):
        if pool["Name"] == name:
            yield pool["Id"]


def _has_users(cognito: Any, pool_id: str) -> bool:
    return bool(cognito.list_users(UserPoolId=pool_id, Limit=1)["Users"])


def _describe_users(cognito: Any, pool_id: str) -> str:
    """Return how many users a pool has, so that an operator can tell two pools of a name apart."""
    pool = cognito.describe_user_pool(UserPoolId=pool_id)["UserPool"]
    count, created = pool.get("EstimatedNumberOfUsers", 0), pool["CreationDate"]
    return f"users (about {count}, created on {created:%Y-%m-%d})"


@dataclass(frozen=True)
class _RetainedType:
    """Describe a type: find its resources by name, and whether one holds data."""

    service: str
    #: The content of its resources, for messages.
    content: str
    #: (client, name) -> physical IDs.
    find: Callable[[Any, str], Iterator[str]]
    #: (client, physical ID) -> whether it contains anything.
    has_content: Callable[[Any, str], bool]
    #: (client, physical ID) -> its content, if that is more than `content`.
    describe: Callable[[Any, str], str] | None = None


_TABLE: Final = _RetainedType("dynamodb", "items", _find_table, _has_items)
_TYPES: Final[Mapping[str, _RetainedType]] = {
    "AWS::DynamoDB::GlobalTable": _TABLE,
    "AWS::DynamoDB::Table": _TABLE,
    "AWS::S3::Bucket": _RetainedType("s3", "objects", _find_bucket, _has_objects),
    "AWS::Kinesis::Stream": _RetainedType("kinesis", "records", _find_stream, _has_records),
    "AWS::SQS::Queue": _RetainedType("sqs", "messages", _find_queue, _has_messages),
    "AWS::Cognito::UserPool": _RetainedType(
        "cognito-idp", "users", _find_user_pools, _has_users, _describe_users
    ),
}
#: The types that can be looked up. A test compares them with the templates.
RETAINED_TYPES: Final = frozenset(_TYPES)


class DataError(Exception):
    """Raised when a resource that looked empty holds data; the text says which, for messages."""


class RetainedResources:
    """The retained resources of an account."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def find(self, resource: NamedResource) -> list[str]:
        """Return the physical IDs of the resources with the name: usually none or one.

        Raises:
            ClientError: A call failed.
        """
        try:
            return list(_TYPES[resource.type].find(self._client(resource), resource.name))
        except ClientError as error:
            if _code(error) not in _NOT_FOUND:
                raise
            return []

    def content(self, resource: NamedResource, physical_id: str) -> str:
        """Return what a resource contains, as in "items"; '' if it contains nothing.

        A caller who may not read it, such as the pipeline's role, gets UNKNOWN_CONTENT.

        Raises:
            ClientError: A call failed.
        """
        kind = _TYPES[resource.type]
        client = self._client(resource)
        try:
            if not kind.has_content(client, physical_id):
                return ""
            return kind.describe(client, physical_id) if kind.describe else kind.content
        except ClientError as error:
            if _code(error) not in ACCESS_DENIED:
                raise
            return UNKNOWN_CONTENT

    def replicas(self, resource: NamedResource) -> tuple[str, ...]:
        """Return the further Regions of a global table, sorted; () for other types.

        Raises:
            ClientError: A call failed.
        """
        if resource.type != "AWS::DynamoDB::GlobalTable":
            return ()
        table = self._client(resource).describe_table(TableName=resource.name)["Table"]
        regions = {str(it["RegionName"]) for it in table.get("Replicas", [])}
        return tuple(sorted(regions - {resource.region}))

    def _client(self, resource: NamedResource) -> Any:
        return self._clients(_TYPES[resource.type].service, resource.region)

    def delete(self, leftover: ExistingResource) -> None:
        """Delete a resource without data. Its deletion protection is disabled first.

        Raises:
            ClientError: A call failed.
            DataError: A replica of a table holds data.
            WaiterError: A table didn't reach the expected status in time.
        """
        resource, identifier = leftover.resource, leftover.physical_id
        client = self._clients
        if resource.type in _TABLES:
            self._delete_table(resource)
        elif resource.type == "AWS::S3::Bucket":
            client("s3", resource.region).delete_bucket(Bucket=identifier)
        elif resource.type == "AWS::Kinesis::Stream":
            client("kinesis", resource.region).delete_stream(StreamName=identifier)
        elif resource.type == "AWS::SQS::Queue":
            client("sqs", resource.region).delete_queue(QueueUrl=identifier)
        elif resource.type == "AWS::Cognito::UserPool":
            self._delete_user_pool(resource.region, identifier)

    def _delete_table(self, resource: NamedResource) -> None:
        """Delete the replicas of a table, and then the table.

        Raises:
            DataError: A replica has items.
        """
        home = self._clients("dynamodb", resource.region)
        described = home.describe_table(TableName=resource.name)["Table"]
        replicas = {it["RegionName"] for it in described.get("Replicas", [])} - {resource.region}
        for region in [*sorted(replicas), resource.region]:
            dynamodb = self._clients("dynamodb", region)
            if dynamodb.scan(TableName=resource.name, Limit=1)["Count"]:
                raise DataError(f"items in {region}")
            dynamodb.update_table(TableName=resource.name, DeletionProtectionEnabled=False)
            dynamodb.get_waiter("table_exists").wait(TableName=resource.name)
        for region in sorted(replicas):
            change = {"Delete": {"RegionName": region}}
            home.update_table(TableName=resource.name, ReplicaUpdates=[change])
            replica = self._clients("dynamodb", region)
            replica.get_waiter("table_not_exists").wait(TableName=resource.name)
            home.get_waiter("table_exists").wait(TableName=resource.name)
        home.delete_table(TableName=resource.name)
        home.get_waiter("table_not_exists").wait(TableName=resource.name)

    def _delete_user_pool(self, region: str, pool_id: str) -> None:
        cognito = self._clients("cognito-idp", region)
        pool = cognito.describe_user_pool(UserPoolId=pool_id)["UserPool"]
        if pool.get("DeletionProtection") == "ACTIVE":
            # "If you don't provide a value for an attribute, Amazon Cognito sets it to its default
            # value" (UpdateUserPool). The pool is deleted next, so that has no effect.
            cognito.update_user_pool(UserPoolId=pool_id, DeletionProtection="INACTIVE")
        for domain in filter(None, (pool.get("Domain"), pool.get("CustomDomain"))):
            cognito.delete_user_pool_domain(UserPoolId=pool_id, Domain=domain)
        cognito.delete_user_pool(UserPoolId=pool_id)


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
