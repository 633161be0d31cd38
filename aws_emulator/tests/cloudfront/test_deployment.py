"""Tests of deployments, start-up errors and shutdown, on a private emulated AWS."""

import re
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import httpx

from aws_emulator.cloudfront.distribution import managed_policies
from aws_emulator.cloudfront.distribution.policy_config import (
    parse_cache_policy,
    parse_origin_request_policy,
    parse_response_headers_policy,
)
from aws_emulator.processes import free_port
from aws_emulator.tests.cloudfront.deployment import BUCKET, PAGES, deploy
from aws_emulator.tests.cloudfront.harness import (
    INTEGRATION,
    ROOT,
    Environment,
    emulator,
    running_edge_location,
)
from aws_emulator.tests.waiting import wait_until

pytestmark = INTEGRATION


def test_managed_policies_equal_those_of_ministack(environment: Environment) -> None:
    cloudfront = environment.client("cloudfront")
    for policy_id, cache in managed_policies.CACHE_POLICIES.items():
        policy = cloudfront.get_cache_policy(Id=policy_id)["CachePolicy"]["CachePolicyConfig"]
        assert parse_cache_policy(policy_id, policy) == cache
    for policy_id, request in managed_policies.ORIGIN_REQUEST_POLICIES.items():
        config = cloudfront.get_origin_request_policy(Id=policy_id)["OriginRequestPolicy"]
        parsed = parse_origin_request_policy(policy_id, config["OriginRequestPolicyConfig"])
        assert parsed == request
    for policy_id, response in managed_policies.RESPONSE_HEADERS_POLICIES.items():
        config = cloudfront.get_response_headers_policy(Id=policy_id)["ResponseHeadersPolicy"]
        parsed_policy = parse_response_headers_policy(
            policy_id, config["ResponseHeadersPolicyConfig"]
        )
        assert parsed_policy.cors == response.cors
        assert set(parsed_policy.added) == set(response.added)


def test_new_deployment_is_served(environment: Environment, web: httpx.Client) -> None:
    cloudfront = environment.client("cloudfront")
    distribution_config = cloudfront.get_distribution_config(Id=environment.distribution)
    config = distribution_config["DistributionConfig"]

    def serves(key: str) -> bool:
        return web.get("/").content == PAGES[key]

    for root in ("page.html", "index.html"):
        config["DefaultRootObject"] = root
        etag = cloudfront.get_distribution_config(Id=environment.distribution)["ETag"]
        cloudfront.update_distribution(
            Id=environment.distribution, IfMatch=etag, DistributionConfig=config
        )
        wait_until(partial(serves, root), "the new deployment")


def test_invalidation_clears_cache(environment: Environment, web: httpx.Client) -> None:
    assert web.get("/page.html").content == PAGES["page.html"]
    environment.client("s3").put_object(Bucket=BUCKET, Key="page.html", Body=b"new")
    assert web.get("/page.html").content == PAGES["page.html"]
    environment.client("cloudfront").create_invalidation(
        DistributionId=environment.distribution,
        InvalidationBatch={"Paths": {"Quantity": 1, "Items": ["/*"]}, "CallerReference": "1"},
    )
    wait_until(lambda: web.get("/page.html").content == b"new", "the invalidation")
    environment.client("s3").put_object(Bucket=BUCKET, Key="page.html", Body=PAGES["page.html"])


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "aws_emulator.cloudfront", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def is_one_line(text: str) -> bool:
    return len(text.strip().splitlines()) == 1 and "Traceback" not in text


def test_busy_port_is_reported_in_one_line(environment: Environment) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = run("--endpoint", environment.aws, "--port", port)
    assert ended.returncode == 1
    assert is_one_line(ended.stderr)
    assert port in ended.stderr


def test_missing_distribution_or_emulator_is_reported_in_one_line(environment: Environment) -> None:
    port = str(free_port())
    for arguments in (
        ("--endpoint", environment.aws, "--distribution", "ENONE"),
        ("--endpoint", f"http://127.0.0.1:{free_port()}"),
    ):
        ended = run(*arguments, "--port", port)
        assert ended.returncode == 1
        assert is_one_line(ended.stderr), ended.stderr


def test_several_distributions_require_option_and_served_one_stays(
    environment: Environment, web: httpx.Client
) -> None:
    cloudfront = environment.client("cloudfront")
    config = cloudfront.get_distribution_config(Id=environment.distribution)["DistributionConfig"]
    other = cloudfront.create_distribution(
        DistributionConfig={**config, "CallerReference": "second", "DefaultRootObject": ""}
    )
    second = other["Distribution"]["Id"]
    ended = run("--endpoint", environment.aws, "--port", str(free_port()))
    assert ended.returncode == 1
    assert is_one_line(ended.stderr)
    assert {environment.distribution, second} <= set(re.split(r"[^A-Z0-9]+", ended.stderr))
    etag = cloudfront.get_distribution_config(Id=environment.distribution)["ETag"]
    cloudfront.update_distribution(
        Id=environment.distribution, IfMatch=etag, DistributionConfig={**config, "Comment": "again"}
    )
    time.sleep(2.5)
    assert web.get("/").content == PAGES["index.html"]


def test_rejected_function_association_is_reported_at_start(environment: Environment) -> None:
    printed = environment.log.with_name("edge.log").read_text()
    assert "is not a numbered version" in printed
    assert printed.count("\n") < 20


def test_sigterm_stops_process_with_exit_code_0(environment: Environment, tmp_path: Path) -> None:
    with running_edge_location(
        environment.aws, tmp_path, "--distribution", environment.distribution
    ) as (
        _,
        process,
        _,
    ):
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_lost_emulator_ends_process_with_one_line(tmp_path: Path) -> None:
    with emulator(tmp_path) as (aws, emulated):
        deploy(aws, 1)
        with running_edge_location(aws, tmp_path) as (_, process, _):
            emulated.kill()
            emulated.wait()
            # test_watcher.py counts the polls: the time depends on the load of the machine.
            assert process.wait(30) == 1
    assert "stopped responding" in (tmp_path / "edge.log").read_text().splitlines()[-1]
