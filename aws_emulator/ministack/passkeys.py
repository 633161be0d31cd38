"""Passkeys of a user pool's users: the two ceremonies of WebAuthn, and the pages that run them.

The pages of managed login have the origin http://localhost:PORT here. A relying party ID must be
the host of its page, so the ceremonies have the ID "localhost" in place of the pool's domain.
"""

import json
import secrets
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from html import escape
from typing import Any, Final
from urllib.parse import urlsplit

from fido2.server import Fido2Server
from fido2.webauthn import (
    AttestedCredentialData,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
)

HOST: Final = "localhost"
#: ManagedLoginVersion of a domain; 1 is the classic hosted UI.
MANAGED_LOGIN: Final = 2
#: A part of fido2's message -> Cognito's error (API reference, CompleteWebAuthnRegistration).
_ERRORS: Final = {
    "challenge": "WebAuthnChallengeNotFoundException",
    "origin": "WebAuthnOriginNotAllowedException",
    "RP ID": "WebAuthnRelyingPartyMismatchException",
    "verification": "WebAuthnCredentialNotSupportedException",
}
_SCRIPT: Final = """
const form = document.forms.passkey
form.addEventListener("submit", async event => {
  event.preventDefault()
  try {
    const publicKey = PublicKeyCredential.parse%(parse)sOptionsFromJSON(%(options)s)
    const credential = await navigator.credentials.%(method)s({publicKey})
    form.elements.credential.value = JSON.stringify(credential)
    form.submit()
  } catch (error) {
    document.getElementById("problem").textContent = error.message
  }
})
form.querySelector("button").disabled = false
"""


class PasskeyError(Exception):
    """Raised when Cognito refuses a credential; `code` is the error of its API."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Ceremonies:
    """Registration and authentication, with the keys that a user has as `_passkeys`."""

    def __init__(self) -> None:
        party = PublicKeyCredentialRpEntity(name="Managed login", id=HOST)
        self._server = Fido2Server(party, verify_origin=_is_local)

    def registration(
        self, user: Mapping[str, Any], verification: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the options of a new passkey for the browser, and the state to keep."""
        attributes = {it["Name"]: it.get("Value", "") for it in user.get("Attributes", [])}
        name = attributes.get("email") or str(user["Username"])
        entity = PublicKeyCredentialUserEntity(
            id=str(user["Username"]).encode(), name=name, display_name=name
        )
        options, state = self._server.register_begin(
            entity,
            _keys(user),
            resident_key_requirement=ResidentKeyRequirement.REQUIRED,
            user_verification=verification,
        )
        return dict(options)["publicKey"], state

    def register(self, user: dict[str, Any], state: dict[str, Any], credential: str) -> None:
        """Store the passkey that a browser made.

        Raises:
            PasskeyError: The credential isn't the answer to the options.
        """
        try:
            answer = json.loads(credential)
            data = self._server.register_complete(state, answer).credential_data
        except (ValueError, KeyError, TypeError) as error:
            raise PasskeyError(_code(error), str(error)) from error
        user.setdefault("_passkeys", []).append(
            {
                "CredentialId": answer["id"],
                "FriendlyCredentialName": f"Passkey {len(_keys(user)) + 1}",
                "RelyingPartyId": HOST,
                "AuthenticatorTransports": answer["response"].get("transports", []),
                "CreatedAt": time.time(),
                "_data": b64encode(data).decode(),
            }
        )

    def authentication(
        self, user: Mapping[str, Any] | None, verification: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the options of a sign-in for the browser, and the state to keep.

        An unknown user gets options, too, which no passkey answers.
        """
        options, state = self._server.authenticate_begin(
            _keys(user or {}), user_verification=verification
        )
        return dict(options)["publicKey"], state

    def verify(self, user: Mapping[str, Any], state: dict[str, Any], credential: str) -> None:
        """Verify the answer of a user's passkey.

        Raises:
            PasskeyError: The credential isn't the answer to the options, or not of this user.
        """
        try:
            self._server.authenticate_complete(state, _keys(user), json.loads(credential))
        except (ValueError, KeyError, TypeError) as error:
            raise PasskeyError(_code(error), str(error)) from error


def _keys(user: Mapping[str, Any]) -> list[AttestedCredentialData]:
    return [AttestedCredentialData(b64decode(it["_data"])) for it in user.get("_passkeys", [])]


def _is_local(origin: str) -> bool:
    return urlsplit(origin).hostname == HOST


def _code(error: Exception) -> str:
    codes = (code for part, code in _ERRORS.items() if part in str(error))
    return next(codes, "InvalidParameterException")


def relying_party_problem(pool: Mapping[str, Any], region: str) -> str:
    """Return why no passkey works on the pool's pages, or "".

    "The passkey relying party ID must be the fully-qualified domain name of your custom domain" if
    the pool has one (API reference, WebAuthnConfigurationType). A browser refuses the ID of another
    host than the page's (WebAuthn, section 5.1.3).
    """
    custom, prefix = pool.get("CustomDomain"), pool.get("Domain")
    if not (custom or prefix):
        return "The user pool has no domain."
    host = str(custom or f"{prefix}.auth.{region}.amazoncognito.com")
    configured = (pool.get("WebAuthnConfiguration") or {}).get("RelyingPartyId")
    if configured and configured != host:
        return f"The relying party ID {configured} isn't the host {host} of these pages."
    if (pool.get("_managed_login_versions") or {}).get(custom or prefix) != MANAGED_LOGIN:
        return "The classic hosted UI has no passkeys."
    return ""


def verification(pool: Mapping[str, Any]) -> str:
    """Return whether a pool requires that the device verifies the user, or only prefers it."""
    configuration = pool.get("WebAuthnConfiguration") or {}
    return str(configuration.get("UserVerification", "preferred"))


def new_token() -> str:
    """Return a name for the state of a ceremony."""
    return secrets.token_urlsafe(24)


def page_body(token: dict[str, str], options: dict[str, Any], *, is_new: bool, error: str) -> str:
    """Return the form of a ceremony, with the script that runs it.

    Args:
        token: The form's hidden fields.
        options: Those of `Ceremonies`.
        is_new: Whether a passkey is made.
        error: Why the last answer was refused, or "".
    """
    script = _SCRIPT % {
        "parse": "Creation" if is_new else "Request",
        "method": "create" if is_new else "get",
        "options": json.dumps(options).replace("<", "\\u003c"),
    }
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in {**token, "credential": ""}.items()
    )
    label = "Create a passkey" if is_new else "Sign in with a passkey"
    return (
        f'<p id="problem" class="error" role="alert">{escape(error)}</p>'
        f'<form name="passkey" method="POST" action="/login">{hidden}'
        f'<button type="submit" disabled>{label}</button></form><script>{script}</script>'
    )
