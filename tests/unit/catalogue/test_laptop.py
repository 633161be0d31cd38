"""Commands of `make catalogue`, and the load balancer's listener, without servers."""

import base64
import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from catalogue import alb
from catalogue.http import Response
from tools.regional import acknowledgement
from tools.regional.__main__ import act
from tools.regional.balancer import answer_of, event_of
from tools.regional.tier import Tier


class Regions:
    """A tier that only remembers which Region has the primary."""

    settings = dict.fromkeys(("us-east-1", "eu-west-2"))

    def __init__(self) -> None:
        self.running = set(self.settings)
        self.home = "us-east-1"

    def lose(self, region: str) -> None:
        self.running.remove(region)

    def promote(self, region: str) -> None:
        self.home = region

    def take_back(self, region: str) -> None:
        self.running.add(region)


def test_region_is_lost_replaced_and_taken_back() -> None:
    regions = Regions()
    tier = cast("Tier", regions)
    assert act(tier, ["lose", "us-east-1"]) == "us-east-1 is lost."
    assert "eu-west-2 has the primary" in act(tier, ["promote", "eu-west-2"])
    assert act(tier, ["return", "us-east-1"]) == "us-east-1 is back."
    assert regions.running == set(regions.settings)


@pytest.mark.parametrize(
    "words",
    [["lose", "ap-south-1"], ["promote", "us-east-1"], ["return", "eu-west-2"], ["stop"], ["lose"]],
)
def test_impossible_command_names_the_running_regions(words: list[str]) -> None:
    with pytest.raises(CommandError, match="Running: eu-west-2, us-east-1; primary: us-east-1"):
        act(cast("Tier", Regions()), words)


class Primary:
    """A server whose setting follows ALTER SYSTEM."""

    def __init__(self, *, is_replica: bool) -> None:
        self.is_replica = is_replica
        self.setting = ""
        self.replicas = 0
        self.changes = 0

    def run(self, sql: str) -> list[list[Any]]:
        if sql.startswith("ALTER SYSTEM"):
            self.changes += 1
            self.setting = sql.partition("'")[2].rstrip("'")
        return [[self.is_replica, self.setting, self.replicas]]


@given(st.lists(st.integers(min_value=0, max_value=4)), st.booleans())
def test_commits_wait_for_every_connected_replica(connected: list[int], is_replica: bool) -> None:
    server = Primary(is_replica=is_replica)
    for count in connected:
        server.replicas = count
        changes = server.changes
        for _ in range(2):
            acknowledgement.adjust(cast("Any", server))
        if is_replica:
            assert server.setting == ""
        else:
            assert server.setting == acknowledgement.wanted(count)
        # One change of the setting for one change of the replicas, at most.
        assert server.changes <= changes + 1
    assert acknowledgement.wanted(2) == "FIRST 2 (walreceiver)"


TARGETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)


@given(TARGETS, st.binary(max_size=40))
def test_function_reads_the_request_as_it_was_sent(target: str, body: bytes) -> None:
    headers = [("Accept", "a"), ("accept", "b"), ("Content-Type", "application/octet-stream")]
    event = event_of("PUT", f"/{target}", headers, body)
    request = alb.parse(json.loads(json.dumps(event)))
    path, _, query = f"/{target}".partition("?")
    assert (request.method, request.path, request.body) == ("PUT", path, body)
    assert request.headers["accept"] == "a, b"
    names = [pair.partition("=")[0] for pair in query.split("&") if pair]
    assert sorted(pair.partition("=")[0] for pair in request.query.split("&") if pair) == sorted(
        name for name in names if name or request.query
    )


def test_text_body_reaches_the_function_as_text() -> None:
    event = event_of("PUT", "/", [("content-type", "application/json")], b'{"a":1}')
    assert (event["body"], event["isBase64Encoded"]) == ('{"a":1}', False)


def test_answer_of_the_function_reaches_the_visitor() -> None:
    result = alb.result(Response(200, {"X-Region": "eu-west-2"}, "é"))
    assert answer_of(result) == (200, [("X-Region", "eu-west-2")], "é".encode())
    binary = {
        "statusCode": 200,
        "body": base64.b64encode(b"\xff").decode(),
        "isBase64Encoded": True,
    }
    assert answer_of(binary) == (200, [], b"\xff")


@pytest.mark.parametrize(
    "result", [None, {}, {"statusCode": "200"}, [], {"statusCode": 200, "body": "a" * 1_000_000}]
)
def test_malformed_or_too_large_answer_is_502(result: Any) -> None:
    assert answer_of(result)[0] == 502
