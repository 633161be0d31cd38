"""Register passkeys and sign users in with them, on the pages of managed login and by the API.

Gap: the first factor WEB_AUTHN is left out, WebAuthnRelyingPartyID and WebAuthnUserVerification are
dropped, and there are neither the page /passkeys/add nor the operations for passkeys.
Seen in: ministack 1.5.33, cognito.py, _available_first_auth_factors and _dispatch_idp.
Delete when: a browser registers a passkey on /passkeys/add and signs in with it.

Sources: Amazon Cognito developer guide, "User-interactive managed login and classic hosted UI
endpoints"; API reference, StartWebAuthnRegistration, CompleteWebAuthnRegistration,
WebAuthnConfigurationType.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qsl

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Response = tuple[int, dict[str, str], bytes]

FACTOR: Final = "WEB_AUTHN"
_ADD: Final = "/passkeys/add"
_SIGN_IN: Final = "/login/passkey"
_RELYING_PARTY: Final = "WebAuthnRelyingPartyID"
_VERIFICATION: Final = "WebAuthnUserVerification"
_MAX_RELYING_PARTY_CHARS: Final = 127
#: The parameters of _issue_auth_code_redirect.
_REDIRECT: Final = (
    *("client_id", "pool_id", "redirect_uri", "scope", "username"),
    *("nonce", "code_challenge", "code_challenge_method", "state"),
)

PROPERTIES: Final = {"AWS::Cognito::UserPool": {_RELYING_PARTY, _VERIFICATION}}


def install(settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Wrap the pages and the dispatch of the API."""
    service = Symbols(
        "ministack.services.cognito",
        "_CHALLENGE_LABELS",
        "_UNSIGNED_IDP_ACTIONS",
        "_available_first_auth_factors",
        "_begin_user_auth_challenge",
        "_dispatch_idp",
        "_find_pool_by_client_id",
        "_get_pool_unscoped",
        "_handle_user_auth_submit",
        "_hosted_ui_user_status_error",
        "_issue_auth_code_redirect",
        "_page_shell",
        "_pending_user_auth",
        "_pool_region",
        "_resolve_user",
        "_run_idp_handler",
        "_user_pool_for_access_token",
        "_user_pools",
        "error_response_json",
        "handle_login_submit",
        "handle_oauth2_authorize",
        "json_response",
    )
    passkeys = _Passkeys(service, settings.port)
    service["_CHALLENGE_LABELS"][FACTOR] = "Passkey"
    service["_UNSIGNED_IDP_ACTIONS"].update(passkeys.operations)
    service.wrap("_available_first_auth_factors", _with_passkeys)
    service.wrap("_begin_user_auth_challenge", passkeys.beginning)
    service.wrap("_handle_user_auth_submit", passkeys.signing_in)
    service.wrap("_issue_auth_code_redirect", passkeys.registering_first)
    service.wrap("handle_login_submit", passkeys.registering)
    service.wrap("_dispatch_idp", passkeys.dispatching)
    routes = Symbols("ministack.app", "_handle_cognito_get_request")
    routes.wrap("_handle_cognito_get_request", passkeys.serving)
    extend("AWS::Cognito::UserPool", lambda *it: _configure(service, *it))


def _configure(service: Symbols, pool_id: str, props: dict[str, Any], _attributes: Any) -> None:
    """Keep the settings of passkeys.

    Raises:
        ValueError: Cognito refuses the settings.
    """
    party, verification = props.get(_RELYING_PARTY), props.get(_VERIFICATION, "preferred")
    if verification not in ("required", "preferred"):
        raise ValueError(f"InvalidParameterException: {_VERIFICATION} {verification!r}.")
    if party is not None and not 0 < len(party) <= _MAX_RELYING_PARTY_CHARS:
        raise ValueError(f"InvalidParameterException: {_RELYING_PARTY} {party!r}.")
    configuration = {"RelyingPartyId": party, "UserVerification": verification}
    service["_user_pools"][pool_id]["WebAuthnConfiguration"] = {
        name: value for name, value in configuration.items() if value
    }


def allows_passkeys(pool: dict[str, Any]) -> bool:
    """Return whether users of the pool may sign in with passkeys.

    Passkeys don't count where every sign-in needs a second factor: the emulator has no
    FactorConfiguration.
    """
    policy = (pool.get("Policies") or {}).get("SignInPolicy") or {}
    allowed = FACTOR in (policy.get("AllowedFirstAuthFactors") or ())
    return allowed and pool.get("MfaConfiguration") != "ON"


def _with_passkeys(original: Callable[..., list[str]]) -> Callable[..., list[str]]:
    def factors(pool: dict[str, Any]) -> list[str]:
        return [*original(pool), *([FACTOR] if allows_passkeys(pool) else [])]

    return factors


class _Passkeys:
    """The pages and operations, with the states of their ceremonies."""

    def __init__(self, service: Symbols, port: int) -> None:
        # Only MiniStack's environment has the library.
        from aws_emulator.ministack import passkeys

        self._rules = passkeys
        self._ceremonies = passkeys.Ceremonies()
        self._service = service
        self._origin = f"http://{passkeys.HOST}:{port}"
        #: Sign-ins that lead to the registration, by their parameters.
        self._adding: set[tuple[str, ...]] = set()
        #: Token -> parameters of the redirect after the registration, and its state.
        self._registrations: dict[str, dict[str, Any]] = {}
        #: User name -> state of a registration by the API.
        self._started: dict[str, dict[str, Any]] = {}
        self.operations: Final = {
            "StartWebAuthnRegistration": self._start,
            "CompleteWebAuthnRegistration": self._complete,
            "ListWebAuthnCredentials": self._list,
            "DeleteWebAuthnCredential": self._delete,
        }

    # --- pages ------------------------------------------------------------------------------------

    def serving(self, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Serve the registration, and the page of a passkey's sign-in."""

        async def get(method: str, path: str, headers: Any, query: dict[str, Any]) -> Any:
            if method != "GET" or path not in (_ADD, _SIGN_IN):
                return await original(method, path, headers, query)
            token = _first(query, "token")
            if path == _SIGN_IN:
                return self._sign_in_page(token)
            if token:
                return self._registration_page(token)
            answer: Response = self._service["handle_oauth2_authorize"](
                method, path, headers, query
            )
            if answer[0] != 200:
                return answer
            pool = self._service["_find_pool_by_client_id"](_first(query, "client_id"))[1]
            if problem := self._problem(pool):
                return self._page(400, f'<p class="error">{problem}</p>')
            self._adding.add(_key(lambda name: _first(query, name)))
            return answer

        return get

    def registering_first(self, original: Callable[..., Response]) -> Callable[..., Response]:
        """Lead a sign-in of /passkeys/add to the registration, before its redirect."""

        def redirect(*arguments: Any, **more: Any) -> Response:
            values = dict(zip(_REDIRECT, arguments, strict=False)) | more
            key = _key(lambda name: str(values[name]))
            if key not in self._adding:
                return original(*arguments, **more)
            self._adding.discard(key)
            token = self._rules.new_token()
            self._registrations[token] = {
                "pool": values["pool_id"],
                "username": values["username"],
                "redirect": lambda: original(*arguments, **more),
            }
            return 302, {"Location": f"{self._origin}{_ADD}?token={token}"}, b""

        return redirect

    def registering(self, original: Callable[..., Response]) -> Callable[..., Response]:
        """Store the passkey that the page of the registration sends, and go on to the site."""

        def submit(method: str, path: str, headers: Any, body: bytes, query: Any) -> Response:
            form = dict(parse_qsl(body.decode(errors="replace")))
            registration = self._registrations.get(form.get("passkey_token", ""))
            if registration is None:
                return original(method, path, headers, body, query)
            user = self._user(registration)
            try:
                self._ceremonies.register(
                    user, registration.get("state", {}), form.get("credential", "")
                )
            except self._rules.PasskeyError as error:
                return self._registration_page(form["passkey_token"], str(error))
            del self._registrations[form["passkey_token"]]
            answer: Response = registration["redirect"]()
            return answer

        return submit

    def _registration_page(self, token: str, error: str = "") -> Response:
        registration = self._registrations.get(token)
        if registration is None:
            return self._page(400, "The session has expired.")
        pool = self._service["_get_pool_unscoped"](registration["pool"])
        options, registration["state"] = self._ceremonies.registration(
            self._user(registration), self._rules.verification(pool)
        )
        hidden = {"passkey_token": token}
        return self._page(200, self._rules.page_body(hidden, options, is_new=True, error=error))

    def beginning(self, original: Callable[..., str]) -> Callable[..., str]:
        """Send the browser to the page of the passkey, at the relying party's host."""

        def begin(pool: Any, token: str, session: dict[str, Any], challenge: str) -> str:
            if challenge != FACTOR:
                return original(pool, token, session, challenge)
            session["challenge"] = challenge
            url = f"{self._origin}{_SIGN_IN}?token={token}"
            page: str = self._service["_page_shell"](
                "Sign in",
                "Sign in",
                f'<meta http-equiv="refresh" content="0;url={url}"><a href="{url}">Passkey</a>',
            )
            return page

        return begin

    def _sign_in_page(self, token: str, error: str = "") -> Response:
        session = self._service["_pending_user_auth"].get(token)
        if session is None or session["challenge"] != FACTOR:
            return self._page(400, "The session has expired.")
        pool = self._service["_get_pool_unscoped"](session["pool_id"])
        if problem := self._problem(pool):
            return self._page(400, f'<p class="error">{problem}</p>')
        user = self._service["_resolve_user"](pool, session["username"])[0]
        options, session["passkey_state"] = self._ceremonies.authentication(
            user, self._rules.verification(pool)
        )
        hidden = {"ua_token": token}
        return self._page(200, self._rules.page_body(hidden, options, is_new=False, error=error))

    def signing_in(self, original: Callable[..., Response]) -> Callable[..., Response]:
        """Verify the answer of a passkey, and issue the authorization code."""

        def submit(token: str, form: dict[str, str]) -> Response:
            session = self._service["_pending_user_auth"].get(token)
            if session is None or session["challenge"] != FACTOR:
                return original(token, form)
            pool = self._service["_get_pool_unscoped"](session["pool_id"])
            user = self._service["_resolve_user"](pool, session["username"])[0]
            wrong = "Incorrect username or passkey."
            if user is None or self._service["_hosted_ui_user_status_error"](user):
                return self._sign_in_page(token, wrong)
            # One answer for each challenge.
            state = session.pop("passkey_state", {})
            try:
                self._ceremonies.verify(user, state, form.get("credential", ""))
            except self._rules.PasskeyError:
                return self._sign_in_page(token, wrong)
            self._service["_pending_user_auth"].pop(token, None)
            values = {**session, "username": user["Username"]}
            answer: Response = self._service["_issue_auth_code_redirect"](
                *(values[name] for name in _REDIRECT)
            )
            return answer

        return submit

    def _user(self, registration: dict[str, Any]) -> dict[str, Any]:
        pool = self._service["_get_pool_unscoped"](registration["pool"])
        user: dict[str, Any] = self._service["_resolve_user"](pool, registration["username"])[0]
        return user

    def _problem(self, pool: dict[str, Any]) -> str:
        if not allows_passkeys(pool):
            return "WEB_AUTHN isn't a first factor of the user pool."
        region = self._service["_pool_region"](pool["Id"])
        return self._rules.relying_party_problem(pool, region)

    def _page(self, status: int, body: str) -> Response:
        html = self._service["_page_shell"]("Passkey", "Passkey", body)
        return status, {"Content-Type": "text/html; charset=utf-8"}, html.encode()

    # --- the API ----------------------------------------------------------------------------------

    def dispatching(self, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Serve the operations, which an access token authorizes."""

        async def dispatch(action: str, data: dict[str, Any]) -> Any:
            operation = self.operations.get(action)
            if operation is None:
                return await original(action, data)

            def authorized(request: dict[str, Any]) -> Response:
                user, pool = self._service["_user_pool_for_access_token"](
                    request.get("AccessToken", "")
                )
                if user is None:
                    return self._error("NotAuthorizedException", "Invalid access token.")
                if not allows_passkeys(pool):
                    return self._error("WebAuthnNotEnabledException", "Passkeys aren't enabled.")
                return operation(pool, user, request)

            return self._service["_run_idp_handler"](authorized, action, data)

        return dispatch

    def _start(self, pool: dict[str, Any], user: dict[str, Any], _data: Any) -> Response:
        if not (pool.get("WebAuthnConfiguration") or {}).get("RelyingPartyId"):
            message = "The user pool has no relying party ID."
            return self._error("WebAuthnConfigurationMissingException", message)
        options, state = self._ceremonies.registration(user, self._rules.verification(pool))
        self._started[user["Username"]] = state
        return self._json({"CredentialCreationOptions": options})

    def _complete(
        self, _pool: dict[str, Any], user: dict[str, Any], data: dict[str, Any]
    ) -> Response:
        state = self._started.pop(user["Username"], None)
        if state is None:
            return self._error("WebAuthnChallengeNotFoundException", "No registration started.")
        try:
            self._ceremonies.register(user, state, json.dumps(data.get("Credential")))
        except self._rules.PasskeyError as error:
            return self._error(error.code, str(error))
        return self._json({})

    def _list(self, _pool: Any, user: dict[str, Any], _data: Any) -> Response:
        listed = [
            {name: value for name, value in it.items() if not name.startswith("_")}
            for it in user.get("_passkeys", [])
        ]
        return self._json({"Credentials": listed})

    def _delete(self, _pool: Any, user: dict[str, Any], data: dict[str, Any]) -> Response:
        other_keys = [
            it for it in user.get("_passkeys", []) if it["CredentialId"] != data["CredentialId"]
        ]
        if len(other_keys) == len(user.get("_passkeys", [])):
            return self._error("ResourceNotFoundException", "The credential doesn't exist.")
        user["_passkeys"] = other_keys
        return self._json({})

    def _json(self, answer: dict[str, Any]) -> Response:
        response: Response = self._service["json_response"](answer)
        return response

    def _error(self, code: str, message: str) -> Response:
        response: Response = self._service["error_response_json"](code, message, 400)
        return response


def _key(value: Callable[[str], str]) -> tuple[str, ...]:
    return tuple(value(name) for name in ("client_id", "state", "nonce", "code_challenge"))


def _first(query: dict[str, Any], name: str) -> str:
    values = query.get(name) or [""]
    return str(values[0] if isinstance(values, list) else values)
