"""The function that signs cookies: who gets them, and that the emulated CloudFront accepts them."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.errors import SignedRequestError
from aws_emulator.cloudfront.model import Request, Viewer
from aws_emulator.cloudfront.stages.signed_request import check_signature
from edge_auth.encoding import base64url_encode
from media import aws_clients, handler, public_key, session_table
from media.errors import UnavailableError
from media.sessions import Sessions, admit
from revocations import deny_list
from signed_snapshot.publisher import Publisher
from tests.unit.edge_auth import issuer
from tests.unit.signed_snapshot.fake_aws import FakeKms, FakeS3, refused

KEY_PAIR_ID: Final = "K2JCJMDEHXQW5F"
SUB, SESSION = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "aaaaaaaa-1111-2222-3333-bbbbbbbbbbbb"
VIEWER: Final = Viewer("192.0.2.1")


@dataclass
class FakeAws:
    """The bucket with the deny-list, its signing key, and the media's key."""

    s3: FakeS3 = field(default_factory=FakeS3)
    kms: FakeKms = field(default_factory=lambda: FakeKms("media"))
    snapshots: FakeKms = field(default_factory=FakeKms)
    failure: ClientError | None = None

    def publisher(self) -> Publisher:
        return Publisher(
            self.s3,
            self.snapshots,
            bucket="portal",
            key="public/snapshots/revocations",
            name="revocations",
            key_id="snapshots",
        )

    def sign(self, **asked: Any) -> dict[str, bytes]:
        if self.failure is not None:
            raise self.failure
        assert asked["KeyId"] == "media-key"
        return self.kms.sign(**asked)

    def get_public_key(self, **asked: Any) -> dict[str, bytes]:
        if self.failure is not None:
            raise self.failure
        return self.kms.get_public_key(**asked)

    def pem(self) -> str:
        return (
            self.kms.key.public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            .decode()
        )


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    fake = FakeAws()
    fake.publisher().update(lambda content: deny_list.prune(content, 0), int(time.time()))
    for name, value in {
        "BUCKET": "portal",
        "GROUP": "paying",
        "KEY_ID": "media-key",
        "KEY_PAIR_ID": KEY_PAIR_ID,
        "LIFETIME_SECONDS": "600",
        "MEDIA_PATH": "/media/",
        "MOST_SESSIONS": "0",
        "OFFICE_TABLE": "office",
        "SNAPSHOT_KEYS": json.dumps(fake.publisher().public_keys()),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aws_clients, "_s3", lambda: fake.s3)
    monkeypatch.setattr(aws_clients, "kms", lambda: fake)
    handler._snapshot_keys.cache_clear()
    yield fake
    handler._snapshot_keys.cache_clear()


def token(**changes: object) -> str:
    """Return a token of which the function reads only the payload: API Gateway has verified it."""
    payload = json.dumps(issuer.access_claims(time.time(), **changes)).encode()
    return f"e30.{base64url_encode(payload)}.c2ln"


def invoke(access_token: str, header: str = "authorization") -> tuple[int, dict[str, Any], Any]:
    """Return status, headers and body of the response."""
    event = {
        "headers": {header: f"Bearer {access_token}"},
        "requestContext": {"requestId": "request-1"},
    }
    response = handler.lambda_handler(event, None)
    headers = response["multiValueHeaders"]
    assert isinstance(headers, dict)
    assert headers["Cache-Control"] == ["no-store"]
    return int(str(response["statusCode"])), headers, json.loads(str(response["body"]))


def opens(fake: FakeAws, set_cookies: list[str], path: str, seconds: float) -> bool:
    """Return whether CloudFront serves a path with the cookies, some seconds from now."""
    cookies = "; ".join(it.partition(";")[0] for it in set_cookies)
    headers = h.collect([("Host", "school.example"), ("Cookie", cookies)])
    request = Request("GET", path, "", headers)
    try:
        check_signature({KEY_PAIR_ID: fake.pem()}, request, VIEWER, time.time() + seconds)
    except SignedRequestError:
        return False
    return True


@pytest.mark.parametrize("header", ["authorization", "Authorization"])
def test_member_gets_cookies_that_open_media_for_ten_minutes(aws: FakeAws, header: str) -> None:
    status, headers, body = invoke(token(), header)
    assert (status, body) == (200, {"path": "/media/", "expiresIn": 600, "renewIn": 300})
    set_cookies = headers["Set-Cookie"]
    assert len(set_cookies) == 4
    for value in set_cookies:
        assert value.endswith("; Path=/media/; Max-Age=600; Secure; HttpOnly; SameSite=Lax")
    assert opens(aws, set_cookies, "/media/lesson-one/segment-00.m4s", 598)
    assert not opens(aws, set_cookies, "/media/lesson-one/segment-00.m4s", 601)
    assert not opens(aws, set_cookies, "/premium/", 0)


@pytest.mark.parametrize("groups", [None, [], ["staff"], "paying", ["Paying"]])
def test_member_outside_the_group_gets_no_cookies(aws: FakeAws, groups: object) -> None:
    status, headers, body = invoke(token(**{"cognito:groups": groups}))
    assert (status, body["code"], "Set-Cookie" in headers) == (403, "not_entitled", False)


@pytest.mark.parametrize(
    "change",
    [
        lambda content, now: deny_list.revoke_user(content, SUB, now),
        lambda content, now: deny_list.revoke_session(content, SESSION, now),
        lambda content, now: deny_list.revoke_everyone(content, now),
    ],
)
def test_revoked_token_gets_no_cookies_at_once(aws: FakeAws, change: Any) -> None:
    now, revoked = int(time.time()), token()
    assert invoke(revoked)[0] == 200
    aws.publisher().update(lambda content: change(content, now), now)
    status, headers, body = invoke(revoked)
    assert (status, body["code"], "Set-Cookie" in headers) == (401, "token_revoked", False)


def test_session_that_newer_ones_replaced_gets_no_cookies(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOST_SESSIONS", "2")
    known = Sessions()

    def admit_in_memory(table: str, student: str, session: str, most: int) -> None:
        nonlocal known
        assert (table, student) == ("office", SUB)
        known = admit(known, session, most)

    monkeypatch.setattr(session_table, "admit_session", admit_in_memory)
    for session in ("a", "b", "c"):
        assert invoke(token(origin_jti=session))[0] == 200
    status, headers, body = invoke(token(origin_jti="a"))
    assert (status, body["code"], "Set-Cookie" in headers) == (403, "session_replaced", False)
    assert invoke(token(origin_jti="b"))[0] == 200


@pytest.mark.parametrize("data", [b"", b"no snapshot", b"e30.e30.c2ln"])
def test_deny_list_that_is_not_signed_closes_media(aws: FakeAws, data: bytes) -> None:
    aws.s3.objects["public/snapshots/revocations"] = data
    status, headers, body = invoke(token())
    assert (status, body["code"], headers["Retry-After"]) == (503, "unavailable", ["2"])


def test_deny_list_of_another_key_closes_media(aws: FakeAws) -> None:
    aws.snapshots = FakeKms("other")
    aws.publisher().update(lambda content: content, int(time.time()))
    assert invoke(token())[0] == 503


def test_failure_of_s3_or_kms_is_temporary(aws: FakeAws) -> None:
    aws.s3.failure = refused("SlowDown", 503)
    assert invoke(token())[2]["code"] == "unavailable"
    aws.s3.failure = None
    aws.failure = refused("ThrottlingException", 400)
    assert invoke(token())[2]["code"] == "unavailable"


@pytest.mark.parametrize("malformed", ["", "a", "a.b", "a.%.c", "é.é.é"])
def test_malformed_token_gets_no_cookies(aws: FakeAws, malformed: str) -> None:
    assert invoke(malformed)[0] == 403


def test_log_names_no_person_and_no_signature(
    aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    invoke(token())
    invoke(token(**{"cognito:groups": []}))
    lines = [json.loads(it) for it in capsys.readouterr().out.splitlines()]
    assert lines[0] == {"media": "opened", "request": "request-1"}
    assert lines[1].keys() == {"media", "reason", "request"}
    assert SUB not in json.dumps(lines)


def test_custom_resource_returns_key_that_cloudfront_accepts(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(public_key, "send_response", lambda _url, document: sent.append(document))
    event: dict[str, Any] = {
        "RequestType": "Create",
        "StackId": "s",
        "RequestId": "r",
        "LogicalResourceId": "EncodedKeyA",
        "ResponseURL": "https://example.com/",
        "ResourceProperties": {"KeyId": "media-key"},
    }
    public_key.lambda_handler(event, None)
    assert sent[0]["Data"] == {"EncodedKey": aws.pem()}
    assert sent[0]["PhysicalResourceId"] == "media-key"
    public_key.lambda_handler(event | {"RequestType": "Delete"}, None)
    aws.failure = refused("NotFoundException", 400)
    public_key.lambda_handler(event, None)
    assert [it["Status"] for it in sent] == ["SUCCESS", "SUCCESS", "FAILED"]
    assert str(sent[2]["Reason"]).startswith("[public_key]")


def test_unavailable_error_is_a_503() -> None:
    assert UnavailableError.status == 503
