"""Check which users read a paid page: anonymous, with a changed token, unpaid and paying."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from tools.demo_students import PAYING_GROUP, access_token, create_user, random_password
from tools.deployment.smoke.target import Target
from tools.replay.access_check import ANONYMOUS, PAID_PATH, PAYING, check_access

NOT_PAYING: Final = "student who hasn't paid"
CHANGED: Final = "token with a changed signature"


def check_paid_page(target: Target) -> list[str]:
    """Return the wrong decisions; an empty list if edge_auth decides correctly.

    Creates two users in the user pool and deletes them.

    Raises:
        CommandError: CloudFront didn't answer, or Amazon Cognito refused a user.
        ClientError: Amazon Cognito refused another call.
    """
    with _user(target, paying=True) as paying, _user(target, paying=False) as unpaid:
        tokens = {PAYING: paying, NOT_PAYING: unpaid, CHANGED: _with_changed_signature(paying)}
        decisions = check_access(target.url, tokens, (PAID_PATH,))
    problems = [
        f"{it.user}: {it.path} answered {it.status} ({it.reason or 'no reason'})"
        for it in decisions
        if not it.as_expected
    ]
    expected = {ANONYMOUS, *tokens}
    seen = {it.user for it in decisions}
    return problems + [f"{user}: not checked" for user in sorted(expected - seen)]


def _with_changed_signature(token: str) -> str:
    """Return the token with another last-but-one character of its signature.

    The last character of a base64url text can hold unused bits, so a change there may not matter.
    """
    changed = "A" if token[-2] != "A" else "B"
    return token[:-2] + changed + token[-1]


@contextmanager
def _user(target: Target, *, paying: bool) -> Iterator[str]:
    """Create a user and yield an access token; delete the user at the end of the context."""
    cognito = target.client("cognito-idp")
    pool, app_client = (target.stack.outputs[it] for it in ("UserPoolId", "UserPoolClientId"))
    email = f"smoke-{secrets.token_hex(8)}@example.com"
    password = random_password()
    try:
        create_user(cognito, pool, email, password)
        if paying:
            cognito.admin_add_user_to_group(UserPoolId=pool, Username=email, GroupName=PAYING_GROUP)
        yield access_token(cognito, pool, app_client, email, password)
    finally:
        with suppress(cognito.exceptions.UserNotFoundException):
            cognito.admin_delete_user(UserPoolId=pool, Username=email)
