"""Refuse settings and requests outside the limits of their services.

Gap: names, schedules, sizes and times outside the documented limits are accepted.
Seen in: ministack 1.5.33, scheduler.py, waf.py, kms.py, sns.py, sqs.py, ssm.py, secretsmanager.py,
cloudwatch_logs.py, eventbridge.py, cloudwatch.py and the provisioners of templates.
Delete when: each service refuses the requests of tests/refusals/test_settings.py.
"""

import base64
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aws_emulator.ministack import service_rules as rules
from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import extend
from aws_emulator.ministack.refusing import Check, refuse
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_SERVICES: Final = "ministack.services"
_LOGS: Final = "AWS::WAFv2::LoggingConfiguration"
#: Module, operation and check of the services whose errors are JSON.
_CHECKS: Final[tuple[tuple[str, str, Check], ...]] = (
    ("ssm", "_put_parameter", rules.parameter),
    ("secretsmanager", "_create_secret", rules.secret),
    ("cloudwatch_logs", "_create_log_group", rules.log_group),
    ("eventbridge", "_put_rule", rules.rule),
    (
        "kms",
        "_sign",
        lambda data: rules.signed_message(
            _size(data.get("Message")), data.get("MessageType", "RAW")
        ),
    ),
    ("kms", "_encrypt", lambda data: rules.plaintext(_size(data.get("Plaintext")))),
)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Check requests of the APIs, and resources of templates."""
    for module, operation, check in _CHECKS:
        service = Symbols(f"{_SERVICES}.{module}", operation, "error_response_json")
        refuse(service, operation, check)
    responses = Symbols("ministack.core.responses", "get_region")
    firewall = Symbols(f"{_SERVICES}.waf", "_create_web_acl", "error_response_json")
    refuse(firewall, "_create_web_acl", lambda data: rules.web_acl(data, responses["get_region"]()))
    _limit_scheduler()
    _limit_sns()
    _limit_sqs()
    _limit_cloudwatch()
    _limit_web_acl_logs(responses)
    templates: dict[str, Callable[[dict[str, Any]], rules.Refused]] = {
        "AWS::Scheduler::Schedule": lambda props: rules.schedule(props.get("Name", "-"), props),
        "AWS::WAFv2::WebACL": lambda props: rules.web_acl(
            {"Name": "-", **props}, responses["get_region"]()
        ),
        "AWS::CloudWatch::Alarm": rules.alarm,
    }
    for resource_type, check_properties in templates.items():
        extend(resource_type, before_create=_raising(check_properties))
    policy = _raising(lambda props: rules.queue_policy(props.get("PolicyDocument") or ""))
    extend("AWS::SQS::QueuePolicy", lambda _id, props, _attributes: policy(props), None, policy)


def _limit_web_acl_logs(responses: Symbols) -> None:
    firewall = Symbols(f"{_SERVICES}.waf", "_resolve_local_web_acl")
    provisioners = Symbols(f"{_SERVICES}.cloudformation.provisioners", "_RESOURCE_HANDLERS")
    if _LOGS not in provisioners["_RESOURCE_HANDLERS"]:  # without the patch accepted_types
        return

    def check(props: dict[str, Any]) -> rules.Refused:
        _, error = firewall["_resolve_local_web_acl"](props.get("ResourceArn", ""))
        if error:
            return "WAFNonexistentItemException", "AWS WAF couldn't find the web ACL."
        return rules.web_acl_logging(props, responses["get_region"]())

    # Also an update, which makes the same call.
    raising = _raising(check)
    extend(_LOGS, lambda _id, props, _attributes: raising(props), None, raising)


def _raising(
    check: Callable[[dict[str, Any]], rules.Refused],
) -> Callable[[dict[str, Any]], None]:
    def before_create(props: dict[str, Any]) -> None:
        error = check(props)
        if error:
            raise ValueError(f"{error[1]} (HandlerErrorCode: InvalidRequest)")

    return before_create


def _size(data: Any) -> int:
    """Return the bytes of a member that JSON has as base64."""
    return len(base64.b64decode(data)) if isinstance(data, str) else 0


def _limit_scheduler() -> None:
    names = ("_create_schedule", "_update_schedule")
    service = Symbols(f"{_SERVICES}.scheduler", "_error", *names)

    def wrapper(original: Callable[..., Any]) -> Callable[..., Any]:
        def operation(name: str, body: dict[str, Any]) -> Any:
            error = rules.schedule(name, body)
            return service["_error"](400, *error) if error else original(name, body)

        return operation

    for name in names:
        service.wrap(name, wrapper)


def _limit_sns() -> None:
    service = Symbols(f"{_SERVICES}.sns", "_publish", "_create_topic", "_error")

    def first(params: dict[str, Any], name: str) -> str | None:
        value = params.get(name)
        if isinstance(value, list):
            return str(value[0]) if value else None
        return None if value is None else str(value)

    def checked(original: Callable[..., Any], check: Callable[[Any], rules.Refused]) -> Any:
        def operation(params: dict[str, Any]) -> Any:
            error = check(params)
            return service["_error"](*error, 400) if error else original(params)

        return operation

    service.wrap(
        "_publish", lambda it: checked(it, lambda params: rules.subject(first(params, "Subject")))
    )
    service.wrap(
        "_create_topic",
        lambda it: checked(it, lambda params: rules.topic_name(first(params, "Name") or "")),
    )


def _limit_sqs() -> None:
    service = Symbols(f"{_SERVICES}.sqs", "_HANDLERS", "_Err")
    actions: dict[str, Callable[..., Any]] = service["_HANDLERS"]

    def check(data: dict[str, Any], rule: Callable[[dict[str, Any]], rules.Refused]) -> None:
        error = rule(data)
        if error:
            raise service["_Err"](*error)

    receive: Callable[..., Awaitable[Any]] = actions["ReceiveMessage"]
    create, send = actions["CreateQueue"], actions["SendMessage"]
    change = actions["SetQueueAttributes"]

    async def receive_message(data: dict[str, Any], url: str) -> Any:
        check(data, rules.seconds)
        return await receive(data, url)

    def send_message(data: dict[str, Any], url: str) -> Any:
        check(data, rules.seconds)
        return send(data, url)

    def create_queue(data: dict[str, Any], url: str) -> Any:
        check(data, lambda it: rules.queue_name(str(it.get("QueueName", ""))))
        check(data, policy)
        return create(data, url)

    def set_queue_attributes(data: dict[str, Any], url: str) -> Any:
        check(data, policy)
        return change(data, url)

    def policy(data: dict[str, Any]) -> rules.Refused:
        return rules.queue_policy((data.get("Attributes") or {}).get("Policy") or "")

    actions |= {
        "ReceiveMessage": receive_message,
        "SendMessage": send_message,
        "CreateQueue": create_queue,
        "SetQueueAttributes": set_queue_attributes,
    }


def _limit_cloudwatch() -> None:
    service = Symbols(
        f"{_SERVICES}.cloudwatch",
        *("_error", "_get_metric_data", "_parse_ts", "_put_metric_alarm", "_put_metric_data"),
    )

    def wrapper(
        original: Callable[..., Any], check: Callable[[dict[str, Any]], rules.Refused]
    ) -> Callable[..., Any]:
        def operation(params: Any, data: Any, is_cbor: bool, is_json: bool = False) -> Any:
            # boto3 sends CBOR or JSON; the query protocol of old clients isn't checked.
            error = check(data) if is_cbor or is_json else None
            if error:
                return service["_error"](*error, 400, use_json=is_json, use_cbor=is_cbor)
            return original(params, data, is_cbor, is_json)

        return operation

    def metrics(data: dict[str, Any]) -> rules.Refused:
        entries = data.get("MetricData", [])
        return rules.metric_data(
            [
                {**it, "Timestamp": service["_parse_ts"](it["Timestamp"])}
                if "Timestamp" in it
                else it
                for it in entries
            ]
        )

    service.wrap("_get_metric_data", lambda it: wrapper(it, rules.metric_queries))
    service.wrap("_put_metric_alarm", lambda it: wrapper(it, rules.alarm))
    service.wrap("_put_metric_data", lambda it: wrapper(it, metrics))
