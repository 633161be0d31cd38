"""Refuse tokens that were revoked before their expiry, with the snapshot of src/revocations."""

from collections.abc import Callable
from typing import Final

from edge_auth import jws
from edge_auth.claims import Claims
from edge_auth.encoding import base64url_decode, parse_json_object
from edge_auth.errors import RevokedError, SnapshotUnavailableError, TokenError
from edge_auth.jwks import Fetch, public_keys
from edge_auth.rsa import Backend
from edge_auth.settings import SnapshotSettings
from edge_auth.viewer_request import ViewerRequest
from signed_snapshot import fingerprint
from signed_snapshot.reader import SnapshotReader

NAME: Final = "revocations"
PATH: Final = "/snapshots/revocations"


class DenyList:
    """The revoked users, sessions and times."""

    __slots__ = ("everyone", "sessions", "sign_ins", "users")

    def __init__(self, content: dict[str, object]) -> None:
        """Parse a snapshot's content. Times are in seconds since the epoch.

        Raises:
            TokenError: The content is malformed.
        """
        everyone, users = content.get("everyone", 0), content.get("users", {})
        sessions, sign_ins = content.get("sessions", {}), content.get("sign_ins", {})
        if (
            not isinstance(everyone, int)
            or not isinstance(users, dict)
            or not all(isinstance(before, int) for before in users.values())
            or not isinstance(sessions, dict)
            or not isinstance(sign_ins, dict)
            or not all(_is_entry(it) for it in sign_ins.values())
        ):
            raise TokenError
        self.everyone = everyone
        self.users: dict[str, int] = users
        self.sessions = sessions
        self.sign_ins: dict[str, list[int]] = sign_ins

    def revokes(self, claims: Claims) -> bool:
        """Return True if a token with these claims is revoked.

        A revocation of a user, or of everyone, applies to tokens that were issued before it, and to
        tokens of a sign-in before it: Cognito's own session can outlive a global sign-out (API
        reference, AdminUserGlobalSignOut). `origin_jti` is the same in all tokens of a session.
        Newer sign-ins replaced those until `replaced_until`, which the list has until all tokens
        name it.
        """
        before, until = self.everyone, _time(claims, "replaced_until")
        if self.users or self.sign_ins:
            user = fingerprint("user", str(claims.get("sub")))
            before = max(before, self.users.get(user, 0))
            until = max(until, self.sign_ins.get(user, (0,))[0])
        if until and _time(claims, "auth_time") <= until:
            return True
        if before and min(_time(claims, "iat"), _time(claims, "auth_time")) < before:
            return True
        session = claims.get("origin_jti")
        return bool(self.sessions) and fingerprint("session", str(session)) in self.sessions


def _is_entry(entry: object) -> bool:
    return isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], int)


def _time(claims: Claims, name: str) -> float:
    """Return a time claim. Tokens of other grants than a sign-in have no `auth_time`."""
    value = claims.get(name, float("inf") if name == "auth_time" else 0)
    return value if isinstance(value, (int, float)) else 0


class Revocations:
    """The deny-list of one environment."""

    def __init__(
        self,
        settings: SnapshotSettings,
        backend: Backend,
        fetch: Fetch,
        clock: Callable[[], float],
    ) -> None:
        self._origin = settings.origin
        self._reader = SnapshotReader(
            NAME,
            keys=public_keys(settings.jwks, backend),
            fetch=fetch,
            parse=DenyList,
            clock=clock,
            max_age_s=settings.max_age_s,
        )

    def check(self, request: ViewerRequest, claims: Claims) -> None:
        """Check verified claims, before they open a page.

        Raises:
            RevokedError: The token is revoked.
            SnapshotUnavailableError: The deny-list couldn't be read for ten minutes.
        """
        # The distribution serves the snapshot; its nearest location answers the function.
        origin = self._origin or (request.distribution and f"https://{request.distribution}")
        if not origin:
            raise SnapshotUnavailableError
        if self._reader.read(f"{origin}{PATH}").revokes(claims):
            raise RevokedError

    def check_unverified(self, request: ViewerRequest, token: str) -> None:
        """Check a token that the origin will verify. A malformed one is the origin's to refuse.

        Raises:
            RevokedError: The token is revoked.
            SnapshotUnavailableError: As in `check`.
        """
        if len(token) > jws.MAX_TOKEN_BYTES:
            return
        try:
            payload = token.encode("ascii").split(b".")[1]
            claims = parse_json_object(base64url_decode(payload))
        except (IndexError, TokenError, UnicodeEncodeError):
            return
        self.check(request, claims)
