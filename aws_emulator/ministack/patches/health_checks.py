"""Provision the health checks of Route 53, and refuse invalid ones.

Gap: there is no resource type AWS::Route53::HealthCheck, although the API has health checks. The
API accepts any configuration, and returns its booleans as "True", which SDKs read as false.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _RESOURCE_HANDLERS; route53.py,
_create_health_check, _build_health_check_el.
Delete when: the type exists, and the API refuses a request interval of 20 seconds.

Sources: CloudFormation, AWS::Route53::HealthCheck HealthCheckConfig; Route 53 API reference,
HealthCheckConfig.
"""

import uuid
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_TYPE: Final = "AWS::Route53::HealthCheck"
TYPES: Final = frozenset({_TYPE})
_INTERVALS_S: Final = (10, 30)
_MAX_THRESHOLD: Final = 10
_MIN_CHECKER_REGIONS: Final = 3
_MAX_PATH_CHARS: Final = 255
_NUMBERS: Final = ("Port", "RequestInterval", "FailureThreshold", "HealthThreshold")
_BOOLEANS: Final = ("MeasureLatency", "EnableSNI", "Inverted", "Disabled")
#: CloudFormation replaces a check whose value of one of these changes.
_FIXED: Final = ("Type", "RequestInterval", "MeasureLatency", "RoutingControlArn")
_REQUESTS: Final = ("HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP")

type Config = dict[str, Any]


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Register the provisioner, and check configurations in both ways to create a check."""
    service = Symbols(
        "ministack.services.route53",
        *("_create_health_check", "_error_response", "_find", "_hc_caller_refs", "_hc_id"),
        *("_health_checks", "_lock", "_parse_body", "_parse_health_check_config"),
        *("_update_health_check",),
    )
    gateway = Symbols("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")
    gateway["_RESOURCE_HANDLERS"].setdefault(_TYPE, _provisioner(service))
    service.wrap(
        "_parse_health_check_config", lambda parse: lambda element: _as_text(parse(element))
    )
    service.wrap("_create_health_check", lambda create: _checked(service, create))


def _checked(service: Symbols, create: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def checked(body: bytes) -> Any:
        root = service["_parse_body"](body)
        element = None if root is None else service["_find"](root, "HealthCheckConfig")
        if element is not None:
            config = service["_parse_health_check_config"](element)
            if reason := refusal(config, set(service["_health_checks"])):
                return service["_error_response"]("InvalidInput", reason)
        return create(body)

    return checked


def _provisioner(service: Symbols) -> dict[str, Any]:
    def parsed(props: dict[str, Any]) -> Config:
        config = {**props["HealthCheckConfig"]}
        config |= {name: int(config[name]) for name in _NUMBERS if name in config}
        config = _as_text(config)
        if reason := refusal(config, set(service["_health_checks"])):
            raise ValueError(f"InvalidInput: {reason}")
        return config

    def create(_logical_id: str, props: dict[str, Any], _stack: str) -> Any:
        config = parsed(props)
        check_id, reference = service["_hc_id"](), str(uuid.uuid4())
        with service["_lock"]:
            service["_health_checks"][check_id] = {
                "id": check_id,
                "caller_reference": reference,
                "config": config,
                "version": 1,
            }
            service["_hc_caller_refs"][reference] = check_id
        return check_id, {"HealthCheckId": check_id}

    def update(check_id: str, old: dict[str, Any], props: dict[str, Any], stack: str) -> Any:
        before, config = _as_text(old["HealthCheckConfig"]), parsed(props)
        if any(str(before.get(name)) != str(config.get(name)) for name in _FIXED):
            created = create("", props, stack)
            delete(check_id, old)
            return created
        with service["_lock"]:
            check = service["_health_checks"][check_id]
            check["config"], check["version"] = config, check["version"] + 1
        return check_id, {"HealthCheckId": check_id}

    def delete(check_id: str, _props: dict[str, Any]) -> None:
        with service["_lock"]:
            service["_health_checks"].pop(check_id, None)

    return {"create": create, "update": update, "delete": delete}


def _as_text(config: Config) -> Config:
    """Return a configuration with its booleans as XML has them."""
    return config | {
        name: str(config[name]).lower() for name in _BOOLEANS if config.get(name) is not None
    }


def refusal(config: Config, existing: set[str]) -> str | None:
    """Return why Route 53 refuses a health check, or None.

    Args:
        config: The configuration by its API names.
        existing: The IDs of the health checks.
    """
    kind = config.get("Type")
    if kind == "CALCULATED":
        children = config.get("ChildHealthChecks") or []
        unknown = [it for it in children if it not in existing]
        if not children or unknown:
            return f"A CALCULATED check needs existing ChildHealthChecks, not {unknown}."
        if not 0 <= int(config.get("HealthThreshold", 0)) <= 256:
            return "HealthThreshold must be from 0 to 256."
        forbidden = [it for it in ("FullyQualifiedDomainName", "IPAddress") if it in config]
        return f"A CALCULATED check has no {', '.join(forbidden)}." if forbidden else None
    if kind not in _REQUESTS:
        return f"The emulator has no health checks of the type {kind}."
    return _request_refusal(kind, config)


def _request_refusal(kind: str, config: Config) -> str | None:
    """Return why Route 53 refuses a health check that sends requests, or None."""
    regions = config.get("Regions")
    refused = {
        "FullyQualifiedDomainName or IPAddress is missing.": not (
            config.get("FullyQualifiedDomainName") or config.get("IPAddress")
        ),
        "RequestInterval must be 10 or 30.": int(config.get("RequestInterval", 30))
        not in _INTERVALS_S,
        f"FailureThreshold must be from 1 to {_MAX_THRESHOLD}.": not (
            1 <= int(config.get("FailureThreshold", 3)) <= _MAX_THRESHOLD
        ),
        f"Regions must have at least {_MIN_CHECKER_REGIONS} Regions.": regions is not None
        and len(regions) < _MIN_CHECKER_REGIONS,
        f"ResourcePath is longer than {_MAX_PATH_CHARS} characters.": (
            len(config.get("ResourcePath", "")) > _MAX_PATH_CHARS
        ),
        "SearchString belongs to the types with STR_MATCH, which need it.": (
            kind.endswith("STR_MATCH") != bool(config.get("SearchString"))
        ),
    }
    return next((reason for reason, is_refused in refused.items() if is_refused), None)
