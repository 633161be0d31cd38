"""Read the deployed hosted zones and health checks from Route 53's control plane."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.route53.model import (
    Alias,
    Deployed,
    HealthCheck,
    HostedZone,
    RecordSet,
    ZoneError,
)

#: Types of checks that the server can evaluate.
CHECK_TYPES: Final = frozenset(
    {"CALCULATED", "HTTP", "HTTPS", "HTTPS_STR_MATCH", "HTTP_STR_MATCH", "TCP"}
)
_UNSUPPORTED: Final = ("CidrRoutingConfig", "GeoLocation", "GeoProximityLocation")
_HTTPS_PORT: Final = 443


def read(client: Any) -> Deployed:
    """Return the public hosted zones and the health checks.

    Args:
        client: boto3's Route 53 client.

    Raises:
        ZoneError: A call failed, or a record or check isn't supported.
    """
    try:
        zones = [it for page in _pages(client, "list_hosted_zones") for it in page["HostedZones"]]
        checks = [
            it for page in _pages(client, "list_health_checks") for it in page["HealthChecks"]
        ]
        return Deployed(
            tuple(
                parse_zone(
                    zone["Name"],
                    (
                        record
                        for page in _pages(
                            client, "list_resource_record_sets", HostedZoneId=_plain_id(zone["Id"])
                        )
                        for record in page["ResourceRecordSets"]
                    ),
                )
                for zone in zones
                if not zone.get("Config", {}).get("PrivateZone", False)
            ),
            {it["Id"]: parse_check(it) for it in checks},
        )
    except (ClientError, BotoCoreError) as error:
        raise ZoneError(f"Can't read the hosted zones: {error}.") from error


def _plain_id(zone_id: str) -> str:
    return zone_id.removeprefix("/hostedzone/")


def _pages(client: Any, operation: str, **parameters: str) -> Iterable[Any]:
    pages: Iterable[Any] = client.get_paginator(operation).paginate(**parameters)
    return pages


def parse_zone(name: str, record_sets: Iterable[Mapping[str, Any]]) -> HostedZone:
    """Return a zone.

    Raises:
        ZoneError: A record isn't supported.
    """
    records: dict[tuple[str, str], tuple[RecordSet, ...]] = {}
    for item in record_sets:
        record = parse_record_set(item)
        key = record.name, record.type
        records[key] = (*records.get(key, ()), record)
    return HostedZone(name.lower(), records)


def parse_record_set(item: Mapping[str, Any]) -> RecordSet:
    """Return a record set of ListResourceRecordSets.

    Raises:
        ZoneError: Its routing policy isn't supported.
    """
    for name in _UNSUPPORTED:
        if name in item:
            raise ZoneError(f"The record {item['Name']} has {name}, which isn't emulated.")
    target = item.get("AliasTarget")
    alias = target and Alias(target["DNSName"].lower(), bool(target["EvaluateTargetHealth"]))
    return RecordSet(
        # Route 53 returns an asterisk as an octal escape.
        name=item["Name"].lower().replace("\\052", "*"),
        type=item["Type"],
        ttl_s=int(item.get("TTL", 0)),
        values=tuple(it["Value"] for it in item.get("ResourceRecords", [])),
        alias=alias or None,
        identifier=item.get("SetIdentifier", ""),
        region=item.get("Region"),
        weight=item.get("Weight"),
        failover=item.get("Failover"),
        is_multivalue=bool(item.get("MultiValueAnswer", False)),
        health_check=item.get("HealthCheckId"),
    )


def parse_check(item: Mapping[str, Any]) -> HealthCheck:
    """Return a health check of ListHealthChecks.

    Raises:
        ZoneError: Its type isn't supported.
    """
    config = item["HealthCheckConfig"]
    kind = config["Type"]
    if kind not in CHECK_TYPES:
        raise ZoneError(f"The health check {item['Id']} has the type {kind}, which isn't emulated.")
    path = config.get("ResourcePath") or "/"
    return HealthCheck(
        id=item["Id"],
        type=kind,
        host=config.get("FullyQualifiedDomainName", ""),
        address=config.get("IPAddress"),
        port=int(config.get("Port") or (_HTTPS_PORT if kind.startswith("HTTPS") else 80)),
        path=path if path.startswith("/") else f"/{path}",
        search=config.get("SearchString"),
        interval_s=int(config.get("RequestInterval", 30)),
        threshold=int(config.get("FailureThreshold", 3)),
        is_inverted=bool(config.get("Inverted", False)),
        is_disabled=bool(config.get("Disabled", False)),
        children=tuple(config.get("ChildHealthChecks", ())),
        min_healthy=int(config.get("HealthThreshold", 0)),
    )
