"""Requests for paid pages, with and without the right to read them."""

import json
from collections.abc import Mapping

import pytest

from aws_emulator.errors import CommandError
from tools.replay.access_check import ANONYMOUS, PAYING, AccessCheck, check_access, denial_reason
from tools.replay.http_client import ConnectionLostError, Response

TOKENS = {PAYING: "paid", "unpaid student": "free"}


class FakeEdge:
    """Allows only the token "paid"."""

    def __init__(self, *, unreachable: bool = False) -> None:
        self._unreachable = unreachable

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Response:
        if self._unreachable:
            raise ConnectionLostError("connection refused")
        token = headers.get("Authorization")
        if token is None:
            return Response(401, None, b"", 'Bearer realm="x", error="no_token"')
        if token == "Bearer paid":
            return Response(200, None, b"<html>")
        return Response(
            403, None, json.dumps({"reason": "not_entitled", "code": "groups"}).encode()
        )

    def close(self) -> None:
        pass


def test_each_user_requests_each_path() -> None:
    rows = check_access("", TOKENS, ("/premium/", "/premium/a"), lambda _: FakeEdge())

    assert rows[:3] == [
        AccessCheck(ANONYMOUS, "/premium/", 401, "no_token"),
        AccessCheck(PAYING, "/premium/", 200, "allowed"),
        AccessCheck("unpaid student", "/premium/", 403, "not_entitled"),
    ]
    assert [row.path for row in rows] == ["/premium/"] * 3 + ["/premium/a"] * 3
    assert all(row.as_expected for row in rows)


@pytest.mark.parametrize(
    ("user", "status", "expected"),
    [
        (PAYING, 200, True), (PAYING, 403, False), (PAYING, 404, False), (PAYING, 302, False),
        (ANONYMOUS, 200, False), (ANONYMOUS, 401, True), (ANONYMOUS, 302, True),
        (ANONYMOUS, 404, False), (ANONYMOUS, 502, False), ("student", 403, True),
        ("student", 200, False), ("student", 304, False),
    ],
)  # fmt: skip
def test_access_check_compares_the_status_with_the_user(
    user: str, status: int, *, expected: bool
) -> None:
    assert AccessCheck(user, "/premium/", status, "").as_expected is expected


@pytest.mark.parametrize("body", [b"", b"[]", b'{"code": 3}', b"\xff"])
def test_denial_reason_is_empty_without_a_known_field(body: bytes) -> None:
    assert denial_reason(Response(403, None, body)) == ""


def test_check_access_fails_when_the_edge_is_unreachable() -> None:
    with pytest.raises(CommandError, match="didn't answer a request for a paid page"):
        check_access("", TOKENS, make=lambda _: FakeEdge(unreachable=True))
