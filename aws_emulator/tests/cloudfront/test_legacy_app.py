"""Build, deploy and serve a SAM application with legacy CloudFront settings."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pytest_socket import enable_socket

from aws_emulator import launcher
from aws_emulator.sam_cli import SamProject
from aws_emulator.tests.cloudfront.harness import INTEGRATION

pytestmark = INTEGRATION
APP = Path(__file__).with_name("legacy_app")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, str]]:
    """A client of the served application, and the output of the CloudFront emulator."""
    enable_socket()
    directory = tmp_path_factory.mktemp("legacy-app")
    project = SamProject(APP, build_dir=directory / "build")
    with launcher.start(directory / "state") as emulator:
        emulator.build(project)
        outputs = emulator.deploy(project, "recipes")
        s3 = emulator.client("s3")
        for bucket, key in (
            (outputs["Bucket"], "index.html"),
            (outputs["Bucket"], "soups/index.html"),
            (outputs["PublicBucket"], "public/a.html"),
            (outputs["ClosedBucket"], "closed/a.html"),
        ):
            s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), ContentType="text/html")
        url = emulator.start_cloudfront()
        printed = "\n".join(emulator.cloudfront_notices())
        with httpx.Client(base_url=url, timeout=40) as client:
            yield client, printed


def test_second_request_is_served_from_cache_with_functions_header(
    served: tuple[httpx.Client, str],
) -> None:
    client, _ = served
    responses = [client.get("/"), client.get("/"), client.get("/index.html")]
    assert [each.status_code for each in responses] == [200, 200, 200]
    assert [each.headers["x-edge"] for each in responses] == ["yes"] * 3
    assert [each.headers["x-cache"] for each in responses] == [
        "Miss from cloudfront",
        "Hit from cloudfront",
        "Hit from cloudfront",
    ]


def test_query_string_cache_keys_select_cached_object(served: tuple[httpx.Client, str]) -> None:
    client, _ = served
    paths = ["/soups/?page=1", "/soups/?page=1&sort=new", "/soups/?page=2"]
    responses = [client.get(path) for path in paths]
    assert [each.text for each in responses] == ["soups/index.html"] * 3
    assert [each.headers["x-cache"].split()[0] for each in responses] == ["Miss", "Hit", "Miss"]


def test_public_bucket_is_served_without_access_control(served: tuple[httpx.Client, str]) -> None:
    client, printed = served
    assert client.get("/public/a.html").text == "public/a.html"
    assert client.get("/public/missing.html").status_code == 403
    assert "of the origin public" not in printed
    assert "of the origin recipes" not in printed


def test_bucket_without_policy_denies_access_and_is_reported(
    served: tuple[httpx.Client, str],
) -> None:
    """A bucket without a policy, behind an empty origin access identity, is private, as on AWS."""
    client, printed = served
    answer = client.get("/closed/a.html")
    assert (answer.status_code, "AccessDenied" in answer.text) == (403, True)
    assert "of the origin closed has no bucket policy" in printed
