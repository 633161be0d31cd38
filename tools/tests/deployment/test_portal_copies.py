"""The copies of the portal's bucket, with S3 in memory."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from tools.deployment import portal_copies
from tools.deployment.environments import Environment

LONDON, MUMBAI, PARIS = "eu-west-2", "ap-south-1", "eu-west-3"
HOME = Environment("london", LONDON, "prod", "meridian-prod-eu-west-2", {"Stage": "prod"})
BUCKET = "meridian-prod-portal-1"
OBJECTS = st.dictionaries(st.sampled_from("abcdef"), st.binary(max_size=2))


class FakeS3:
    """Buckets whose rules replicate after a number of looks at the copy."""

    def __init__(self, delay: int = 0) -> None:
        self.buckets: dict[str, dict[str, bytes]] = {}
        self.rules: dict[str, list[str]] = {}
        self.pending: list[tuple[str, str, bytes]] = []
        self.delay, self.looks = delay, 0
        self.before_put: Callable[[str], None] = lambda _: None

    def get_paginator(self, _: str) -> "FakeS3":
        return self

    def paginate(self, Bucket: str) -> list[dict[str, Any]]:  # noqa: N803 - as boto3
        self.looks += 1
        if self.looks > self.delay:
            for bucket, key, body in self.pending:
                self.buckets[bucket][key] = body
            self.pending = []
        listed = [{"Key": it, "ETag": repr(body)} for it, body in self.buckets[Bucket].items()]
        return [{"Contents": listed}] if listed else [{}]

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - as boto3
        if Key not in self.buckets[Bucket]:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        body = self.buckets[Bucket][Key]
        return {"Body": io.BytesIO(body), "ETag": repr(body), "ContentType": "text/html"}

    def put_object(self, Bucket: str, Key: str, Body: bytes, IfMatch: str, **headers: str) -> None:  # noqa: N803 - as boto3
        self.before_put(Key)
        assert headers == {"ContentType": "text/html"}
        if repr(self.buckets[Bucket].get(Key)) != IfMatch:
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "PutObject")
        self.write(Bucket, Key, Body)

    def write(self, bucket: str, key: str, body: bytes) -> None:
        self.buckets[bucket][key] = body
        self.pending += [(copy, key, body) for copy in self.rules.get(bucket, [])]


def stage(s3: FakeS3, objects: dict[str, bytes], *regions: str) -> FakeS3:
    """Return S3 with a bucket, and an empty copy with a rule in each Region."""
    s3.buckets = {BUCKET: dict(objects)}
    s3.rules[BUCKET] = [portal_copies.copy_of(BUCKET, it) for it in regions]
    s3.buckets |= {it: {} for it in s3.rules[BUCKET]}
    return s3


def replicate(s3: FakeS3, *regions: str, within_s: float = 60) -> int:
    return portal_copies.replicate(
        HOME, BUCKET, regions, lambda _service, _region: s3, within_s, poll_s=0
    )


@given(OBJECTS, OBJECTS, st.integers(0, 12))
def test_copy_gets_the_objects_that_it_lacks(
    objects: dict[str, bytes], earlier: dict[str, bytes], delay: int
) -> None:
    """Whatever an earlier copy has, and however late the replication is."""
    s3 = stage(FakeS3(delay), objects, MUMBAI, PARIS)
    s3.buckets[portal_copies.copy_of(BUCKET, PARIS)] |= earlier
    assert replicate(s3, MUMBAI, PARIS) == len(objects)
    for region in (MUMBAI, PARIS):
        copy = s3.buckets[portal_copies.copy_of(BUCKET, region)]
        assert {key: copy[key] for key in objects} == objects


def test_newer_version_of_another_writer_stays() -> None:
    """The deny-list is published at any time: its old version must not return."""
    s3 = stage(FakeS3(), {"a": b"old"}, MUMBAI)
    s3.before_put = lambda key: s3.write(BUCKET, key, b"new")
    assert replicate(s3, MUMBAI) == 1
    assert s3.buckets[BUCKET] == {"a": b"new"}
    assert s3.buckets[portal_copies.copy_of(BUCKET, MUMBAI)] == {"a": b"new"}


def test_object_that_another_writer_deletes_meanwhile_is_no_error() -> None:
    s3 = stage(FakeS3(), {"a": b"a", "b": b"b"}, MUMBAI)

    def delete(_key: str) -> None:
        s3.buckets[BUCKET].pop("b", None)

    s3.before_put = delete
    assert replicate(s3, MUMBAI) == 1


def test_copy_without_replication_ends_with_the_next_step() -> None:
    s3 = stage(FakeS3(), {"a": b"a"}, MUMBAI)
    s3.rules.clear()
    with pytest.raises(CommandError, match=r"in ap-south-1 still lacks.*make deploy PLACE=london"):
        replicate(s3, MUMBAI, within_s=0)


def test_other_refusal_of_s3_is_raised() -> None:
    def refuse(_key: str) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")

    s3 = stage(FakeS3(), {"a": b"a"}, MUMBAI)
    s3.before_put = refuse
    with pytest.raises(ClientError, match="AccessDenied"):
        replicate(s3, MUMBAI)
