"""System tests of the portal's pages in two Regions: CloudFront asks the copy if the home fails."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from aws_emulator.reload.pages import empty_caches
from tests.support.waiting import wait_until
from tests.system.conftest import LONDON, MUMBAI
from tests.system.test_journey import get
from tools.deployment.portal_copies import copy_of
from tools.dev import system

pytestmark = pytest.mark.integration


@contextmanager
def outage(running: system.System, query: str) -> Iterator[None]:
    """Let a service of London fail as the query says, or all its services."""
    url = f"{running.target.endpoint}/_local/outage?region={LONDON}"
    try:
        httpx.post(f"{url}&on=1&{query}", timeout=30).raise_for_status()
        yield
    finally:
        httpx.post(f"{url}&on=0", timeout=30).raise_for_status()


def bucket_of(running: system.System) -> str:
    return str(running.deployed.outputs["PortalBucket"])


def etags(s3: Any, bucket: str) -> dict[str, str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {it["Key"]: it["ETag"] for page in pages for it in page["Contents"]}


def new_page(running: system.System, folder: str) -> tuple[str, str]:
    """Upload a page to the home's bucket; return its path and text. No cache has it."""
    name, text = f"{folder}/{uuid.uuid4()}.html".lstrip("/"), f"<p>{uuid.uuid4()}</p>"
    root = "members" if folder else "public"
    running.clients("s3", LONDON).put_object(
        Bucket=bucket_of(running), Key=f"{root}/{name}", Body=text.encode(), ContentType="text/html"
    )
    return f"/{name}", text


def test_copy_has_the_pages_of_the_home(regions: system.System) -> None:
    bucket = bucket_of(regions)
    home = etags(regions.clients("s3", LONDON), bucket)
    assert "public/index.html" in home
    assert "public/snapshots/revocations" in home
    assert etags(regions.clients("s3", MUMBAI), copy_of(bucket, MUMBAI)) == home


@pytest.mark.parametrize("origin", [LONDON, MUMBAI])
def test_pages_and_deletions_are_replicated_both_ways(regions: system.System, origin: str) -> None:
    bucket, key = bucket_of(regions), f"public/{uuid.uuid4()}.html"
    buckets = [
        (regions.clients("s3", LONDON), bucket),
        (regions.clients("s3", MUMBAI), copy_of(bucket, MUMBAI)),
    ]
    if origin == MUMBAI:
        buckets.reverse()
    (source, source_bucket), (copy, copy_bucket) = buckets
    source.put_object(Bucket=source_bucket, Key=key, Body=b"1")
    wait_until(lambda: key in etags(copy, copy_bucket), "the replica", 60)
    source.delete_object(Bucket=source_bucket, Key=key)
    wait_until(lambda: key not in etags(copy, copy_bucket), "the replica of the deletion", 60)


@pytest.mark.parametrize("kind", ["unavailable", "refused", "hanging"])
def test_pages_come_from_the_copy_while_the_bucket_of_the_home_fails(
    regions: system.System, kind: str
) -> None:
    paying = next(it for it in regions.students if it.paying)
    public, premium = new_page(regions, ""), new_page(regions, "premium")
    # edge_auth has the deny-list.
    assert get(regions, "/premium/", paying.token).status_code == 200
    empty_caches([regions.url])
    with outage(regions, f"service=s3&kind={kind}"):
        for path, token, text in (
            (public[0], None, public[1]),
            (premium[0], paying.token, premium[1]),
        ):
            answer = get(regions, path, token) if token else get(regions, path)
            assert (answer.status_code, answer.text) == (200, text)
        assert get(regions, premium[0]).status_code == 401
        if kind == "hanging":
            return  # each page takes the origin's read timeout
        assert get(regions, "/").status_code == 200
        assert get(regions, "/snapshots/revocations").status_code == 200
    assert get(regions, new_page(regions, "")[0]).status_code == 200


def test_loss_of_the_home_leaves_the_pages_to_visitors_elsewhere(regions: system.System) -> None:
    """A visitor near Mumbai: the edge functions run there, too."""
    paying = next(it for it in regions.students if it.paying)
    near_mumbai = replace(regions, urls={LONDON: regions.urls[MUMBAI]})
    public, premium = new_page(regions, ""), new_page(regions, "premium")
    assert get(near_mumbai, "/premium/", paying.token).status_code == 200
    empty_caches([near_mumbai.url])
    with outage(regions, "kind=unavailable"):
        assert get(near_mumbai, public[0]).text == public[1]
        assert get(near_mumbai, premium[0], paying.token).text == premium[1]
        assert get(near_mumbai, "/").status_code == 200


def test_page_that_no_bucket_has_is_asked_for_in_one(regions: system.System) -> None:
    """404 isn't a failure: otherwise each missing page would cost two requests."""
    assert get(regions, f"/{uuid.uuid4()}.html").status_code == 404


def test_members_pages_refuse_other_methods_at_cloudfront(regions: system.System) -> None:
    paying = next(it for it in regions.students if it.paying)
    for path in ("/premium/", "/app/", "/courses/navigation/"):
        for method in ("POST", "PUT", "DELETE"):
            headers = {"Authorization": f"Bearer {paying.token}"}
            answer = httpx.request(method, f"{regions.url}{path}", headers=headers, timeout=30)
            assert answer.status_code == 403
            assert "request method" in answer.text or "not allowed" in answer.text.lower()


def test_public_pages_refuse_other_methods_as_the_collector_does(regions: system.System) -> None:
    for path in ("/", "/index.html"):
        for method in ("POST", "PUT", "DELETE"):
            answer = httpx.request(method, f"{regions.url}{path}", timeout=30)
            assert answer.status_code == 404
            assert answer.json()["code"] == "not_found"
