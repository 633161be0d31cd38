"""The values that a stage's stacks in different Regions need of each other.

CloudFormation's Fn::GetAtt ends at the Region, so `make deploy` and the local run pass them as
parameters: from the home to the further Regions and to the edge, and from the edge to the home.
"""

from collections.abc import Mapping
from typing import Any, Final

from aws_emulator.errors import CommandError
from tools.deployment import catalogue, collector, portal_copies, replicas
from tools.deployment.environments import Environment, Layout
from tools.deployment.stacks import Stacks
from tools.stack import outputs_of, parameters_of

#: Outputs of the home's stack that are parameters of an edge without the home.
HOME_VALUES: Final = (
    *("UserPoolId", "UserPoolClientId", "ApiDomainName"),
    *("OriginKeyPrefix", "OriginKeys"),
    *("RevocationKeySet", "MediaKeyGroupId", "SignInHost"),
)
#: With a domain, CloudFront calls the further Regions with the home's keys.
SHARED_KEYS: Final = ("OriginKeyPrefix", "OriginKeys")
#: The output with the home's bucket of pages.
PORTAL_BUCKET: Final = "PortalBucket"
#: The output with a Region's health check, and the edge's parameter with those of all Regions.
HEALTH_CHECK: Final = "HealthCheckId"
HEALTH_CHECKS: Final = "HealthChecks"
#: The parameter of a Region with an API: whether clients can call its execute-api endpoint.
ENDPOINT: Final = "ExecuteApiEndpoint"
#: The parameter with the further Regions, which the operators' operations of each API read.
FURTHER_REGIONS: Final = "ReplicaRegions"
#: The parameter of a further Region with the Region that has its mark; none for the home.
MARK_REGION: Final = "MarkRegion"
#: Outputs of the edge's stack that are parameters of a home without the edge.
EDGE_VALUES: Final = ("DistributionId", "DistributionDomainName", "SignInCertificateArn")
#: What a further Region needs of the edge: its copy of the pages names the distribution.
DISTRIBUTION: Final = ("DistributionId",)
#: The name of the sign-in pages needs both stacks: first the edge's certificate and the record of
#: the domain, then the home's name, then the edge's settings. Until then, the values are "none".
SIGN_IN_HOST: Final = "SignInHost"
CERTIFICATE: Final = "SignInCertificateArn"
#: Stacks of earlier versions lack these outputs.
_OPTIONAL: Final = frozenset({SIGN_IN_HOST, CERTIFICATE})


def needed_values(
    environment: Environment, layout: Layout, clients: collector.Clients
) -> dict[str, str]:
    """Return the parameters of an environment that come from other stacks of its stage.

    Raises:
        ClientError: A call failed.
        CommandError: A stack lacks a value, the table has no replica in the Region, or the home has
            a Region that samconfig.toml lacks.
    """
    if environment.is_home:
        values = replicas.kept(environment, clients) | _kept_sign_in_host(environment, clients)
        values |= _catalogue(environment, layout, clients)
        values |= _kept_endpoint(environment, clients)
        is_deployed = not environment.is_edge and _exists(layout.edge, clients)
        return values | (_outputs(layout.edge, EDGE_VALUES, clients) if is_deployed else {})
    if environment.is_edge:
        values = _outputs(layout.home, HOME_VALUES, clients)
        values |= _health_checks(layout, clients) | _copies(layout, clients)
        if not _exists(environment, clients):
            regions = collector.consumed_regions((layout.home, *layout.others), clients)
            values["Regions"] = ",".join(regions)
        return values
    values = {"AppointmentsStreamArn": _replica_stream(environment, clients)}
    values |= _catalogue(environment, layout, clients) | _kept_endpoint(environment, clients)
    names: tuple[str, ...] = ("UserPoolArn",)
    if catalogue.is_wanted(environment):
        names += ("UserPoolClientId",)
    if environment.parameter("Domain"):
        names += SHARED_KEYS
        values |= _mark(layout, environment) | _further_regions(layout, clients)
    if _exists(layout.edge, clients):
        values |= _outputs(layout.edge, DISTRIBUTION, clients)
    return values | _outputs(layout.home, names, clients)


def pass_on(environment: Environment, layout: Layout, clients: collector.Clients) -> None:
    """Pass the values of a deployed environment on to the stacks that exist already.

    The edge gets those of the home, the Regions of the streams and their health checks, the home
    those of the edge.
    Further Regions get the home's keys, the list of the further Regions, the Region with the mark
    of their evacuation, and the distribution that reads their copy of the pages. The home and the
    edge get the Regions with a copy.

    Raises:
        ClientError: A call failed.
        CommandError: An update failed, the Region's stream has no consumer, or the copies lack
            pages.
    """
    _pass_on(environment, layout, clients)
    pass_copies(layout, clients)
    # The home's first deployment creates the user pool with the keys of the staff's tokens.
    if values := _catalogue(environment, layout, clients):
        _update(environment, values, clients)
    disable_endpoints(layout, clients)


def disable_endpoints(layout: Layout, clients: collector.Clients) -> None:
    """Disable the execute-api endpoints of the APIs if CloudFront calls their domain name.

    The deployment that brings the name can't: the APIs are updated before the distribution, which
    would get 403 until it has the new origin.

    Raises:
        ClientError: A call failed.
        CommandError: An update failed.
    """
    domain = layout.home.parameter("Domain")
    stages = [it for it in (layout.home, *layout.others) if _exists(it, clients)]
    if not domain or layout.home not in stages or not _exists(layout.edge, clients):
        return
    name = outputs_of(_describe(layout.home, clients)).get("ApiDomainName")
    if layout.edge != layout.home:
        origin = parameters_of(_describe(layout.edge, clients)).get("ApiDomainName")
        name = name if name == origin else None
    if name != f"global-api.{domain}":
        return
    for environment in stages:
        present = parameters_of(_describe(environment, clients))
        if ENDPOINT in present and present.get("Domain") == domain:
            value = environment.overrides.get(ENDPOINT, "disabled")
            _update(environment, {ENDPOINT: value}, clients)


def pass_copies(layout: Layout, clients: collector.Clients) -> None:
    """Let the buckets of the pages replicate to each other, and CloudFront read the copies.

    Returns when the copies have the pages of the home.

    Raises:
        ClientError: A call failed.
        CommandError: An update failed, or a copy lacks pages.
    """
    if not _exists(layout.home, clients):
        return
    values = _copies(layout, clients)
    if _exists(layout.edge, clients):
        for further in layout.others:
            if _exists(further, clients):
                _update(further, _outputs(layout.edge, DISTRIBUTION, clients), clients)
    bucket = outputs_of(_describe(layout.home, clients)).get(PORTAL_BUCKET)
    regions = [it for it in values.get(portal_copies.COPIES, "").split(",") if it]
    if bucket and regions:
        _update(layout.home, values, clients)
        count = portal_copies.replicate(layout.home, bucket, regions, clients)
        print(f"{', '.join(regions)} has the {count} objects of s3://{bucket}/.", flush=True)
    # CloudFront reads a copy only after it has the pages.
    if layout.edge != layout.home and _exists(layout.edge, clients):
        _update(layout.edge, values, clients)


def _catalogue(
    environment: Environment, layout: Layout, clients: collector.Clients
) -> dict[str, str]:
    """Return the parameters of the catalogue; none without it."""
    if not catalogue.is_wanted(environment):
        return {}
    home = _describe(layout.home, clients) if _exists(layout.home, clients) else {}
    return catalogue.needed_values(environment, outputs_of(home).get("UserPoolId", ""), clients)


def _copies(layout: Layout, clients: collector.Clients) -> dict[str, str]:
    """Return the parameter with the Regions that have a copy of the pages; empty without any."""
    regions = [
        it.region
        for it in layout.others
        if _exists(it, clients) and portal_copies.COPY in outputs_of(_describe(it, clients))
    ]
    # At most as many as the home has rules for.
    return {portal_copies.COPIES: ",".join(regions[:4])} if regions else {}


def _pass_on(environment: Environment, layout: Layout, clients: collector.Clients) -> None:
    """Pass all values on but those of the copies of the pages."""
    if environment in (layout.home, *layout.others) and environment.parameter("Domain"):
        _pass_to_further(layout, clients)
    if environment.is_home and environment.is_edge:
        if environment.parameter("Domain"):
            _update(environment, _outputs(environment, (SIGN_IN_HOST,), clients), clients)
        return
    if environment.is_edge:
        values = _outputs(environment, EDGE_VALUES, clients) | _copies(layout, clients)
        _update(layout.home, values, clients)
        # A further Region can have been deployed after the parameters of the edge were read.
        checks = _health_checks(layout, clients)
        host = _outputs(layout.home, (SIGN_IN_HOST,), clients)
        _update(environment, host | checks, clients)
    elif not _exists(layout.edge, clients):
        print(
            f"The collector doesn't write to {environment.region} yet. Deploy the edge last: make "
            f"deploy PLACE={layout.edge.name}"
        )
    elif environment.is_home:
        values = _outputs(environment, HOME_VALUES, clients)
        _update(layout.edge, values | _health_checks(layout, clients), clients)
    else:
        collector.add_region(layout.edge, environment, clients)
        pass_health_checks(layout, clients)


def forget_region(layout: Layout, region: str, clients: collector.Clients) -> None:
    """Let the other stacks forget a further Region whose stack will be deleted.

    The edge's stack exists, with the alarm on the Region's health check.

    Raises:
        ClientError: A call failed.
        CommandError: An update failed.
    """
    remaining = layout.without(region)
    pass_health_checks(remaining, clients)
    # First the edge: no rule refers to a bucket that CloudFront reads.
    copies = {portal_copies.COPIES: "", **_copies(remaining, clients)}
    stacks = (layout.home,) if layout.edge == layout.home else (layout.edge, layout.home)
    for environment in stacks:
        if _exists(environment, clients):
            present = parameters_of(_describe(environment, clients))
            if portal_copies.COPIES in present:
                _update(environment, copies, clients)
    if layout.home.parameter("Domain"):
        _pass_to_further(remaining, clients)


def pass_health_checks(layout: Layout, clients: collector.Clients) -> None:
    """Pass the Regions' health checks to the deployed edge, whose stack has their alarms.

    Raises:
        ClientError: A call failed.
        CommandError: The update failed.
    """
    values = _health_checks(layout, clients) or {HEALTH_CHECKS: ""}
    if HEALTH_CHECKS in parameters_of(_describe(layout.edge, clients)):
        _update(layout.edge, values, clients)


def _pass_to_further(layout: Layout, clients: collector.Clients) -> None:
    """Pass the home's keys and lists of Regions to further Regions, whose APIs CloudFront calls."""
    for further in layout.others:
        if _exists(further, clients):
            values = _outputs(layout.home, SHARED_KEYS, clients) | _mark(layout, further)
            _update(further, values | _further_regions(layout, clients), clients)


def _further_regions(layout: Layout, clients: collector.Clients) -> dict[str, str]:
    """Return the parameter with the further Regions of a layout, in the order of the home's stack.

    The number of a Region in the list is in the paths of its operations.
    """
    present = replicas.deployed(layout.home, clients)
    regions = {it.region for it in layout.others}
    listed = [it for it in present or () if it in regions]
    return {} if present is None else {FURTHER_REGIONS: ",".join(listed)}


def _mark(layout: Layout, further: Environment) -> dict[str, str]:
    """Return the parameter of a further Region with the Region that has its mark."""
    region = layout.mark_region_of(further.region)
    return {MARK_REGION: "none" if region == layout.home.region else region}


def _health_checks(layout: Layout, clients: collector.Clients) -> dict[str, str]:
    """Return the edge's parameter with the health checks of the Regions; empty without any.

    The stack of a home with the edge knows its own check.
    """
    checks = []
    for environment in (layout.home, *layout.others):
        if environment == layout.edge:
            continue
        if _exists(environment, clients):
            check = outputs_of(_describe(environment, clients)).get(HEALTH_CHECK)
            checks += [f"{environment.region}:{check}"] if check else []
    return {HEALTH_CHECKS: ",".join(checks)} if checks else {}


def withdraw_certificate(layout: Layout, clients: collector.Clients) -> None:
    """Let a home without the edge give up the name of the sign-in pages.

    ACM can't delete the edge's certificate while Cognito uses it.

    Raises:
        ClientError: A call failed.
        CommandError: The update failed.
    """
    if layout.home != layout.edge and _exists(layout.home, clients):
        present = parameters_of(_describe(layout.home, clients))
        if CERTIFICATE in present:
            _update(layout.home, {CERTIFICATE: "none"}, clients)


def _kept_sign_in_host(environment: Environment, clients: collector.Clients) -> dict[str, str]:
    """Return the parameter of a home with the edge whose sign-in pages lose their name.

    SAM deploys a parameter without a value with the previous one.
    """
    if not (environment.is_edge and _exists(environment, clients)):
        return {}
    present = parameters_of(_describe(environment, clients)).get(SIGN_IN_HOST, "none")
    if present in ("none", f"auth.{environment.parameter('Domain')}"):
        return {}
    return {SIGN_IN_HOST: "none"}


def _kept_endpoint(environment: Environment, clients: collector.Clients) -> dict[str, str]:
    """Return the parameter of a deployed API with another domain: CloudFront may call its endpoint.

    SAM deploys a parameter without a value with the previous one.
    """
    if not _exists(environment, clients):
        return {}
    present = parameters_of(_describe(environment, clients))
    is_disabled = present.get(ENDPOINT, "enabled") == "disabled"
    has_domain = present.get("Domain", "") == environment.parameter("Domain")
    return {ENDPOINT: "enabled"} if is_disabled and not has_domain else {}


def _update(
    environment: Environment, values: Mapping[str, str], clients: collector.Clients
) -> None:
    """Update the parameters of a stack that differ from `values`."""
    present = parameters_of(_describe(environment, clients))
    changed = {name: it for name, it in values.items() if present.get(name) != it}
    if changed:
        print(f"Passing {', '.join(changed)} to {environment.stack_name}.", flush=True)
        collector.update_parameters(environment, changed, clients)


def _outputs(
    environment: Environment, names: tuple[str, ...], clients: collector.Clients
) -> dict[str, str]:
    """Return outputs of a stack.

    Raises:
        ClientError: CloudFormation refused the call, or the stack doesn't exist.
        CommandError: The stack lacks an output.
    """
    outputs = outputs_of(_describe(environment, clients))
    missing = [name for name in names if name not in outputs and name not in _OPTIONAL]
    if missing:
        raise CommandError(
            f"{environment.stack_name} has no output {', '.join(missing)}. Deploy it again first: "
            f"make deploy PLACE={environment.name}"
        )
    return {name: outputs[name] for name in names if name in outputs}


def _describe(environment: Environment, clients: collector.Clients) -> dict[str, Any]:
    cloudformation = clients("cloudformation", environment.region)
    (stack,) = cloudformation.describe_stacks(StackName=environment.stack_name)["Stacks"]
    description: dict[str, Any] = stack
    return description


def _exists(environment: Environment, clients: collector.Clients) -> bool:
    """Return whether a stack was deployed; a stack without a complete creation has no outputs."""
    if Stacks(clients("cloudformation", environment.region)).status(environment.stack_name) is None:
        return False
    return bool(outputs_of(_describe(environment, clients)))


def _replica_stream(environment: Environment, clients: collector.Clients) -> str:
    """Return the stream of the appointments table's replica in a Region.

    Raises:
        CommandError: The table has no replica with a stream in the Region.
    """
    table = f"meridian-{environment.stage}-appointments"
    dynamodb = clients("dynamodb", environment.region)
    try:
        stream = dynamodb.describe_table(TableName=table)["Table"].get("LatestStreamArn")
    except dynamodb.exceptions.ResourceNotFoundException:
        stream = None
    if not stream:
        raise CommandError(
            f"{table} has no replica with a stream in {environment.region}. Deploy the home Region "
            "first, then wait until the replica is active."
        )
    return str(stream)
