"""Requests that S3 refuses."""

import json

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.refusals.refusing import refused


def create_bucket(emulator: Emulator) -> str:
    name = unique("bucket")
    emulator.client("s3").create_bucket(Bucket=name)
    return name


def test_s3_refuses_overwrite_with_if_none_match(emulator: Emulator) -> None:
    bucket, put = create_bucket(emulator), emulator.client("s3").put_object
    put(Bucket=bucket, Key="a", Body=b"1", IfNoneMatch="*")
    refused("PreconditionFailed", put, Bucket=bucket, Key="a", Body=b"2", IfNoneMatch="*")


def test_s3_refuses_write_with_stale_if_match(emulator: Emulator) -> None:
    bucket, put = create_bucket(emulator), emulator.client("s3").put_object
    stale = put(Bucket=bucket, Key="a", Body=b"1")["ETag"]
    put(Bucket=bucket, Key="a", Body=b"2", IfMatch=stale)
    refused("PreconditionFailed", put, Bucket=bucket, Key="a", Body=b"3", IfMatch=stale)


def test_s3_refuses_if_match_on_missing_object(emulator: Emulator) -> None:
    put = emulator.client("s3").put_object
    refused("NoSuchKey", put, Bucket=create_bucket(emulator), Key="a", Body=b"", IfMatch='"1"')


def test_s3_refuses_replication_to_missing_or_unversioned_bucket(emulator: Emulator) -> None:
    client, versioned = emulator.client("s3"), {"Status": "Enabled"}
    source, copy = create_bucket(emulator), create_bucket(emulator)
    client.put_bucket_versioning(Bucket=source, VersioningConfiguration=versioned)

    def configuration(destination: str) -> dict[str, object]:
        rule = {
            "ID": "r",
            "Status": "Enabled",
            "Priority": 1,
            "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Enabled"},
            "Destination": {"Bucket": f"arn:aws:s3:::{destination}"},
        }
        return {"Role": "arn:aws:iam::000000000000:role/r", "Rules": [rule]}

    put = client.put_bucket_replication
    for destination in (unique("missing"), copy):
        refused(
            "InvalidRequest",
            put,
            Bucket=source,
            ReplicationConfiguration=configuration(destination),
        )
    client.put_bucket_versioning(Bucket=copy, VersioningConfiguration=versioned)
    put(Bucket=source, ReplicationConfiguration=configuration(copy))


def test_s3_refuses_key_over_1024_bytes(emulator: Emulator) -> None:
    bucket, put = create_bucket(emulator), emulator.client("s3").put_object
    put(Bucket=bucket, Key="k" * 1024, Body=b"")
    refused("KeyTooLongError", put, Bucket=bucket, Key="k" * 1025, Body=b"")


def test_s3_refuses_metadata_over_2_kb(emulator: Emulator) -> None:
    bucket, put = create_bucket(emulator), emulator.client("s3").put_object
    # User-defined metadata: the sum of the bytes of each key and value.
    put(Bucket=bucket, Key="a", Body=b"", Metadata={"n": "x" * 2047})
    refused("MetadataTooLarge", put, Bucket=bucket, Key="a", Body=b"", Metadata={"n": "x" * 2048})


def test_s3_refuses_deletion_of_bucket_with_objects(emulator: Emulator) -> None:
    bucket, client = create_bucket(emulator), emulator.client("s3")
    client.put_object(Bucket=bucket, Key="a", Body=b"")
    refused("BucketNotEmpty", client.delete_bucket, Bucket=bucket)


def test_s3_refuses_public_policy_of_new_bucket(emulator: Emulator) -> None:
    bucket = create_bucket(emulator)
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    put = emulator.client("s3").put_bucket_policy
    assert "BlockPublicPolicy" in refused("AccessDenied", put, Bucket=bucket, Policy=policy)


def test_s3_refuses_acl_of_new_bucket(emulator: Emulator) -> None:
    put = emulator.client("s3").put_object
    refused(
        "AccessControlListNotSupported",
        put,
        Bucket=create_bucket(emulator),
        Key="a",
        Body=b"",
        ACL="public-read",
    )


def test_s3_refuses_bucket_name_with_uppercase(emulator: Emulator) -> None:
    refused("InvalidBucketName", emulator.client("s3").create_bucket, Bucket=unique("Upper-Case"))


def test_s3_refuses_deletion_of_over_1000_objects(emulator: Emulator) -> None:
    bucket, delete = create_bucket(emulator), emulator.client("s3").delete_objects
    keys = [{"Key": f"k{number}"} for number in range(1_001)]
    delete(Bucket=bucket, Delete={"Objects": keys[:1_000]})
    refused("MalformedXML", delete, Bucket=bucket, Delete={"Objects": keys})


def test_s3_refuses_policy_of_another_bucket(emulator: Emulator) -> None:
    bucket, put = create_bucket(emulator), emulator.client("s3").put_bucket_policy

    def policy(resource: str) -> str:
        statement = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [f"arn:aws:s3:::{resource}", f"arn:aws:s3:::{resource}/*"],
        }
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    put(Bucket=bucket, Policy=policy(bucket))
    refused("MalformedPolicy", put, Bucket=bucket, Policy=policy("another-bucket"))


def test_s3_refuses_copy_of_object_onto_itself(emulator: Emulator) -> None:
    bucket, client = create_bucket(emulator), emulator.client("s3")
    client.put_object(Bucket=bucket, Key="a b", Body=b"1")
    source = {"Bucket": bucket, "Key": "a b"}
    client.copy_object(Bucket=bucket, Key="c", CopySource=source)
    client.copy_object(Bucket=bucket, Key="a b", CopySource=source, MetadataDirective="REPLACE")
    refused("InvalidRequest", client.copy_object, Bucket=bucket, Key="a b", CopySource=source)
