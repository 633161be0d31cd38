"""Contracts of the patches for Kinesis, DynamoDB, S3, SQS, faults and Regions."""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    ReadTimeoutError,
)

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import stack
from aws_emulator.tests.waiting import wait_until

#: A public key whose private key wasn't kept.
RSA_KEY = """\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA2d9Bl1s24dV2sA0Po2on
qB5P4YUcP1BL8jC3xRxEQumwXGqa3HgSvjiJmPdif1nON4am+fRGEFSQ6lw21zFF
0KE2q+ydzUvhO2Oci81s0yYe27VtfbQbPVlMeiahjI1+OiQDnVg+UuFzQq1RsO+H
50WAjSwzuDtp9C5dEJDhyqLqXNbJHhXNfTVAl4jJyLc0Tsn4RFh7DgZpctbzE97s
IMegiHwhOwyLKTy0VkdwpnH9Hi3rIL9ym9A/saLN6tHLEboMwkFFQ6X8Amu69Y5c
qgotVggfPN4Wz5aaT1OZ9AAlpcVn/guMkj8o4O6R5DIaltNrIl5FMyTRpCMGw3j2
ywIDAQAB
-----END PUBLIC KEY-----
"""


def kinesis_retention(emulator: Emulator) -> None:
    """PutRecord does not search the stream for expired records."""
    name = unique("full")
    streams = emulator.client("kinesis")
    streams.create_stream(StreamName=name, ShardCount=1)
    with emulator.calls("ministack.services.kinesis") as calls:
        for _ in range(50):
            streams.put_record(StreamName=name, Data=b"x", PartitionKey="x")
    # Once a minute and stream with the patch, and with each put without it.
    assert 0 < calls["ministack.services.kinesis._expire_records"] < 25


def ttl_deletions(emulator: Emulator) -> None:
    """DynamoDB deletes an expired item within seconds, with userIdentity on the stream."""
    name = unique("expiring")
    for region in ("us-east-1", "eu-west-2"):
        tables = emulator.client("dynamodb", region)
        arn = tables.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )["TableDescription"]["LatestStreamArn"]
        tables.update_time_to_live(
            TableName=name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"},
        )
        for key, seconds in (("gone", -1), ("kept", 600), ("deleted", 600)):
            expires = {"N": str(int(time.time()) + seconds)}
            tables.put_item(TableName=name, Item={"id": {"S": key}, "expires_at": expires})
        tables.put_item(TableName=name, Item={"id": {"S": "never"}})
        tables.delete_item(TableName=name, Key={"id": {"S": "deleted"}})
        scan = partial(tables.scan, TableName=name)
        wait_until(partial(_at_most_two, scan), "the expiry", interval_s=0.2)
        assert {it["id"]["S"] for it in tables.scan(TableName=name)["Items"]} == {"kept", "never"}
        streams = emulator.client("dynamodbstreams", region)
        (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        removed = {
            it["dynamodb"]["Keys"]["id"]["S"]: it.get("userIdentity")
            for it in streams.get_records(ShardIterator=iterator)["Records"]
            if it["eventName"] == "REMOVE"
        }
        assert removed == {
            "gone": {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"},
            "deleted": None,
        }


def execution_start_delay(emulator: Emulator) -> None:
    """An execution starts without a delay."""
    machines = emulator.client("stepfunctions")
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    role = emulator.client("iam").create_role(
        RoleName=unique("states"),
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "states.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            }
        ),
    )["Role"]["Arn"]
    machine = machines.create_state_machine(
        name=unique("quick"), definition=json.dumps(definition), roleArn=role, type="EXPRESS"
    )["stateMachineArn"]
    with emulator.calls("ministack.services.stepfunctions") as calls:
        for _ in range(20):
            machines.start_sync_execution(stateMachineArn=machine)
    assert calls["ministack.services.stepfunctions._start_sync_execution"] == 20
    # Executions of other tests may wait meanwhile.
    assert calls["time.sleep"] < 20


def region_outage(emulator: Emulator) -> None:
    """A failed Region answers 503, other Regions are unaffected, and it recovers."""
    name = unique("down")
    home, london = emulator.client("kinesis"), emulator.client("kinesis", "eu-west-2")
    for streams in (home, london):
        streams.create_stream(StreamName=name, ShardCount=1)
    assert emulator.local("outage?region=eu-west-2&on=1", "POST")["down"] == ["eu-west-2"]
    try:
        with pytest.raises(ClientError) as caught:
            london.put_record(StreamName=name, Data=b"x", PartitionKey="x")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        for service, operation in {"s3": "list_buckets", "cloudformation": "list_stacks"}.items():
            with pytest.raises(ClientError) as caught:
                getattr(emulator.client(service, "eu-west-2"), operation)()
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        home.put_record(StreamName=name, Data=b"x", PartitionKey="x")
    finally:
        ended = emulator.local("outage?region=eu-west-2&on=0", "POST")
    assert ended == {"down": [], "outages": []}
    london.put_record(StreamName=name, Data=b"x", PartitionKey="x")
    _outage_of_one_service(emulator, name)


def _outage_of_one_service(emulator: Emulator, stream: str) -> None:
    """S3 alone fails in each documented way, while Kinesis of the Region works."""
    settings = Config(retries={"total_max_attempts": 1}, read_timeout=2)
    storage = boto3.client(
        "s3",
        region_name="eu-west-2",
        endpoint_url=emulator.endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=settings,
    )
    london = emulator.client("kinesis", "eu-west-2")
    expected: dict[str, type[Exception] | None] = {
        "kind=unavailable": ClientError,
        "kind=hanging": ReadTimeoutError,
        "kind=hanging&seconds=0": ClientError,
        "kind=refused": BotoCoreError,
        "kind=slow&seconds=0": None,
    }
    for query, error in expected.items():
        begun = emulator.local(f"outage?region=eu-west-2&on=1&service=s3&{query}", "POST")
        try:
            assert [(it["service"], f"kind={it['kind']}") for it in begun["outages"]] == [
                ("s3", query.partition("&")[0])
            ]
            if error is None:
                storage.list_buckets()
            else:
                with pytest.raises(error):
                    storage.list_buckets()
            london.put_record(StreamName=stream, Data=b"x", PartitionKey="x")
        finally:
            ended = emulator.local("outage?region=eu-west-2&on=0", "POST")
        assert ended["outages"] == []
    storage.list_buckets()


def replication_delay(emulator: Emulator) -> None:
    """While replication is held, two Regions write one item, and then the last writer wins."""
    name = unique("global")
    home, london = emulator.client("dynamodb"), emulator.client("dynamodb", "eu-west-2")
    properties = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
        "Replicas": [{"Region": "us-east-1"}, {"Region": "eu-west-2"}],
    }
    emulator.deploy(
        stack(Table={"Type": "AWS::DynamoDB::GlobalTable", "Properties": properties}), name
    )

    def book(region: Any, item: str, student: str) -> None:
        region.put_item(
            TableName=name,
            Item={"id": {"S": item}, "student": {"S": student}},
            ConditionExpression="attribute_not_exists(id)",
        )

    def students(region: Any) -> dict[str, str]:
        items = region.scan(TableName=name)["Items"]
        return {it["id"]["S"]: it["student"]["S"] for it in items}

    home.put_item(TableName=name, Item={"id": {"S": "old"}, "student": {"S": "Zoe"}})
    assert emulator.local("replication?held=1", "POST")["held"] is True
    try:
        book(home, "slot", "Asha")
        book(london, "slot", "Ben")  # its Region doesn't know the first one
        book(london, "other", "Cem")
        london.delete_item(TableName=name, Key={"id": {"S": "old"}})
        assert students(home) == {"slot": "Asha", "old": "Zoe"}
        assert students(london) == {"slot": "Ben", "other": "Cem"}
        assert emulator.local("replication")["waiting"] == 4
    finally:
        ended = emulator.local("replication?held=0", "POST")
    assert ended == {"seconds": 0.0, "held": False, "waiting": 0}
    assert students(home) == students(london) == {"slot": "Ben", "other": "Cem"}
    for region in (home, london):
        with pytest.raises(ClientError, match="conditional request failed"):
            book(region, "slot", "Dora")
    # An hour's delay, ended at once.
    emulator.local("replication?seconds=3600", "POST")
    try:
        book(home, "later", "Eve")
        assert "later" not in students(london)
    finally:
        emulator.local("replication?seconds=0", "POST")
    assert students(london)["later"] == "Eve"


def bucket_replication(emulator: Emulator) -> None:
    """Each rule applies, also to deletions, and an update of the template can remove them."""
    name, storage = unique("origin"), emulator.client("s3")
    copies = [f"{name}-{number}" for number in range(2)]
    versioned = {"Status": "Enabled"}
    for copy in copies:
        storage.create_bucket(Bucket=copy)
        storage.put_bucket_versioning(Bucket=copy, VersioningConfiguration=versioned)
    rules = [
        {
            "Id": copy,
            "Status": "Enabled",
            "Priority": number,
            "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Enabled"},
            "Destination": {"Bucket": f"arn:aws:s3:::{copy}"},
        }
        for number, copy in enumerate(copies)
    ]
    properties: dict[str, Any] = {"BucketName": name, "VersioningConfiguration": versioned}
    replicated = {
        "ReplicationConfiguration": {"Role": "arn:aws:iam::000000000000:role/r", "Rules": rules}
    }
    for further in (replicated, {}):
        bucket = {"Type": "AWS::S3::Bucket", "Properties": {**properties, **further}}
        emulator.deploy(stack(Bucket=bucket), name)
        storage.put_object(Bucket=name, Key="a", Body=b"a")
        listed = [storage.list_objects_v2(Bucket=copy).get("KeyCount") for copy in copies]
        assert listed == [len(further)] * 2
        storage.delete_object(Bucket=name, Key="a")
        assert [storage.list_objects_v2(Bucket=copy).get("KeyCount") for copy in copies] == [0, 0]


def fault_injection(emulator: Emulator) -> None:
    """A call with a role fails as the rule says, before or after execution; others succeed."""
    bucket = unique("faulty")
    emulator.client("s3").create_bucket(Bucket=bucket)
    role = _client_with_role(emulator)

    def put(kind: str, **more: object) -> tuple[type[Exception] | None, bool]:
        """Return the error of a put under one rule, and whether the object exists."""
        options = "&".join(f"{name}={value}" for name, value in more.items())
        emulator.local(f"faults?service=s3&operation=PUT&kind={kind}&{options}", "POST")
        try:
            role.put_object(Bucket=bucket, Key=kind, Body=b"x")
            ended = None
        except (ClientError, BotoCoreError, HTTPClientError) as error:
            ended = type(error)
        emulator.client("s3").put_object(Bucket=bucket, Key=f"own-{kind}", Body=b"x")
        assert emulator.local("faults", "DELETE")[0]["acted"] == int(ended is not None)
        listed = emulator.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])
        return ended, kind in {item["Key"] for item in listed}

    assert put("refused") == (ClientError, False)
    assert put("refused", share=0) == (None, True)
    assert put("lost") == (ClientError, True)
    error, exists = put("cut")
    assert error is not None
    assert exists
    assert put("hanging", seconds=1) == (ReadTimeoutError, False)
    assert put("late", seconds=1) == (ReadTimeoutError, False)
    time.sleep(1)
    emulator.client("s3").head_object(Bucket=bucket, Key="late")
    keys = {it["Key"] for it in emulator.client("s3").list_objects_v2(Bucket=bucket)["Contents"]}
    assert "hanging" not in keys
    _throttled(emulator)


def _throttled(emulator: Emulator) -> None:
    """Kinesis throttles each record in one Region, and none in another."""
    name = unique("fast")
    records = [{"Data": b"x", "PartitionKey": str(number)} for number in range(3)]
    emulator.local("faults?service=kinesis&region=eu-west-2&kind=throttled", "POST")
    failed = []
    for region in ("us-east-1", "eu-west-2"):
        emulator.client("kinesis", region).create_stream(StreamName=name, ShardCount=1)
        streams = _client_with_role(emulator, "kinesis", region)
        answer = streams.put_records(StreamName=name, Records=records)
        failed.append([it.get("ErrorCode") for it in answer["Records"]])
        assert answer.get("FailedRecordCount", 0) == sum(map(bool, failed[-1]))
    assert failed == [[None] * 3, ["ProvisionedThroughputExceededException"] * 3]
    with pytest.raises(ClientError, match="ProvisionedThroughputExceeded"):
        streams.put_record(StreamName=name, Data=b"x", PartitionKey="x")
    emulator.local("faults", "DELETE")


def schedule_pages(emulator: Emulator) -> None:
    """EventBridge Scheduler lists 100 schedules in a page, and the others after NextToken."""
    scheduler, prefix = emulator.client("scheduler"), unique("paged")
    account = "000000000000"
    target = {
        "Arn": f"arn:aws:sqs:us-east-1:{account}:{prefix}",
        "RoleArn": f"arn:aws:iam::{account}:role/{prefix}",
    }
    names = [f"{prefix}-{number:03}" for number in range(103)]
    for name in names:
        scheduler.create_schedule(
            Name=name,
            ScheduleExpression="rate(1 day)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=target,
        )
    pages = scheduler.get_paginator("list_schedules").paginate(NamePrefix=prefix)
    sizes = [[it["Name"] for it in page["Schedules"]] for page in pages]
    assert [len(page) for page in sizes] == [100, 3]
    assert [name for page in sizes for name in page] == names
    two = scheduler.list_schedules(NamePrefix=prefix, MaxResults=2)
    assert [it["Name"] for it in two["Schedules"]] == names[:2]


def secure_transport(emulator: Emulator) -> None:
    """A bucket that requires TLS accepts loopback calls, and applies the rest of its policy."""
    bucket = unique("tls")
    emulator.client("s3").create_bucket(Bucket=bucket)
    denials = {
        "private/*": {"StringNotEquals": {"aws:PrincipalAccount": "999999999999"}},
        "*": {"Bool": {"aws:SecureTransport": "false"}},
    }
    statements = [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": f"arn:aws:s3:::{bucket}/{path}",
            "Condition": condition,
        }
        for path, condition in denials.items()
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    emulator.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy)
    role = _client_with_role(emulator)
    role.put_object(Bucket=bucket, Key="open", Body=b"x")
    denied = False
    try:
        role.put_object(Bucket=bucket, Key="private/x", Body=b"x")
    except ClientError as error:
        denied = error.response["Error"]["Code"] == "AccessDenied"
    assert denied


def _client_with_role(emulator: Emulator, service: str = "s3", region: str = "us-east-1") -> Any:
    """Return a client with temporary credentials, as in a function, and without retries."""
    name = unique("function")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    permissions = {"Effect": "Allow", "Action": f"{service}:*", "Resource": "*"}
    iam = emulator.client("iam")
    role = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=name,
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [permissions]}),
    )
    credentials = emulator.client("sts").assume_role(RoleArn=role, RoleSessionName="function")[
        "Credentials"
    ]
    return boto3.client(  # type: ignore[call-overload]  # any service, by name
        service,
        region_name=region,
        endpoint_url=emulator.endpoint,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        config=Config(
            retries={"total_max_attempts": 1}, read_timeout=0.5, s3={"addressing_style": "path"}
        ),
    )


def fifo_queues(emulator: Emulator) -> None:
    """A receive from a queue with many messages completes the fields of new messages only."""
    queues = emulator.client("sqs")
    url = queues.create_queue(
        QueueName=f"{unique('full')}.fifo",
        Attributes={"FifoQueue": "true", "VisibilityTimeout": "600"},
    )["QueueUrl"]

    def send(group: str, count: int) -> None:
        for number in range(count):
            entries = [
                {"Id": str(it), "MessageBody": group, "MessageGroupId": group,
                 "MessageDeduplicationId": f"{group}-{number}-{it}"}
                for it in range(10)
            ]  # fmt: skip
            queues.send_message_batch(QueueUrl=url, Entries=entries)

    send("one", 10)
    (first,) = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=1)["Messages"]
    send("two", 1)
    with emulator.calls("ministack.services.sqs") as calls:
        # The received message blocks the others of its message group.
        taken = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        assert {message["Body"] for message in taken} == {"two"}
        assert "Messages" not in queues.receive_message(QueueUrl=url)
    # Ten new messages and ten returned messages. Without the patch: all 110, twice.
    assert 0 < calls["ministack.services.sqs._ensure_msg_fields"] <= 20
    queues.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    taken = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert len(taken) == 10


def _at_most_two(scan: Callable[[], dict[str, Any]]) -> bool:
    return int(scan()["Count"]) <= 2


def s3_request_ids(emulator: Emulator) -> None:
    """An "Object Created" event has the ID in the response to PutObject."""
    name = unique("events")
    storage, queues, rules = (emulator.client(it) for it in ("s3", "sqs", "events"))
    storage.create_bucket(Bucket=name)
    storage.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    url = queues.create_queue(QueueName=name)["QueueUrl"]
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [name]}}}
    rules.put_rule(Name=name, EventPattern=json.dumps(pattern))
    arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    rules.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    answer = storage.put_object(Bucket=name, Key="a", Body=b"x")

    def events() -> list[Any]:
        messages = queues.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]

    (event,) = wait_until(events)
    sent = answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-id"]
    assert event["detail"]["request-id"] == sent


def distribution_keys(emulator: Emulator) -> None:
    """A template creates public keys and a key group; a key in use isn't deleted."""
    name, front = unique("keys"), emulator.client("cloudfront")

    def template(*names: str, key: str = RSA_KEY) -> dict[str, Any]:
        keys = {
            it: {
                "Type": "AWS::CloudFront::PublicKey",
                "Properties": {
                    "PublicKeyConfig": {
                        "CallerReference": f"{name}-{it}",
                        "Name": f"{name}-{it}",
                        "EncodedKey": key,
                    }
                },
            }
            for it in names
        }
        items = [{"Ref": it} for it in names]
        group = {
            "Type": "AWS::CloudFront::KeyGroup",
            "Properties": {"KeyGroupConfig": {"Name": name, "Items": items}},
        }
        document = stack(Group=group, **keys)
        document["Outputs"] = {"Group": {"Value": {"Ref": "Group"}}}
        return document

    for names in (("One",), ("One", "Two"), ("Two",)):
        outputs = emulator.deploy(template(*names), name)
        group = front.get_key_group(Id=outputs["Group"])["KeyGroup"]["KeyGroupConfig"]
        keys = [
            front.get_public_key(Id=it)["PublicKey"]["PublicKeyConfig"] for it in group["Items"]
        ]
        assert [it["Name"] for it in keys] == [f"{name}-{it}" for it in names]
        assert {it["EncodedKey"] for it in keys} == {RSA_KEY}
    listed = front.list_public_keys()["PublicKeyList"]["Items"]
    assert [it["Name"] for it in listed if it["Name"].startswith(name)] == [f"{name}-Two"]
    for key in ("no PEM", RSA_KEY.replace("MIIBIjANBg", "MIIBIjANBh")):
        with pytest.raises(AssertionError, match="RSA 2048 or ECDSA"):
            emulator.deploy(template("Three", key=key), unique("refused"))
