"""Refuse record sets that Route 53 refuses.

Gap: an alias with a TTL, a record outside of its zone, mixed routing policies and an unknown health
check are accepted, in templates and by ChangeResourceRecordSets.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _r53_record_set_create; route53.py,
_change_resource_record_sets.
Delete when: an alias with a TTL is refused.

Sources: Route 53 API reference, ResourceRecordSet and AliasTarget; developer guide,
"Values specific for latency alias records".
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_TYPE: Final = "AWS::Route53::RecordSet"
#: The hosted zone ID of all CloudFront distributions (API reference, AliasTarget).
CLOUDFRONT_ZONE: Final = "Z2FDTNDATAQYW2"
_POLICIES: Final = (
    *("CidrRoutingConfig", "Failover", "GeoLocation", "MultiValueAnswer", "Region", "Weight"),
)

type Record = dict[str, Any]


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Check record sets in both ways to create one."""
    service = Symbols(
        "ministack.services.route53",
        *("_change_resource_record_sets", "_error_response", "_find", "_findall"),
        *("_health_checks", "_parse_body", "_parse_record_set", "_records", "_rs_key", "_text"),
        "_zones",
    )
    provisioners = Symbols(
        "ministack.services.cloudformation.provisioners",
        *("_RESOURCE_HANDLERS", "_r53_record_set_build_rs", "_r53_resolve_hosted_zone_id"),
    )

    def check(zone_id: str, record: Record) -> str | None:
        zone = service["_zones"].get(zone_id)
        if zone is None:
            return None  # the operation refuses an unknown zone
        key = service["_rs_key"](record)
        others = [it for it in service["_records"][zone_id] if service["_rs_key"](it) != key]
        return refusal(record, str(zone["name"]), others, set(service["_health_checks"]))

    def check_properties(props: dict[str, Any]) -> None:
        zone_id = provisioners["_r53_resolve_hosted_zone_id"](props)
        if reason := check(zone_id, provisioners["_r53_record_set_build_rs"](props)):
            raise ValueError(f"InvalidChangeBatch: {reason}")

    handlers = provisioners["_RESOURCE_HANDLERS"]
    provisioner = handlers[_TYPE]

    def create(logical_id: str, props: dict[str, Any], stack: str) -> Any:
        check_properties(props)
        return provisioner["create"](logical_id, props, stack)

    def update(physical_id: str, old: Any, props: dict[str, Any], *rest: Any) -> Any:
        check_properties(props)
        return provisioner["update"](physical_id, old, props, *rest)

    handlers[_TYPE] = {**provisioner, "create": create, "update": update}
    service.wrap("_change_resource_record_sets", lambda change: _checked(service, change, check))


def _checked(
    service: Symbols,
    change: Callable[[str, bytes], Any],
    check: Callable[[str, Record], str | None],
) -> Callable[[str, bytes], Any]:
    def checked(zone_id: str, body: bytes) -> Any:
        root = service["_parse_body"](body)
        for element in root.iter() if root is not None else ():
            if element.tag.rpartition("}")[2] != "Change":
                continue
            action = service["_text"](element, "Action")
            record = service["_parse_record_set"](service["_find"](element, "ResourceRecordSet"))
            if action != "DELETE" and (reason := check(zone_id, record)):
                return service["_error_response"]("InvalidChangeBatch", f"[{reason}]")
        return change(zone_id, body)

    return checked


def refusal(
    record: Record, zone: str, others: Sequence[Record], health_checks: set[str]
) -> str | None:
    """Return why Route 53 refuses a record set, or None.

    Args:
        record: The record set by its API names.
        zone: The name of its zone, with a dot at the end.
        others: The zone's other record sets.
        health_checks: The IDs of the health checks.
    """
    name, kind, alias = record["Name"], record["Type"], record.get("AliasTarget") or {}
    policies = [it for it in _POLICIES if record.get(it) not in (None, "")]
    group = [it for it in others if (it["Name"], it["Type"]) == (name, kind)]
    is_cloudfront = alias.get("HostedZoneId") == CLOUDFRONT_ZONE
    check = record.get("HealthCheckId")
    reasons = {
        f"RRSet with DNS name {name} is not permitted in zone {zone}": not (
            name == zone or name.endswith(f".{zone}")
        ),
        f"Alias {name} can't have a TTL or values": bool(alias)
        and bool(record.get("TTL") or record.get("ResourceRecords")),
        f"{name} {kind} needs a TTL and values": not alias
        and (record.get("TTL") is None or not record.get("ResourceRecords")),
        f"{name} can't evaluate the health of a CloudFront distribution": is_cloudfront
        and bool(alias["EvaluateTargetHealth"]),
        f"{name} has several routing policies: {', '.join(policies)}": len(policies) > 1,
        f"{name} needs a SetIdentifier exactly if it has a routing policy": (
            bool(policies) != bool(record.get("SetIdentifier"))
        ),
        f"{name} {kind} has records with another routing policy": any(
            [it for it in _POLICIES if other.get(it) not in (None, "")] != policies
            for other in group
        ),
        f"{name} {kind} has a latency record for {record.get('Region')} already": bool(
            record.get("Region")
        )
        and any(it.get("Region") == record["Region"] for it in group),
        f"No health check exists with the ID {check}": bool(check) and check not in health_checks,
    }
    return next((reason for reason, is_refused in reasons.items() if is_refused), None)
