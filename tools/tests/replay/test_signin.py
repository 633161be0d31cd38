"""The gate is tried by those who may pass and those who may not."""

import json
from collections.abc import Mapping

import pytest

from aws_emulator.errors import CommandError
from tools.replay.signin import ANONYMOUS, PAYING, SignIn, exercise, reason
from tools.replay.transport import Answer, ConnectionLostError

TOKENS = {PAYING: "paid", "student who has not paid": "free"}


class Gate:
    """Lets the token "paid" pass."""

    def __init__(self, *, gone: bool = False) -> None:
        self._gone = gone

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        if self._gone:
            raise ConnectionLostError("connection refused")
        token = headers.get("Authorization")
        if token is None:
            return Answer(401, None, b"", 'Bearer realm="x", error="no_token"')
        if token == "Bearer paid":
            return Answer(200, None, b"<html>")
        return Answer(403, None, json.dumps({"reason": "not_entitled", "code": "groups"}).encode())

    def close(self) -> None:
        pass


def test_each_visitor_asks_for_each_path() -> None:
    rows = exercise("", TOKENS, ("/premium/", "/premium/a"), lambda _: Gate())

    assert rows[:3] == [
        SignIn(ANONYMOUS, "/premium/", 401, "no_token"),
        SignIn(PAYING, "/premium/", 200, "passed"),
        SignIn("student who has not paid", "/premium/", 403, "not_entitled"),
    ]
    assert [row.path for row in rows] == ["/premium/"] * 3 + ["/premium/a"] * 3
    assert all(row.right for row in rows)


@pytest.mark.parametrize(
    ("who", "status", "right"),
    [
        (PAYING, 200, True), (PAYING, 403, False), (PAYING, 404, False), (PAYING, 302, False),
        (ANONYMOUS, 200, False), (ANONYMOUS, 401, True), (ANONYMOUS, 302, True),
        (ANONYMOUS, 404, False), (ANONYMOUS, 502, False), ("student", 403, True),
        ("student", 200, False), ("student", 304, False),
    ],
)  # fmt: skip
def test_what_the_gate_must_do(who: str, status: int, *, right: bool) -> None:
    assert SignIn(who, "/premium/", status, "").right is right


@pytest.mark.parametrize("body", [b"", b"[]", b'{"code": 3}', b"\xff"])
def test_an_answer_may_give_no_reason(body: bytes) -> None:
    assert reason(Answer(403, None, body)) == ""


def test_an_edge_that_is_gone() -> None:
    with pytest.raises(CommandError, match="did not answer a sign-in"):
        exercise("", TOKENS, make=lambda _: Gate(gone=True))
