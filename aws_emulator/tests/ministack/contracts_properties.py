"""Contracts of the patches that apply properties which MiniStack's provisioners drop."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import ROLE, function, stack
from aws_emulator.tests.waiting import wait_until

_CODE = "def handler(event, context):\n    return None\n"


def table_properties(emulator: Emulator) -> None:
    """A table has the time to live, recovery and encryption of the template."""
    name = unique("table")
    template = stack(
        Table={
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": name,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS"},
            },
        }
    )
    emulator.deploy(template, name)
    tables = emulator.client("dynamodb")
    time_to_live = tables.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert time_to_live["TimeToLiveStatus"] == "ENABLED"
    assert time_to_live["AttributeName"] == "expires_at"
    backups = tables.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    assert recovery == "ENABLED"
    assert tables.describe_table(TableName=name)["Table"]["SSEDescription"]["Status"] == "ENABLED"


def global_tables(emulator: Emulator) -> None:
    """A global table has replicas with a stream each, which are deleted with it."""
    name = unique("global")
    template = stack(
        Table={
            "Type": "AWS::DynamoDB::GlobalTable",
            "Properties": {
                "TableName": name,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
                "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
                "Replicas": [
                    {"Region": "us-east-1"},
                    {
                        "Region": "eu-west-2",
                        "DeletionProtectionEnabled": True,
                        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                    },
                ],
            },
        }
    )
    template["Outputs"] = {"StreamArn": {"Value": {"Fn::GetAtt": ["Table", "StreamArn"]}}}
    outputs = emulator.deploy(template, name)
    home, london = emulator.client("dynamodb"), emulator.client("dynamodb", "eu-west-2")
    assert home.describe_table(TableName=name)["Table"]["LatestStreamArn"] == outputs["StreamArn"]
    replica = london.describe_table(TableName=name)["Table"]
    assert ":eu-west-2:" in replica["LatestStreamArn"]
    assert replica["DeletionProtectionEnabled"] is True
    time_to_live = london.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert time_to_live["AttributeName"] == "expires_at"

    home.put_item(TableName=name, Item={"id": {"S": "from home"}})
    london.put_item(TableName=name, Item={"id": {"S": "from London"}})
    for table in (home, london):
        ids = {item["id"]["S"] for item in table.scan(TableName=name)["Items"]}
        assert ids == {"from home", "from London"}

    replicas = template["Resources"]["Table"]["Properties"]["Replicas"]
    replicas.append({"Region": "ap-south-1"})
    emulator.deploy(template, name)
    mumbai = emulator.client("dynamodb", "ap-south-1")
    assert len(mumbai.scan(TableName=name)["Items"]) == 2
    replicas.append({"Region": "eu-west-1"})
    replicas.append({"Region": "eu-west-3"})
    with pytest.raises(AssertionError, match="Only one replica"):
        emulator.deploy(template, name)
    del replicas[1], replicas[2:]
    with pytest.raises(AssertionError, match="protected against deletion"):
        emulator.deploy(template, name)
    london.update_table(TableName=name, DeletionProtectionEnabled=False)
    emulator.deploy(template, name)
    with pytest.raises(ClientError, match="not found"):
        london.describe_table(TableName=name)

    emulator.delete(name)
    with pytest.raises(ClientError, match="not found"):
        mumbai.describe_table(TableName=name)


def bucket_properties(emulator: Emulator) -> None:
    """A bucket has the encryption, lifecycle, ownership and replication of the template."""
    name = unique("bucket")
    storage, versioned = emulator.client("s3"), {"Status": "Enabled"}
    storage.create_bucket(Bucket=f"{name}-copy")
    storage.put_bucket_versioning(Bucket=f"{name}-copy", VersioningConfiguration=versioned)
    template = stack(
        Role=ROLE,
        Bucket={
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "BucketName": name,
                "VersioningConfiguration": versioned,
                "BucketEncryption": {
                    "ServerSideEncryptionConfiguration": [
                        {
                            "BucketKeyEnabled": True,
                            "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"},
                        }
                    ]
                },
                "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                "LifecycleConfiguration": {
                    "Rules": [
                        {
                            "Id": "old",
                            "Status": "Enabled",
                            "Prefix": "events/",
                            "ExpirationInDays": 400,
                            "Transitions": [
                                {"StorageClass": "INTELLIGENT_TIERING", "TransitionInDays": 30}
                            ],
                            "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                        }
                    ]
                },
                "ReplicationConfiguration": {
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Rules": [
                        {
                            "Id": "copy",
                            "Status": "Enabled",
                            "Priority": 1,
                            "Filter": {"Prefix": ""},
                            "DeleteMarkerReplication": {"Status": "Disabled"},
                            "Destination": {"Bucket": f"arn:aws:s3:::{name}-copy"},
                        }
                    ],
                },
            },
        },
    )
    emulator.deploy(template, name)
    encryption = storage.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]
    default = encryption["Rules"][0]["ApplyServerSideEncryptionByDefault"]
    assert default["SSEAlgorithm"] == "aws:kms"
    ownership = storage.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]
    assert ownership["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert storage.get_bucket_lifecycle_configuration(Bucket=name)["Rules"] == [
        {
            "ID": "old",
            "Status": "Enabled",
            "Filter": {"Prefix": "events/"},
            "Expiration": {"Days": 400},
            "Transitions": [{"Days": 30, "StorageClass": "INTELLIGENT_TIERING"}],
            "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        }
    ]
    storage.put_object(Bucket=name, Key="a", Body=b"copied")
    copy = f"{name}-copy"
    wait_until(lambda: "Contents" in storage.list_objects_v2(Bucket=copy), "the replica")


def function_properties(emulator: Emulator) -> None:
    """A function has the reserved concurrency and dead-letter queue of the template."""
    name = unique("reserved")
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}

    def template(**properties: Any) -> dict[str, Any]:
        return stack(Role=ROLE, Queue=queue, Reserved=function(name, _CODE, **properties))

    target = {"TargetArn": {"Fn::GetAtt": ["Queue", "Arn"]}}
    emulator.deploy(template(ReservedConcurrentExecutions=3, DeadLetterConfig=target), name)
    functions = emulator.client("lambda")
    concurrency = functions.get_function_concurrency(FunctionName=name)
    assert concurrency.get("ReservedConcurrentExecutions") == 3
    config = functions.get_function_configuration(FunctionName=name)
    assert config["DeadLetterConfig"]["TargetArn"].endswith(f":{name}")

    emulator.deploy(template(), name)
    concurrency = functions.get_function_concurrency(FunctionName=name)
    assert "ReservedConcurrentExecutions" not in concurrency
    assert "DeadLetterConfig" not in functions.get_function_configuration(FunctionName=name)


def disabled_versions(emulator: Emulator) -> None:
    """A reservation of 0 throttles an alias and a version, too."""
    name = unique("disabled")
    emulator.deploy(stack(Role=ROLE, Disabled=function(name, _CODE)), name)
    functions = emulator.client("lambda")
    functions.publish_version(FunctionName=name)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    for qualifier in ("$LATEST", "1", "live"):
        with pytest.raises(ClientError, match="TooManyRequestsException"):
            functions.invoke(FunctionName=name, Qualifier=qualifier)
    functions.delete_function_concurrency(FunctionName=name)
    answer = functions.invoke(FunctionName=name, Qualifier="live")
    assert "FunctionError" not in answer


def event_source_mapping_properties(emulator: Emulator) -> None:
    """A mapping has the window, metrics, tags and state of the template or API call."""
    name = unique("windowed")
    mapping = {
        "EventSourceArn": {"Fn::GetAtt": ["Stream", "Arn"]},
        "FunctionName": {"Ref": "Windowed"},
        "StartingPosition": "TRIM_HORIZON",
    }

    def template(**properties: Any) -> dict[str, Any]:
        return stack(
            Role=ROLE,
            Stream={"Type": "AWS::Kinesis::Stream", "Properties": {"Name": name}},
            Windowed=function(name, _CODE),
            Mapping={
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {**mapping, **properties},
            },
        )

    metrics, functions = {"Metrics": ["EventCount"]}, emulator.client("lambda")

    def described() -> dict[str, Any]:
        mapping_properties = functions.list_event_source_mappings(FunctionName=name)[
            "EventSourceMappings"
        ]
        first: dict[str, Any] = mapping_properties[0]
        return first

    tags = [{"Key": "stage", "Value": "test"}]
    emulator.deploy(
        template(TumblingWindowInSeconds=60, MetricsConfig=metrics, Tags=tags, Enabled=False), name
    )
    mapping_properties = described()
    assert mapping_properties.get("TumblingWindowInSeconds") == 60
    assert (mapping_properties["MetricsConfig"], mapping_properties["State"]) == (
        metrics,
        "Disabled",
    )
    listed = functions.list_tags(Resource=mapping_properties["EventSourceMappingArn"])["Tags"]
    assert listed == {"stage": "test"}

    emulator.deploy(template(), name)
    mapping_properties = described()
    assert mapping_properties["State"] == "Enabled"
    assert mapping_properties.keys() & {"TumblingWindowInSeconds", "MetricsConfig"} == set()
    functions.update_event_source_mapping(
        UUID=mapping_properties["UUID"], TumblingWindowInSeconds=30
    )
    assert described()["TumblingWindowInSeconds"] == 30


def stream_encryption(emulator: Emulator) -> None:
    """A stream has the encryption of the template."""
    name, streams = unique("encrypted"), emulator.client("kinesis")
    key = {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}

    def described(**properties: Any) -> tuple[str, str | None]:
        properties = {"Name": name, "ShardCount": 1, **properties}
        template = stack(Stream={"Type": "AWS::Kinesis::Stream", "Properties": properties})
        emulator.deploy(template, name)
        summary = streams.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        return summary["EncryptionType"], summary.get("KeyId")

    assert described(StreamEncryption=key) == ("KMS", "alias/aws/kinesis")
    assert described() == ("NONE", None)


def topic_encryption(emulator: Emulator) -> None:
    """A topic has the key of the template."""
    name, topics = unique("encrypted"), emulator.client("sns")

    def described(**properties: Any) -> str | None:
        properties = {"TopicName": name, **properties}
        template = stack(Topic={"Type": "AWS::SNS::Topic", "Properties": properties})
        template["Outputs"] = {"Arn": {"Value": {"Ref": "Topic"}}}
        arn = emulator.deploy(template, name)["Arn"]
        key: str | None = topics.get_topic_attributes(TopicArn=arn)["Attributes"].get(
            "KmsMasterKeyId"
        )
        return key

    assert described(KmsMasterKeyId="alias/aws/sns") == "alias/aws/sns"
    assert described() is None


def user_pool_attributes(emulator: Emulator) -> None:
    """Fn::GetAtt returns the issuer of a user pool."""
    name = unique("pool")
    template = stack(Pool={"Type": "AWS::Cognito::UserPool", "Properties": {"UserPoolName": name}})
    template["Outputs"] = {
        "Id": {"Value": {"Ref": "Pool"}},
        "Issuer": {"Value": {"Fn::GetAtt": ["Pool", "ProviderURL"]}},
    }
    outputs = emulator.deploy(template, name)
    issuer = f"https://cognito-idp.us-east-1.amazonaws.com/{outputs['Id']}"
    assert outputs["Issuer"] == issuer
