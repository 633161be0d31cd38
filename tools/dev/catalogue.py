"""The course catalogue of a local run: its processes, and how CloudFront reaches them.

On AWS, the names of the load balancers belong to `stacks/catalogue`. Here, the parameter
LocalCatalogue names the load balancer of `tools/regional`.
"""

import json
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from aws_emulator.errors import CommandError
from aws_emulator.route53.locations import service_address
from tools.regional import postgres
from tools.regional.balancer import HEALTH_PATH
from tools.regional.tier import Tier
from tools.stack import StackTarget, client

_TIMEOUT_S: Final = 30.0
#: As the names of the API (stacks/names.yaml).
_INTERVAL_S: Final = 10
_FAILURES: Final = 3
_TTL_S: Final = 60


@contextmanager
def prepared(directory: Path, regions: Sequence[str], domain: str) -> Iterator[Tier | None]:
    """Yield the catalogue of the Regions, and stop it at the end of the context.

    The caller creates its data and starts it. None on a platform without PostgreSQL and Valkey,
    after a sentence about it. With a domain, each Region's load balancer has the Region's loopback
    address.
    """
    if not postgres.is_usable():
        yield None
        return
    hosts = {region: service_address(region) for region in regions} if domain else None
    tier = Tier(directory / "catalogue", regions, hosts=hosts)
    try:
        yield tier
    finally:
        tier.stop()


def parameters(tier: Tier | None, domain: str) -> dict[str, str]:
    """Return the parameter of the edge that names the load balancer."""
    if tier is None:
        return {}
    port = tier.settings[tier.home].balancer_port
    return {"LocalCatalogue": f"global-alb.{domain}:{port}" if domain else f"localhost:{port}"}


def start(tier: Tier, target: StackTarget, outputs: Mapping[str, str]) -> None:
    """Start all Regions of a created catalogue: the home's user pool issues the staff's tokens.

    Raises:
        CommandError: The keys of the user pool can't be read, or a server doesn't start.
    """
    pool = outputs["UserPoolId"]
    variables = {
        "STAFF_ISSUER": f"https://cognito-idp.{target.region}.amazonaws.com/{pool}",
        "STAFF_CLIENTS": outputs["UserPoolClientId"],
        "STAFF_KEYS": _keys(target, pool),
    }
    prefix = outputs["OriginKeyPrefix"]
    name = f"{prefix}-{outputs['OriginKeys'][0]}"
    secret = client("secretsmanager", target).get_secret_value(SecretId=name)
    tier.start(variables, secret["SecretString"], prefix, target.endpoint)


def _keys(target: StackTarget, pool: str) -> str:
    url = f"{target.endpoint}/{pool}/.well-known/jwks.json"
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:
            return json.dumps(json.load(response))
    except (OSError, ValueError) as error:
        raise CommandError(
            f"The user pool's keys can't be read: {error}. Start the system again."
        ) from error


def create_names(tier: Tier, route53: Any, names: Mapping[str, str]) -> None:
    """Create the names of the load balancers: one of each Region, and the one of the nearest.

    Args:
        tier: The catalogue.
        route53: boto3's Route 53 client.
        names: The parameters Domain and HostedZoneId.
    """
    records = []
    for region, settings in tier.settings.items():
        own = f"{region}.alb.{names['Domain']}"
        check = route53.create_health_check(
            CallerReference=own,
            HealthCheckConfig={
                "Type": "HTTP",
                "FullyQualifiedDomainName": own,
                "Port": settings.balancer_port,
                "ResourcePath": HEALTH_PATH,
                "RequestInterval": _INTERVAL_S,
                "FailureThreshold": _FAILURES,
            },
        )
        record = {
            "Type": "A",
            "TTL": _TTL_S,
            "ResourceRecords": [{"Value": settings.balancer_host}],
        }
        nearest = {
            "Name": f"global-alb.{names['Domain']}",
            "SetIdentifier": region,
            "Region": region,
            "HealthCheckId": check["HealthCheck"]["Id"],
        }
        records += [record | {"Name": own}, record | nearest]
    route53.change_resource_record_sets(
        HostedZoneId=names["HostedZoneId"],
        ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": it} for it in records]},
    )
