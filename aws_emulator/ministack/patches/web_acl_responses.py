"""Keep the bodies of a web ACL's custom responses.

Gap: CustomResponseBodies of a web ACL are dropped.
Seen in: ministack 1.5.33, waf.py, create_web_acl_record, update_web_acl_record, _update_web_acl.
Delete when: GetWebACL returns the bodies of a template and of an update.

Source: AWS WAF API reference, CreateWebACL, UpdateWebACL and WebACL.
"""

from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type WebAcl = dict[str, Any]

_BODIES: Final = "CustomResponseBodies"
PROPERTIES: Final = {"AWS::WAFv2::WebACL": {_BODIES}}


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Store the bodies with the web ACL, which GetWebACL returns as it is."""
    service = Symbols(
        "ministack.services.waf",
        "_resource_from_scope",
        "_update_web_acl",
        "_web_acls",
        "create_web_acl_record",
        "update_web_acl_record",
    )
    service.wrap("create_web_acl_record", _creating)
    service.wrap("update_web_acl_record", _updating)
    service.wrap("_update_web_acl", lambda original: _update(service, original))


def _store(acl: WebAcl, properties: dict[str, Any]) -> None:
    """Replace the bodies: an update without bodies removes them."""
    acl.pop(_BODIES, None)
    if properties.get(_BODIES):
        acl[_BODIES] = properties[_BODIES]


def _creating(
    original: Callable[..., tuple[str, str, WebAcl]],
) -> Callable[..., tuple[str, str, WebAcl]]:
    def create(name: str, scope: str, properties: dict[str, Any]) -> tuple[str, str, WebAcl]:
        created = original(name, scope, properties)
        _store(created[2], properties)
        return created

    return create


def _updating(original: Callable[..., WebAcl]) -> Callable[..., WebAcl]:
    def update(acl: WebAcl, properties: dict[str, Any]) -> WebAcl:
        updated = original(acl, properties)
        _store(updated, properties)
        return updated

    return update


def _update(
    service: Symbols, original: Callable[[dict[str, Any]], tuple[int, Any, Any]]
) -> Callable[[dict[str, Any]], tuple[int, Any, Any]]:
    def update(data: dict[str, Any]) -> tuple[int, Any, Any]:
        answer = original(data)
        if answer[0] == 200:
            scope = data.get("Scope", "REGIONAL")
            _store(service["_resource_from_scope"](service["_web_acls"], data["Id"], scope), data)
        return answer

    return update
