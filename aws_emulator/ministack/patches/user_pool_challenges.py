"""Sign users in by choice-based authentication, and check the session of a new password.

Gap: InitiateAuth and AdminInitiateAuth lack USER_AUTH, which exists in the hosted pages only. The
hosted pages accept one constant code from every user, without a limit of attempts, and send it to
unverified addresses. NEW_PASSWORD_REQUIRED accepts any session and any password.
Seen in: ministack 1.5.33, cognito.py, _initiate_auth, _begin_user_auth_challenge and
_respond_to_auth_challenge.
Delete when: all of these work as in Cognito. (SMS_OTP and PASSWORD_SRP within USER_AUTH are
refused.)

Sources: Amazon Cognito API reference, InitiateAuth and RespondToAuthChallenge; developer guide,
"Authentication flows".
"""

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Response = tuple[int, dict[str, str], bytes]
type Handler = Callable[[dict[str, Any]], Response]

CODE_DIGITS: Final = 8
MAX_ATTEMPTS: Final = 3
#: Default of AuthSessionValidity.
SESSION_MINUTES: Final = 3
_ANSWERED: Final = frozenset({"SELECT_CHALLENGE", "PASSWORD", "EMAIL_OTP", "WEB_AUTHN"})
_UNSUPPORTED: Final = (
    "The emulator supports the USER_AUTH challenges PASSWORD, EMAIL_OTP and WEB_AUTHN, not {name}."
)


@dataclass(slots=True)
class _Session:
    """A started authentication. `code` is the one-time password that was sent.

    `passkey` is the state of a passkey's ceremony.
    """

    pool_id: str
    client_id: str
    username: str
    challenge: str
    ends: float
    code: str = ""
    attempts: int = 0
    passkey: dict[str, Any] = field(default_factory=dict)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Wrap the authentication operations and the hosted pages."""
    service = Symbols(
        "ministack.services.cognito",
        "_admin_initiate_auth",
        "_admin_respond_to_auth_challenge",
        "_attr_list_to_dict",
        "_available_first_auth_factors",
        "_begin_user_auth_challenge",
        "_build_auth_result",
        "_email_otp_page_html",
        "_handle_user_auth_submit",
        "_hosted_ui_user_status_error",
        "_initiate_auth",
        "_masked_destination",
        "_oauth2_error",
        "_password_auth_result",
        "_password_page_html",
        "_password_signin_refused",
        "_pending_user_auth",
        "_pool_for_client",
        "_resolve_user",
        "_respond_to_auth_challenge",
        "_send_email_otp",
        "_user_pool_tier",
        "_user_pool_tier_error",
        "_user_pools",
        "_validate_password",
        "error_response_json",
        "json_response",
    )
    authentication = _Authentication(service)
    for name in ("_initiate_auth", "_admin_initiate_auth"):
        service.wrap(name, authentication.initiating)
    for name in ("_respond_to_auth_challenge", "_admin_respond_to_auth_challenge"):
        service.wrap(name, authentication.responding)
    service.wrap("_password_auth_result", authentication.recording_new_password_sessions)
    service.wrap("_user_pool_tier_error", lambda original: _checking_tier(service, original))
    service.wrap("_begin_user_auth_challenge", lambda original: _page(service, original))
    service.wrap("_handle_user_auth_submit", lambda original: _limited(service, original))


class _Authentication:
    """USER_AUTH and NEW_PASSWORD_REQUIRED of the API, with their sessions."""

    def __init__(self, service: Symbols) -> None:
        # Only MiniStack's environment has the library.
        from aws_emulator.ministack import passkeys

        self._passkeys = passkeys
        self._ceremonies = passkeys.Ceremonies()
        self._service = service
        self._sessions: dict[str, _Session] = {}

    # --- InitiateAuth ---------------------------------------------------------------------------

    def initiating(self, original: Handler) -> Handler:
        """Serve the flow USER_AUTH, and pass other flows on."""

        def initiate(data: dict[str, Any]) -> Response:
            if data.get("AuthFlow") != "USER_AUTH":
                return original(data)
            pool = self._pool(data)
            if pool is None:
                return original(data)
            return self._start(pool, data)

        return initiate

    def _pool(self, data: dict[str, Any]) -> dict[str, Any] | None:
        if "UserPoolId" in data:
            pool: dict[str, Any] | None = self._service["_user_pools"].get(data["UserPoolId"])
            return pool if pool and data.get("ClientId") in pool["_clients"] else None
        client_pool: dict[str, Any] | None = self._service["_pool_for_client"](
            data.get("ClientId")
        )[0]
        return client_pool

    def _start(self, pool: dict[str, Any], data: dict[str, Any]) -> Response:
        parameters = data.get("AuthParameters") or {}
        flows = pool["_clients"][data["ClientId"]].get("ExplicitAuthFlows") or []
        if self._service["_user_pool_tier"](pool) == "LITE":
            return self._error(
                "FeatureUnavailableInTierException", "USER_AUTH is not available in the LITE tier."
            )
        if "ALLOW_USER_AUTH" not in flows:
            return self._error(
                "InvalidParameterException", "USER_AUTH flow not enabled for this client"
            )
        username = parameters.get("USERNAME")
        if not username:
            return self._error("InvalidParameterException", "Missing required parameter USERNAME")
        session = _Session(
            pool["Id"], data["ClientId"], username, "SELECT_CHALLENGE", self._end(pool, data)
        )
        preferred = parameters.get("PREFERRED_CHALLENGE")
        if not preferred:
            return self._answer(session, AvailableChallenges=self._available(pool, username))
        return self._choose(pool, session, preferred, parameters)

    def _end(self, pool: dict[str, Any], data: dict[str, Any]) -> float:
        client = pool["_clients"][data["ClientId"]]
        return time.monotonic() + 60 * float(client.get("AuthSessionValidity") or SESSION_MINUTES)

    def _available(self, pool: dict[str, Any], username: str) -> list[str]:
        """Return the user's factors; those of the pool for an unknown user, to hide that."""
        factors: list[str] = self._service["_available_first_auth_factors"](pool)
        user = self._service["_resolve_user"](pool, username)[0]
        if user is None:
            return factors
        can = {
            "PASSWORD": bool(user.get("_password")),
            "EMAIL_OTP": _can_receive(user),
            "WEB_AUTHN": bool(user.get("_passkeys")),
        }
        return [name for name in factors if can.get(name, False)]

    def _choose(
        self, pool: dict[str, Any], session: _Session, name: str, responses: dict[str, str]
    ) -> Response:
        if name not in ("PASSWORD", "EMAIL_OTP", "WEB_AUTHN"):
            return self._error("InvalidParameterException", _UNSUPPORTED.format(name=name))
        if name not in self._service["_available_first_auth_factors"](pool):
            return self._error(
                "InvalidParameterException", f"{name} is not enabled for the user pool."
            )
        session.challenge = name
        if name == "WEB_AUTHN":
            user = self._service["_resolve_user"](pool, session.username)[0]
            options, session.passkey = self._ceremonies.authentication(
                user, self._passkeys.verification(pool)
            )
            wanted = {"CREDENTIAL_REQUEST_OPTIONS": json.dumps(options)}
            return self._answer(session, ChallengeParameters=wanted)
        if name == "PASSWORD":
            if "PASSWORD" in responses:
                return self._check_password(pool, session, responses["PASSWORD"])
            return self._answer(session)
        session.code = send_code(self._service, pool, session.username)
        return self._answer(
            session,
            ChallengeParameters={
                "CODE_DELIVERY_DELIVERY_MEDIUM": "EMAIL",
                "CODE_DELIVERY_DESTINATION": self._service["_masked_destination"](session.username),
            },
        )

    # --- RespondToAuthChallenge -----------------------------------------------------------------

    def responding(self, original: Handler) -> Handler:
        """Serve the challenges of USER_AUTH, and check the session of a new password."""

        def respond(data: dict[str, Any]) -> Response:
            name, pool = data.get("ChallengeName"), self._pool(data)
            if pool is None or name not in {*_ANSWERED, "NEW_PASSWORD_REQUIRED"}:
                return original(data)
            token = str(data.get("Session", ""))
            session = self._sessions.pop(token, None)
            if session is None or session.challenge != name or session.pool_id != pool["Id"]:
                return self._error("NotAuthorizedException", "Invalid session for the user.")
            if time.monotonic() >= session.ends:
                message = "Invalid session for the user, session is expired."
                return self._error("NotAuthorizedException", message)
            responses = data.get("ChallengeResponses") or {}
            if name == "NEW_PASSWORD_REQUIRED":
                return self._set_password(original, pool, session, token, data)
            if name == "SELECT_CHALLENGE":
                return self._choose(pool, session, responses.get("ANSWER", ""), responses)
            if name == "PASSWORD":
                return self._check_password(pool, session, responses.get("PASSWORD", ""))
            if name == "WEB_AUTHN":
                return self._check_passkey(pool, session, responses.get("CREDENTIAL", ""))
            return self._check_code(pool, session, token, responses.get("EMAIL_OTP_CODE", ""))

        return respond

    def recording_new_password_sessions(self, original: Callable[..., Response]) -> Any:
        """Keep the session of each NEW_PASSWORD_REQUIRED challenge."""

        def result(
            pool: dict[str, Any], pool_id: str, client_id: str, user: Any, *rest: Any, **more: Any
        ) -> Response:
            status, headers, body = original(pool, pool_id, client_id, user, *rest, **more)
            if user.get("UserStatus") != "FORCE_CHANGE_PASSWORD":
                return status, headers, body
            session = _Session(
                pool_id,
                client_id,
                user["Username"],
                "NEW_PASSWORD_REQUIRED",
                self._end(pool, {"ClientId": client_id}),
            )
            return self._answer(session, **_challenge(body))

        return result

    def _set_password(
        self,
        original: Handler,
        pool: dict[str, Any],
        session: _Session,
        token: str,
        data: dict[str, Any],
    ) -> Response:
        responses = data.get("ChallengeResponses") or {}
        user = self._service["_resolve_user"](pool, responses.get("USERNAME"))[0]
        if user is None or user["Username"] != session.username:
            return self._error("NotAuthorizedException", "Invalid session for the user.")
        refused: Response | None = self._service["_validate_password"](
            pool, responses.get("NEW_PASSWORD", "")
        )
        if refused:
            self._sessions[token] = session
            return refused
        return original(data)

    def _check_password(self, pool: dict[str, Any], session: _Session, password: str) -> Response:
        user = self._service["_resolve_user"](pool, session.username)[0]
        wrong = self._error("NotAuthorizedException", "Incorrect username or password.")
        if user is None or self._service["_password_signin_refused"](user):
            return wrong
        if user["_password"] != password or not user.get("Enabled", True):
            return wrong
        result: Response = self._service["_password_auth_result"](
            pool, session.pool_id, session.client_id, user, session.username
        )
        return result

    def _check_passkey(self, pool: dict[str, Any], session: _Session, credential: str) -> Response:
        user = self._service["_resolve_user"](pool, session.username)[0]
        wrong = self._error("NotAuthorizedException", "Incorrect username or passkey.")
        if user is None or not user.get("Enabled", True):
            return wrong
        try:
            self._ceremonies.verify(user, session.passkey, credential)
        except self._passkeys.PasskeyError:
            return wrong
        tokens = self._service["_build_auth_result"](session.pool_id, session.client_id, user)
        return self._json({"AuthenticationResult": tokens})

    def _check_code(
        self, pool: dict[str, Any], session: _Session, token: str, code: str
    ) -> Response:
        user = self._service["_resolve_user"](pool, session.username)[0]
        session.attempts += 1
        if user is None or not session.code or not secrets.compare_digest(session.code, code):
            if session.attempts < MAX_ATTEMPTS:
                self._sessions[token] = session
            return self._error("CodeMismatchException", "Invalid code or auth state for the user.")
        tokens = self._service["_build_auth_result"](session.pool_id, session.client_id, user)
        return self._json({"AuthenticationResult": tokens})

    # --- responses ------------------------------------------------------------------------------

    def _answer(self, session: _Session, **more: Any) -> Response:
        token = secrets.token_urlsafe(32)
        self._sessions[token] = session
        answer = {"ChallengeParameters": {}, **more}
        return self._json({**answer, "ChallengeName": session.challenge, "Session": token})

    def _json(self, answer: dict[str, Any]) -> Response:
        response: Response = self._service["json_response"](answer)
        return response

    def _error(self, code: str, message: str) -> Response:
        response: Response = self._service["error_response_json"](code, message, 400)
        return response


def _challenge(body: bytes) -> dict[str, Any]:
    challenge: dict[str, Any] = json.loads(body)
    return {"ChallengeParameters": challenge["ChallengeParameters"]}


def _can_receive(user: dict[str, Any]) -> bool:
    """Return whether the user may sign in with a code: enabled, confirmed, verified address."""
    attributes = {it["Name"]: it.get("Value") for it in user.get("Attributes", [])}
    return (
        user.get("Enabled", True)
        and user.get("UserStatus") == "CONFIRMED"
        and bool(attributes.get("email"))
        and attributes.get("email_verified") == "true"
    )


def send_code(service: Symbols, pool: dict[str, Any], username: str) -> str:
    """Email a code, and return it; return "" without an email if the user can't receive one."""
    user = service["_resolve_user"](pool, username)[0]
    if user is None or not _can_receive(user):
        return ""
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    attributes = service["_attr_list_to_dict"](user["Attributes"])
    service["_send_email_otp"](pool, user["Username"], attributes, code)
    return code


def _checking_tier(service: Symbols, original: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse first factors other than the password in the LITE tier (SignInPolicyType)."""

    def error(tier: str, add_ons: Any, policies: Any, current: str | None = None) -> Any:
        policy = (policies or {}).get("SignInPolicy") or {}
        if tier == "LITE" and set(policy.get("AllowedFirstAuthFactors") or ()) - {"PASSWORD"}:
            return service["error_response_json"](
                "FeatureUnavailableInTierException",
                "AllowedFirstAuthFactors needs the ESSENTIALS tier or higher.",
                400,
            )
        return original(tier, add_ons, policies, current)

    return error


def _page(service: Symbols, original: Callable[..., str]) -> Callable[..., str]:
    """Send a code by the same rules as the API. The page looks the same without one."""

    def begin(pool: dict[str, Any], token: str, session: dict[str, Any], challenge: str) -> str:
        if challenge != "EMAIL_OTP":
            return original(pool, token, session, challenge)
        session["challenge"] = challenge
        session["otp_code"] = send_code(service, pool, session["username"])
        page: str = service["_email_otp_page_html"](token)
        return page

    return begin


def _limited(service: Symbols, original: Callable[..., Response]) -> Callable[..., Response]:
    """End a sign-in of the hosted pages after three wrong codes."""

    def submit(token: str, form: dict[str, str]) -> Response:
        pending = service["_pending_user_auth"]
        response = original(token, form)
        session = pending.get(token)
        if session and session["challenge"] == "EMAIL_OTP" and "code" in form:
            session["attempts"] = session.get("attempts", 0) + 1
            if session["attempts"] >= MAX_ATTEMPTS:
                pending.pop(token, None)
        return response

    return submit
