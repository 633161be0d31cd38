"""System tests of production without us-east-1: only deployments stop.

The home is in London, a further Region in Mumbai. us-east-1 has the control planes of CloudFront,
Lambda@Edge and IAM, and the stack of the edge. Edge locations serve the last distribution, and the
edge functions run as replicas near the visitors (AWS Fault Isolation Boundaries, "Global
services").
"""

import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.support.advisors import new_slot
from tests.support.environments import end_environments
from tests.support.waiting import wait_until
from tests.system.conftest import EDGE, LONDON
from tests.system.school.school_client import SchoolClient
from tests.system.test_journey import event, get, post, stored
from tests.system.test_regions import EDGE_AUTH, EDGE_INGEST
from tools.dev import system
from tools.stack import client

pytestmark = pytest.mark.integration

#: The emulated distribution is compared with the control plane once a second.
OUTAGE_S: Final = 5.0
PAUSE_S: Final = 0.2


@contextmanager
def outage(running: system.System, region: str) -> Iterator[None]:
    """Let every service of a Region answer 503."""
    url = f"{running.target.endpoint}/_local/outage?region={region}"
    try:
        httpx.post(f"{url}&on=1", timeout=30).raise_for_status()
        yield
    finally:
        httpx.post(f"{url}&on=0", timeout=30).raise_for_status()


def api(running: system.System, method: str, path: str, body: Any = None) -> httpx.Response:
    """Send a request to the API as the first student, through CloudFront."""
    headers = {"Authorization": f"Bearer {running.students[0].token}"}
    url = f"{running.url}/api{path}"
    return httpx.request(method, url, json=body, headers=headers, timeout=30)


def request_account(running: system.System) -> str:
    """Request an account, open the link in its email, and return the path of the status."""
    email = f"{uuid.uuid4()}@example.com"
    body = {"requestId": str(uuid.uuid4()), "email": email, "name": "Asha Menon"}
    accepted = httpx.post(f"{running.url}/api/accounts", json=body, timeout=30)
    assert accepted.status_code == 202, accepted.text
    proof = SchoolClient(running).proof_in_email(email)
    proved = httpx.post(f"{running.url}/api/accounts/proofs", json=proof, timeout=30)
    assert proved.status_code == 202, proved.text
    return str(accepted.json()["link"])


def is_created(running: system.System, link: str) -> bool:
    answer = httpx.get(f"{running.url}{link}", timeout=30)
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["status"] == "created")


def require_loss_of_us_east_1(running: system.System) -> None:
    """Check that the services of us-east-1 fail, with CloudFront's control plane."""
    operations = {
        "cloudfront": "list_distributions",
        "lambda": "list_functions",
        "cloudformation": "describe_stacks",
    }
    for service, operation in operations.items():
        with pytest.raises(ClientError) as caught:
            getattr(running.clients(service, EDGE), operation)()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_loss_of_us_east_1_loses_nothing_but_deployments(regions: system.System) -> None:
    paying = next(it for it in regions.students if it.paying)
    end_environments(regions, EDGE_AUTH, EDGE_INGEST)
    slot = new_slot(regions)
    before = event("track", "outage", event="Before")
    assert post(regions, "/v1/track", before).status_code == 200
    sent = [str(before["messageId"])]
    with outage(regions, EDGE):
        require_loss_of_us_east_1(regions)
        # New execution environments start during the outage, too.
        end_environments(regions, EDGE_AUTH, EDGE_INGEST)
        link = request_account(regions)
        booked = api(regions, "POST", "/appointments", slot)
        assert booked.status_code == 201, booked.text
        assert get(regions, "/premium/").status_code == 401
        assert get(regions, "/premium/", paying.token).status_code == 200
        deadline = time.monotonic() + OUTAGE_S
        while time.monotonic() < deadline:
            # CloudFront has no answer to it in its cache: the bucket's is 404.
            assert get(regions, f"/{uuid.uuid4()}.html").status_code == 404
            during = event("track", "outage", event="During")
            assert post(regions, "/v1/track", during).status_code == 200
            sent.append(str(during["messageId"]))
            time.sleep(PAUSE_S)
        wait_until(lambda: is_created(regions, link), "the account of the outage", 120)
        listed = api(regions, "GET", "/appointments")
        assert booked.json() in listed.json()["appointments"]
        require_loss_of_us_east_1(regions)

    assert get(regions, "/").status_code == 200
    condition = f"message_id IN ({', '.join(repr(it) for it in sent)})"
    stored_rows = stored(regions, condition, len(sent))
    assert Counter(row["message_id"] for row in stored_rows) == dict.fromkeys(sent, 1)
    assert {row["verdict"] for row in stored_rows} == {"good"}
    # The collector ran near the visitor, and its nearest stream is the one there.
    assert {(row["edge_region"], row["stream_region"]) for row in stored_rows} == {(LONDON, LONDON)}


def test_edge_functions_log_in_the_region_of_the_visitor(regions: system.System) -> None:
    assert get(regions, "/premium/").status_code == 401
    groups = regions.clients("logs", LONDON).describe_log_groups(
        logGroupNamePrefix=f"/aws/lambda/us-east-1.meridian-{regions.target.stage}-edge-auth-"
    )["logGroups"]
    assert len(groups) == 1


def test_edge_region_has_no_data(regions: system.System) -> None:
    """Without the home, us-east-1 has no user pool, table, stream or bucket of the stage."""
    assert regions.clients("cognito-idp", EDGE).list_user_pools(MaxResults=60)["UserPools"] == []
    assert regions.clients("dynamodb", EDGE).list_tables()["TableNames"] == []
    assert regions.clients("kinesis", EDGE).list_streams()["StreamNames"] == []
    location = client("s3", regions.target).get_bucket_location(
        Bucket=regions.deployed.outputs["PortalBucket"]
    )
    assert location["LocationConstraint"] == LONDON


def test_only_the_distribution_reads_the_portal_bucket(regions: system.System) -> None:
    """The edge's deployment told the home which distribution it is."""
    bucket = regions.deployed.outputs["PortalBucket"]
    policy = client("s3", regions.target).get_bucket_policy(Bucket=bucket)["Policy"]
    assert f"distribution/{regions.deployed.outputs['DistributionId']}" in policy
