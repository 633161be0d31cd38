"""Tests of origin groups."""

from typing import Any

import pytest

from aws_emulator.cloudfront.errors import OriginError
from aws_emulator.tests.cloudfront.fakes import (
    FakeFunctions,
    FakeOrigins,
    behavior,
    distribution,
    edge_location,
    origin_response,
    request,
    serve,
    unchanged,
)


@pytest.mark.parametrize(
    "first_answer",
    [OriginError("gone"), lambda: origin_response(500), lambda: origin_response(403)],
)
def test_origin_group_fails_over_to_second_origin(first_answer: Any) -> None:
    origins = FakeOrigins(site=[first_answer], other=[lambda: origin_response(200, b"second")])
    functions = FakeFunctions(origin_request=unchanged)
    edge = edge_location(
        distribution(behavior("/a", "origin-request", target="group")), functions, origins
    )
    assert serve(edge, request())[1] == b"second"
    # "The function can be triggered twice for a single viewer request."
    assert functions.invoked() == ["origin-request"] * 2


def test_origin_group_does_not_fail_over_for_generated_response() -> None:
    functions = FakeFunctions(origin_request=lambda _: {"status": "403"})
    edge = edge_location(distribution(behavior("/a", "origin-request", target="group")), functions)
    assert serve(edge, request())[0].response.status == 403
    assert functions.invoked() == ["origin-request"]


def test_origin_group_does_not_fail_over_for_other_status_or_method() -> None:
    origins = FakeOrigins(
        site=[lambda: origin_response(404, b"no")], other=[lambda: origin_response(200, b"yes")]
    )
    edge = edge_location(distribution(behavior("/a", target="group")), origins=origins)
    assert serve(edge, request())[1] == b"no"
    origins = FakeOrigins(
        site=[lambda: origin_response(500, b"no")], other=[lambda: origin_response(200, b"yes")]
    )
    edge = edge_location(distribution(behavior("/a", target="group")), origins=origins)
    assert serve(edge, request(method="POST"))[1] == b"no"
