"""Decide whether a member may see the media. Pure: token and deny-list in."""

from collections.abc import Mapping

from edge_auth.claims import Claims
from edge_auth.encoding import base64url_decode, parse_json_object
from edge_auth.errors import EdgeAuthError
from edge_auth.revocations import NAME, DenyList
from edge_auth.rsa import PublicKey
from media.errors import NotEntitledError, TokenRevokedError, UnavailableError
from signed_snapshot.reader import open_snapshot


def read_claims(headers: Mapping[str, str]) -> Claims:
    """Return the claims of the request's access token, which API Gateway has verified.

    The authorizer's own copy of the claims has times as texts such as "Fri Mar 24 21:22:50 UTC".

    Raises:
        NotEntitledError: The header has no token. The authorizer admits no such request.
    """
    by_name = {name.lower(): value for name, value in headers.items()}
    token = by_name.get("authorization", "").rpartition(" ")[2]
    try:
        return parse_json_object(base64url_decode(token.split(".")[1].encode("ascii")))
    except (IndexError, UnicodeEncodeError, EdgeAuthError) as error:
        raise NotEntitledError("The request has no access token.") from error


def read_deny_list(data: bytes, keys: Mapping[str, PublicKey]) -> DenyList:
    """Return the deny-list of a snapshot.

    Raises:
        UnavailableError: The snapshot is malformed, or none of the keys signed it.
    """
    try:
        _, content = open_snapshot(data, NAME, keys)
        return DenyList(content)
    except EdgeAuthError as error:
        raise UnavailableError(f"The deny-list can't be read: {type(error).__name__}.") from error


def check(claims: Claims, group: str, deny_list: DenyList) -> None:
    """Check that a member is in the group, and that the token isn't revoked.

    Raises:
        NotEntitledError: The member isn't in the group.
        TokenRevokedError: The token, its session or its user is revoked.
    """
    groups = claims.get("cognito:groups")
    if not isinstance(groups, list) or group not in groups:
        raise NotEntitledError("Media needs a paid account.")
    if deny_list.revokes(claims):
        raise TokenRevokedError("The token is revoked. Sign in again.")
