"""The deny-list: bounded, pruned, and read by the edge as it was written."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_auth.errors import TokenError
from edge_auth.revocations import DenyList
from revocations import deny_list
from revocations.errors import ListFullError

NOW = 1_790_000_000
SUB, SESSION = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee"


def claims(iat: int, **changes: Any) -> dict[str, Any]:
    return {"sub": SUB, "origin_jti": SESSION, "iat": iat, "auth_time": iat} | changes


@pytest.mark.parametrize(
    ("token", "is_revoked"),
    [
        (claims(NOW - 1), True),
        # Cognito rounds times down: a token of the same second may be older.
        (claims(NOW), True),
        (claims(NOW + 1), False),
        # Cognito's session signed in again, without the user.
        (claims(NOW + 1, auth_time=NOW - 9), True),
        (claims(NOW - 1, sub="other"), False),
        (claims(NOW - 1, auth_time="x"), True),
        ({"sub": SUB, "iat": NOW - 1}, True),
        ({"sub": SUB, "iat": NOW + 1}, False),
        ({"sub": SUB}, True),
    ],
)
def test_revoked_user_has_no_token_before_the_revocation(
    token: dict[str, Any], is_revoked: bool
) -> None:
    content = deny_list.revoke_user({}, SUB, NOW)
    assert DenyList(content).revokes(token) is is_revoked


def test_revoked_session_has_no_token_of_any_time() -> None:
    content = deny_list.revoke_session({}, SESSION, NOW)
    revoked = DenyList(content)
    assert revoked.revokes(claims(NOW + 9_999))
    assert not revoked.revokes(claims(NOW - 1, origin_jti="other"))
    assert not revoked.revokes({"sub": SUB, "iat": NOW})


def test_everyone_has_no_token_before_the_revocation() -> None:
    content = deny_list.revoke_everyone(deny_list.revoke_user({}, SUB, NOW - 5), NOW)
    assert deny_list.count(content) == 0
    revoked = DenyList(content)
    assert revoked.revokes(claims(NOW, sub="anyone"))
    assert not revoked.revokes(claims(NOW + 1))


def test_empty_list_revokes_nothing() -> None:
    assert not DenyList({}).revokes(claims(0))
    assert not DenyList(deny_list.prune({}, NOW)).revokes({})


@pytest.mark.parametrize(
    ("lifetime_s", "revoke", "value"),
    [
        (deny_list.USER_ENTRY_S, deny_list.revoke_user, SUB),
        (deny_list.SESSION_ENTRY_S, deny_list.revoke_session, SESSION),
    ],
)
def test_entry_ends_after_the_last_token_has_expired(
    lifetime_s: int, revoke: Any, value: str
) -> None:
    content = revoke({}, value, NOW)
    assert deny_list.count(deny_list.prune(content, NOW + lifetime_s - 1)) == 1
    assert deny_list.count(deny_list.prune(content, NOW + lifetime_s + 1)) == 0


def test_list_is_bounded() -> None:
    content: dict[str, Any] = {}
    for number in range(deny_list.MAX_ENTRIES):
        content = deny_list.revoke_user(content, f"user-{number}", NOW)
    deny_list.revoke_user(content, "user-1", NOW + 1)
    with pytest.raises(ListFullError):
        deny_list.revoke_session(content, SESSION, NOW + 1)
    assert deny_list.count(deny_list.revoke_everyone(content, NOW + 1)) == 0
    later = NOW + deny_list.USER_ENTRY_S + 1
    assert deny_list.count(deny_list.revoke_user(content, SUB, later)) == 1


def test_full_list_fits_into_the_response_that_the_edge_reads() -> None:
    from edge_auth.http_client import MAX_RESPONSE_BYTES
    from signed_snapshot.publisher import Publisher
    from tests.unit.signed_snapshot.fake_aws import FakeKms, FakeS3

    content: dict[str, Any] = {}
    for number in range(deny_list.MAX_ENTRIES):
        content = deny_list.revoke_session(content, f"session-{number}", NOW)
    s3 = FakeS3()
    publisher = Publisher(s3, FakeKms(), bucket="b", key="k", name="n", key_id="x" * 36)
    publisher.update(lambda _: content, NOW)
    assert len(s3.objects["k"]) <= MAX_RESPONSE_BYTES


@given(st.lists(st.tuples(st.sampled_from(["user", "session"]), st.text(max_size=5)), max_size=30))
def test_later_revocations_keep_earlier_ones(steps: list[tuple[str, str]]) -> None:
    content: dict[str, Any] = {}
    for number, (kind, name) in enumerate(steps):
        revoke = deny_list.revoke_user if kind == "user" else deny_list.revoke_session
        content = revoke(content, name, NOW + number)
    revoked = DenyList(content)
    for kind, name in steps:
        mine = {"sub": name} if kind == "user" else {"origin_jti": name}
        assert revoked.revokes({"iat": NOW - 1, "auth_time": NOW - 1, **mine})


def test_replaced_sign_ins_have_no_token_and_newer_ones_keep_theirs() -> None:
    content = deny_list.replace_sign_ins({}, SUB, NOW - 100, NOW)
    # An earlier change that arrives late.
    content = deny_list.replace_sign_ins(content, SUB, NOW - 200, NOW)
    assert deny_list.count(content) == 1
    revoked = DenyList(content)
    # A refreshed token is new, and its sign-in is old.
    assert revoked.revokes(claims(NOW + 50, auth_time=NOW - 100))
    assert not revoked.revokes(claims(NOW - 50, auth_time=NOW - 99))
    assert not revoked.revokes(claims(NOW - 500, sub="other"))
    later = deny_list.prune(content, NOW + deny_list.USER_ENTRY_S)
    assert deny_list.count(later) == 0


@pytest.mark.parametrize("entry", [{}, [], ["x", 1], [1], 7])
def test_malformed_sign_ins_are_refused(entry: Any) -> None:
    with pytest.raises(TokenError):
        DenyList({"sign_ins": {"f": entry}})
