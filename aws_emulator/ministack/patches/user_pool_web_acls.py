"""Apply the web ACL of a user pool to the calls of the user pools API.

Gap: there is no resource type AWS::WAFv2::WebACLAssociation, and an associated web ACL has no
effect on Cognito.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, and cognito.py, _run_idp_handler.
Delete when: a blocked call is answered with ForbiddenException.

A web ACL is refused if a rule depends on more than the operation (the header x-amz-target), because
the rule would have no effect here. Cognito doesn't apply web ACLs to the pages of managed login.

Sources: Amazon Cognito developer guide, "Associate an AWS WAF web ACL with a user pool"; API
reference, ForbiddenException of the public operations.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import checked
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Response = tuple[int, dict[str, str], bytes]
type Statement = dict[str, Any]

_TYPE: Final = "AWS::WAFv2::WebACLAssociation"
TYPES: Final = frozenset({_TYPE})
_TARGET: Final = "AWSCognitoIdentityProviderService."
_USER_POOL_ARN: Final = ":userpool/"


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Provision associations, and evaluate the web ACL before each call."""
    waf = Symbols(
        "ministack.services.waf",
        "_associate_web_acl",
        "_associations",
        "_disassociate_web_acl",
        "_resolve_local_web_acl",
    )
    service = Symbols(
        "ministack.services.cognito",
        "_pool_arn",
        "_pool_for_client",
        "_pool_id_from_token",
        "_run_idp_handler",
        "error_response_json",
    )
    handlers = Symbols("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")
    handlers["_RESOURCE_HANDLERS"].setdefault(_TYPE, _provisioner(waf))
    service.wrap("_run_idp_handler", lambda original: _inspecting(service, waf, original))


def _provisioner(waf: Symbols) -> dict[str, Any]:
    def associate(props: dict[str, Any]) -> tuple[str, dict[str, str]]:
        resource, acl_arn = props["ResourceArn"], props["WebACLArn"]
        acl, error = waf["_resolve_local_web_acl"](acl_arn)
        if error:
            checked(error)
        if _USER_POOL_ARN in resource:
            for rule in acl["Rules"]:
                _matches(rule["Statement"], "")  # raises ValueError
        checked(waf["_associate_web_acl"]({"ResourceArn": resource, "WebACLArn": acl_arn}))
        return f"{acl_arn}|{resource}", {}

    def create(_logical_id: str, props: dict[str, Any], _stack: str) -> Any:
        return associate(props)

    def update(_physical_id: str, _old: Any, props: dict[str, Any], _stack: str) -> Any:
        return associate(props)

    def delete(_physical_id: str, props: dict[str, Any]) -> None:
        waf["_disassociate_web_acl"]({"ResourceArn": props["ResourceArn"]})

    return {"create": create, "update": update, "delete": delete}


def _inspecting(
    service: Symbols, waf: Symbols, original: Callable[..., Response]
) -> Callable[..., Response]:
    def run(handler: Any, action: str, data: dict[str, Any]) -> Response:
        pool_id = _pool_id(service, data)
        acl_arn = waf["_associations"].get(service["_pool_arn"](pool_id)) if pool_id else None
        if acl_arn and _is_blocked(waf["_resolve_local_web_acl"](acl_arn)[0], _TARGET + action):
            error: Response = service["error_response_json"](
                "ForbiddenException", "Request not allowed due to WAF block.", 403
            )
            return error
        return original(handler, action, data)

    return run


def _pool_id(service: Symbols, data: dict[str, Any]) -> str:
    """Return the pool that a call names by its id, an app client or an access token."""
    if data.get("UserPoolId"):
        return str(data["UserPoolId"])
    if data.get("ClientId"):
        return str(service["_pool_for_client"](data["ClientId"])[1] or "")
    token = data.get("AccessToken")
    return str(service["_pool_id_from_token"](token) or "") if isinstance(token, str) else ""


def _is_blocked(acl: dict[str, Any], target: str) -> bool:
    """Return whether the first matching rule, or the default action, blocks the call."""
    for rule in sorted(acl["Rules"], key=lambda it: int(it["Priority"])):
        action = rule.get("Action") or {}
        if action.keys() & {"Block", "Allow"} and _matches(rule["Statement"], target):
            return "Block" in action
    return "Block" in acl["DefaultAction"]


def _matches(statement: Statement, target: str) -> bool:
    """Return whether a statement matches the x-amz-target.

    Raises:
        ValueError: The statement depends on another part of the request.
    """
    ((kind, condition),) = statement.items()
    match kind:
        case "AndStatement":
            return False not in _each_matches(condition["Statements"], target)
        case "OrStatement":
            return True in _each_matches(condition["Statements"], target)
        case "NotStatement":
            return not _matches(condition["Statement"], target)
        case "RegexMatchStatement" if _is_target(condition):
            return re.search(condition["RegexString"], _transformed(condition, target)) is not None
        case "ByteMatchStatement" if _is_target(condition):
            return _compare(
                condition["PositionalConstraint"],
                condition["SearchString"],
                _transformed(condition, target),
            )
    raise ValueError(
        f"The emulator can't apply {kind} to a user pool: it inspects the header x-amz-target only."
    )


def _each_matches(statements: list[Statement], target: str) -> list[bool]:
    """Evaluate every statement, so that an unsupported one is always found."""
    return [_matches(inner, target) for inner in statements]


def _is_target(statement: Statement) -> bool:
    header = (statement.get("FieldToMatch") or {}).get("SingleHeader") or {}
    return str(header.get("Name", "")).lower() == "x-amz-target"


def _transformed(statement: Statement, text: str) -> str:
    """Return the text as the statement's transformations leave it.

    Raises:
        ValueError: The emulator lacks a transformation.
    """
    kinds = {it["Type"] for it in statement["TextTransformations"]}
    if not kinds <= {"NONE", "LOWERCASE"}:
        raise ValueError(f"The emulator lacks the text transformations {sorted(kinds)}.")
    return text.lower() if "LOWERCASE" in kinds else text


def _compare(constraint: str, searched: str, text: str) -> bool:
    """Return whether the text satisfies a positional constraint.

    Raises:
        ValueError: The emulator lacks the constraint.
    """
    match constraint:
        case "EXACTLY":
            return text == searched
        case "STARTS_WITH":
            return text.startswith(searched)
        case "ENDS_WITH":
            return text.endswith(searched)
        case "CONTAINS":
            return searched in text
    raise ValueError(f"The emulator lacks the positional constraint {constraint}.")
