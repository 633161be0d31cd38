"""Serve managed login only to app clients with a branding style, and with its look.

Gap: there is no resource type AWS::Cognito::ManagedLoginBranding. The hosted pages of a domain with
ManagedLoginVersion 2 work without a style, which Cognito answers with an error page. The pages have
MiniStack's look.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, and cognito.py, handle_oauth2_authorize
and _page_shell.
Delete when: the type exists, a client without a style has no login page, and a style decides the
look.

Sources: Amazon Cognito API reference, CreateUserPoolDomain (ManagedLoginVersion) and
CreateManagedLoginBranding. `aws_emulator.ministack.login_page` lists the settings with an effect.
The pages have the newest style with settings: MiniStack doesn't say for which client a page is.
"""

import uuid
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack import login_page
from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Response = tuple[int, dict[str, str], bytes]

_TYPE: Final = "AWS::Cognito::ManagedLoginBranding"
TYPES: Final = frozenset({_TYPE})
#: Key of a pool's record: id of the branding style → app client.
_STYLES: Final = "_managed_login_styles"
_PAGE: Final = b"Login pages unavailable. Please contact an administrator."


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Provision styles, and require one for the login page."""
    service = Symbols(
        "ministack.services.cognito",
        "_find_pool_by_client_id",
        "_user_pools",
        "_page_shell",
        "handle_oauth2_authorize",
    )
    gateway = Symbols("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")
    looks: dict[str, dict[str, Any]] = {}
    gateway["_RESOURCE_HANDLERS"].setdefault(_TYPE, _provisioner(service, looks))
    service.wrap("_page_shell", lambda original: _branded(looks, original))
    service.wrap("handle_oauth2_authorize", lambda original: _requiring_style(service, original))


def _branded(looks: dict[str, dict[str, Any]], original: Callable[..., str]) -> Callable[..., str]:
    """Render a page with the newest look; without one, MiniStack's page."""

    def shell(title: str, heading: str, body: str) -> str:
        if not looks:
            return original(title, heading, body)
        return login_page.render([*looks.values()][-1], heading, body)

    return shell


def _provisioner(service: Symbols, looks: dict[str, dict[str, Any]]) -> dict[str, Any]:
    def styles(props: dict[str, Any]) -> dict[str, str]:
        pool = service["_user_pools"].get(props["UserPoolId"])
        if pool is None:
            raise ValueError(f"The user pool {props['UserPoolId']} does not exist.")
        styles_by_client: dict[str, str] = pool.setdefault(_STYLES, {})
        return styles_by_client

    def check(props: dict[str, Any]) -> None:
        if props.get("UseCognitoProvidedValues") and (props.get("Settings") or props.get("Assets")):
            raise ValueError("UseCognitoProvidedValues excludes Settings and Assets.")
        login_page.check_style(props.get("Settings") or {}, props.get("Assets") or [])

    def remember(style: str, props: dict[str, Any]) -> None:
        looks.pop(style, None)
        if props.get("Settings"):
            looks[style] = {name: props.get(name) for name in ("Settings", "Assets")}

    def create(_logical_id: str, props: dict[str, Any], _stack: str) -> Any:
        check(props)
        client = props.get("ClientId", "")
        if client in styles(props).values():
            raise ValueError(f"ManagedLoginBrandingExistsException: {client} has a style already.")
        style = str(uuid.uuid4())
        styles(props)[style] = client
        remember(style, props)
        return style, {"ManagedLoginBrandingId": style}

    def update(style: str, _old: Any, props: dict[str, Any], _stack: str) -> Any:
        check(props)
        styles(props)[style] = props.get("ClientId", "")
        remember(style, props)
        return style, {"ManagedLoginBrandingId": style}

    def delete(style: str, props: dict[str, Any]) -> None:
        looks.pop(style, None)
        pool = service["_user_pools"].get(props["UserPoolId"]) or {}
        pool.get(_STYLES, {}).pop(style, None)

    return {"create": create, "update": update, "delete": delete}


def _requiring_style(
    service: Symbols, original: Callable[..., Response]
) -> Callable[..., Response]:
    def authorize(method: str, path: str, headers: Any, query: dict[str, Any]) -> Response:
        status, answer_headers, body = original(method, path, headers, query)
        requested_client = query.get("client_id", "")
        client_id = requested_client[0] if isinstance(requested_client, list) else requested_client
        pool = service["_find_pool_by_client_id"](client_id)[1] or {}
        is_managed = 2 in (pool.get("_managed_login_versions") or {}).values()
        if status == 200 and is_managed and client_id not in pool.get(_STYLES, {}).values():
            return 403, {"Content-Type": "text/plain; charset=utf-8"}, _PAGE
        return status, answer_headers, body

    return authorize
