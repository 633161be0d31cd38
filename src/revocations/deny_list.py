"""The content of the deny-list. Pure: content and a revocation in, new content out.

`users` maps a user's fingerprint to a time: tokens that were issued before it are refused.
`sessions` maps a session's fingerprint to the time of its revocation. `sign_ins` maps a user's
fingerprint to a time, and to that of the change: newer sign-ins replaced those until the first.
`everyone` is a time for all users. Times are in seconds since the epoch.
"""

from typing import Any, Final

from revocations.errors import ListFullError
from signed_snapshot import fingerprint

#: Entries fit into the 64 KB that an edge function reads.
MAX_ENTRIES: Final = 1_000
#: Cognito's longest lifetime of an access or ID token: older tokens have expired.
USER_ENTRY_S: Final = 86_400
#: The lifetime of refresh tokens (stacks/edge-client.yaml), and a day for the last access token.
SESSION_ENTRY_S: Final = 31 * 86_400

type Content = dict[str, Any]


def prune(content: Content, now: int) -> Content:
    """Return the content without entries that no valid token needs."""
    users, sessions = content.get("users", {}), content.get("sessions", {})
    sign_ins = content.get("sign_ins", {})
    return {
        "everyone": content.get("everyone", 0),
        "users": {key: time for key, time in users.items() if time + USER_ENTRY_S > now},
        "sessions": {key: time for key, time in sessions.items() if time + SESSION_ENTRY_S > now},
        # Tokens that are issued later name the replaced sign-ins themselves (src/entitlements).
        "sign_ins": {key: it for key, it in sign_ins.items() if it[1] + USER_ENTRY_S > now},
    }


def count(content: Content) -> int:
    """Return the number of entries."""
    return sum(len(content.get(kind, {})) for kind in ("users", "sessions", "sign_ins"))


def revoke_user(content: Content, subject: str, now: int) -> Content:
    """Return the content that refuses the user's tokens of this second and before.

    Raises:
        ListFullError: The list has MAX_ENTRIES others.
    """
    # Cognito's times are whole seconds, rounded down.
    return _add(content, "users", fingerprint("user", subject), now, now + 1)


def revoke_session(content: Content, origin_jti: str, now: int) -> Content:
    """Return the content that refuses all tokens of a session.

    Raises:
        ListFullError: As in revoke_user.
    """
    return _add(content, "sessions", fingerprint("session", origin_jti), now, now)


def replace_sign_ins(content: Content, subject: str, until: int, now: int) -> Content:
    """Return the content that refuses the tokens of a user's sign-ins until a time.

    Raises:
        ListFullError: As in revoke_user.
    """
    key = fingerprint("user", subject)
    latest = max(until, content.get("sign_ins", {}).get(key, (0,))[0])
    return _add(content, "sign_ins", key, now, [latest, now])


def revoke_everyone(content: Content, now: int) -> Content:
    """Return the content that refuses all tokens of this second and before.

    It needs no entry of a user.
    """
    return prune(content, now) | {"everyone": now + 1, "users": {}, "sign_ins": {}}


def _add(content: Content, kind: str, key: str, now: int, time: int | list[int]) -> Content:
    content = prune(content, now)
    if key not in content[kind] and count(content) >= MAX_ENTRIES:
        raise ListFullError(
            f"The deny-list has {MAX_ENTRIES} entries, its maximum. An entry of a user ends after "
            "a day, of a session after 31 days. Revoke the tokens of everyone instead."
        )
    content[kind][key] = time
    return content
