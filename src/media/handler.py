"""Handle POST /api/media-cookies: the cookies that open the media for a few minutes.

API Gateway verifies the access token before it invokes the function (Lambda proxy integration,
because only its responses set several cookies).
"""

import functools
import json
import os
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from edge_auth.jwks import parse_moduli, public_keys
from edge_auth.rsa import PublicKey
from edge_auth.rsa_backend import select_backend
from media import aws_clients, member, session_table, signed_cookies
from media.errors import MediaError


@functools.cache
def _snapshot_keys() -> dict[str, PublicKey]:
    return public_keys(parse_moduli(json.loads(os.environ["SNAPSHOT_KEYS"])), select_backend())


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, object]:
    """Return the response with the cookies, or a problem document (RFC 9457)."""
    request_id = str(event["requestContext"]["requestId"])
    try:
        response = _open(event)
    except MediaError as error:
        # The message names no person.
        print(json.dumps({"media": error.code, "reason": str(error), "request": request_id}))
        return _problem(error, request_id)
    print(json.dumps({"media": "opened", "request": request_id}))
    return response


def _open(event: Mapping[str, Any]) -> dict[str, object]:
    """Return the response with the cookies.

    Raises:
        MediaError: The member may not see the media, or a service call failed.
    """
    claims = member.read_claims(event["headers"])
    # Read each time: a revocation takes effect with the next cookies, without a cache's delay.
    deny_list = member.read_deny_list(
        aws_clients.read_snapshot(os.environ["BUCKET"]), _snapshot_keys()
    )
    member.check(claims, os.environ["GROUP"], deny_list)
    if (most := int(os.environ["MOST_SESSIONS"])) > 0:
        # `origin_jti` is the same in all tokens of a session.
        session, subject = str(claims.get("origin_jti")), str(claims.get("sub"))
        session_table.admit_session(os.environ["OFFICE_TABLE"], subject, session, most)
    path, lifetime_s = os.environ["MEDIA_PATH"], int(os.environ["LIFETIME_SECONDS"])
    policy = signed_cookies.policy(path, int(time.time()) + lifetime_s)
    signature = aws_clients.sign(os.environ["KEY_ID"], policy)
    return _response(
        200,
        "application/json",
        # Half of the lifetime: one renewal may fail.
        {"path": path, "expiresIn": lifetime_s, "renewIn": lifetime_s // 2},
        **{
            "Set-Cookie": signed_cookies.cookies(
                policy, signature, os.environ["KEY_PAIR_ID"], path, lifetime_s
            )
        },
    )


def _problem(error: MediaError, request_id: str) -> dict[str, object]:
    details = {
        "not_entitled": "Media needs a paid account.",
        "session_replaced": "Media plays in newer sessions of this account. Sign in again.",
        "token_revoked": "The token is revoked. Sign in again.",
    }
    document = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "code": error.code,
        "detail": details.get(error.code, "Send the same request again in a moment."),
        "requestId": request_id,
    }
    retry = {"Retry-After": ["2"]} if error.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return _response(error.status, "application/problem+json", document, **retry)


def _response(
    status: int, media_type: str, document: Mapping[str, object], **headers: list[str]
) -> dict[str, object]:
    return {
        "statusCode": status,
        "multiValueHeaders": {
            "Content-Type": [media_type],
            "Cache-Control": ["no-store"],
            # As all responses of the API. Without credentials, another origin gets no cookies.
            "Access-Control-Allow-Origin": ["*"],
            **headers,
        },
        "body": json.dumps(document),
    }
