"""Run all checks of an environment and print their findings."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.deployment import catalogue as catalogue_values
from tools.deployment import deployer_actions, recovery
from tools.deployment.built_templates import (
    BUILD,
    fixed_reservations,
    read_built_templates,
    reserved_executions,
)
from tools.deployment.environments import Environment, layout_of
from tools.deployment.leftovers import ExistingResource
from tools.deployment.preflight import catalogue, checks, delegation, user_pool
from tools.deployment.preflight.account import Account, Caller
from tools.deployment.preflight.findings import Finding, Severity, summary
from tools.deployment.stacks import Stacks


def preflight(
    environment: Environment,
    account: Account | None = None,
    build: Path = BUILD,
    *,
    deploys_home: bool = False,
    present: list[ExistingResource] | None = None,
    looks_up_names: bool = True,
) -> list[Finding]:
    """Run the checks, print the findings, and return them.

    Args:
        environment: The environment to check.
        account: The AWS account; by default that of the credentials.
        build: The output folder of `sam build`.
        deploys_home: Whether the same command deploys the home Region first, so that its stack
            need not exist yet.
        present: An empty list, to which the check adds the leftovers that it finds.
        looks_up_names: Whether to look for leftovers and taken names; False after a check.

    Raises:
        CommandError: There are no valid credentials, or the application isn't built.
    """
    account = account or Account(environment.region)
    caller = account.caller()
    print(f"Preflight of {environment.name} ({environment.stack_name}, account {caller.account})")
    findings = []
    present = [] if present is None else present
    skipped = () if looks_up_names else ("leftovers", "fixed names")
    for finding in _findings(environment, account, caller, build, deploys_home, present, skipped):
        print("\n".join(finding.lines()), flush=True)
        findings.append(finding)
    print(summary(findings))
    return findings


def known_leftovers(
    findings: Sequence[Finding], present: list[ExistingResource]
) -> list[ExistingResource] | None:
    """Return the leftovers that the check added to `present`, or None if it couldn't be made."""
    readable = any(
        it.check == "leftovers" and not it.observation.startswith(checks.UNREADABLE)
        for it in findings
    )
    return present if readable else None


def require_no_errors(environment: Environment, findings: Sequence[Finding]) -> None:
    """Stop a deployment that would fail.

    Raises:
        CommandError: At least one finding is an error.
    """
    failed = [it.check for it in findings if it.severity is Severity.ERROR]
    if failed:
        raise CommandError(
            f"The deployment of {environment.name} would fail: {', '.join(failed)}. Follow the "
            f"remedies above, then run `make deploy PLACE={environment.name}` again."
        )


def _findings(
    environment: Environment,
    account: Account,
    caller: Caller,
    build: Path,
    deploys_home: bool,
    present: list[ExistingResource],
    skipped: Sequence[str],
) -> Iterator[Finding]:
    yield checks.check_caller(caller)
    try:
        enabled = account.region_is_enabled()
    except CommandError as error:
        yield checks.check_unreadable("Region", str(error))
    else:
        yield checks.check_region(environment.region, enabled=enabled)
        if not enabled:
            return  # Every other call in the Region would fail.
    parts: list[tuple[str, Callable[[], Any]]] = [
        (
            "stack",
            lambda: [
                checks.check_stack(
                    environment.stack_name,
                    environment.region,
                    account.stack(environment.stack_name),
                )
            ],
        ),
        ("home", lambda: [_home(environment, account)]),
        ("leftovers", lambda: [_leftovers(environment, account, caller, present)]),
        ("fixed names", lambda: [_fixed_names(environment, account, caller)]),
        ("reserved concurrency", lambda: [_reserved(environment, account, build)]),
        ("permissions", lambda: [_permissions(account, caller)]),
        ("domain name", lambda: [_zone(environment, account)]),
    ]
    if environment.parameter("Domain"):
        parts.append(("delegation", lambda: _delegation(environment, account)))
    if catalogue_values.is_wanted(environment):
        parts.append(("course catalogue", lambda: _catalogue(environment, account)))
    if environment.is_edge:
        parts.append(("edge quotas", lambda: [_edge_quotas(account)]))
    if environment.is_home:
        parts += [
            ("sign-in domain", lambda: [_domain(environment, account, caller)]),
            ("email", lambda: _sender(environment, account)),
            ("user pool", lambda: _user_pool(environment, account)),
        ]
    elif not deploys_home:
        parts.append(("home Region", lambda: _regional(environment, account)))
    for check, run in parts:
        if check in skipped:
            continue
        try:
            yield from run()
        except CommandError as error:
            yield checks.check_unreadable(check, str(error))


def _leftovers(
    environment: Environment, account: Account, caller: Caller, present: list[ExistingResource]
) -> Finding:
    try:
        present += recovery.find_leftovers(environment, account.client, caller.account)
    except (ClientError, BotoCoreError) as problem:
        raise CommandError(str(problem)) from problem
    return checks.check_leftovers(present, environment.name)


def _fixed_names(environment: Environment, account: Account, caller: Caller) -> Finding:
    try:
        taken = recovery.find_taken_names(environment, account.client, caller.account)
    except (ClientError, BotoCoreError) as problem:
        raise CommandError(str(problem)) from problem
    return checks.check_fixed_names(taken)


def _reserved(environment: Environment, account: Account, build: Path) -> Finding:
    built = read_built_templates(environment.region, environment.home_region, build)
    needed = reserved_executions(built)
    already = account.reserved_concurrency(f"meridian-{environment.stage}-")
    mode = environment.parameter("ReservedConcurrency")
    quota = account.concurrency()
    # The catalogue's is the only function that reserves executions itself.
    has_catalogue = catalogue_values.is_wanted(environment)
    is_function = has_catalogue and environment.parameter("Compute") == "lambda"
    fixed = fixed_reservations(built) if is_function else 0
    return checks.check_reserved_concurrency(
        environment.region, mode, quota, needed, already, fixed
    )


def _permissions(account: Account, caller: Caller) -> Finding:
    actions = deployer_actions.needed_actions()
    return checks.check_permissions(account.denied_actions(caller.policy_source_arn, actions))


def _edge_quotas(account: Account) -> Finding:
    return checks.check_edge_quotas(
        {region: account.concurrency(region) for region in checks.EDGE_REGIONS}
    )


def _catalogue(environment: Environment, account: Account) -> list[Finding]:
    stack = account.stack(environment.stack_name)
    deployed = stack.parameters if stack else None
    exists = (deployed or {}).get("Catalogue") == "true"
    if exists:
        return catalogue.check_catalogue(environment, deployed, None)
    engine, _ = catalogue.engine_and_version()
    networks, versions = account.networks(), account.database_versions(engine)
    return catalogue.check_catalogue(environment, deployed, networks, versions)


def _domain(environment: Environment, account: Account, caller: Caller) -> Finding:
    # stacks/foundation.yaml names the domain.
    domain = f"meridian-{environment.stage}-{caller.account}"
    stack = account.stack(environment.stack_name)
    own_pool = stack.outputs.get("UserPoolId") if stack else None
    return checks.check_domain(domain, account.domain_owner(domain), own_pool)


def _user_pool(environment: Environment, account: Account) -> list[Finding]:
    wanted = environment.parameter("ExistingUserPoolId")
    stack = account.stack(environment.stack_name)
    deployed = stack.parameters.get("ExistingUserPoolId", "") if stack else ""
    findings = [user_pool.check_change(wanted, deployed, is_deployed=stack is not None)]
    if wanted:
        host = environment.parameter("ExistingSignInHost")
        names = [it for it in environment.parameter("IdentityProviders").split(",") if it]
        findings += user_pool.check_user_pool(
            wanted, account.user_pool(wanted), host, environment.stage, environment.region, names
        )
    return findings


def _zone(environment: Environment, account: Account) -> Finding:
    domain, zone_id = environment.parameter("Domain"), environment.parameter("HostedZoneId")
    zone = account.zone(zone_id) if domain and zone_id else None
    existing = _existing_records(environment, account, domain, zone_id) if zone else []
    return checks.check_zone(domain, zone_id, zone.name if zone else None, existing)


def _delegation(environment: Environment, account: Account) -> list[Finding]:
    stack = account.stack(environment.stack_name)
    deployed = stack.parameters.get("Domain", "") if stack else ""
    findings = [checks.check_domain_change(environment.parameter("Domain"), deployed)]
    zone = account.zone(environment.parameter("HostedZoneId"))
    if zone:
        answering = delegation.name_servers(zone.name, delegation.resolvers())
        findings.append(checks.check_delegation(zone, answering))
    return findings


def _existing_records(
    environment: Environment, account: Account, domain: str, zone_id: str
) -> list[str]:
    """Return the records of the environment's stack that exist without it.

    Raises:
        CommandError: AWS refused a call.
    """
    region = environment.region
    wanted = {f"A {domain}": "DomainIPv4", f"AAAA {domain}": "DomainIPv6"}
    wanted = wanted if environment.is_edge else {}
    if environment.is_serving:
        wanted |= {
            f"A {region}.api.{domain}": "OwnRecord",
            f"A global-api.{domain} ({region})": "SharedRecord",
        }
    if environment.is_home:
        wanted[f"A auth.{domain}"] = "SignInRecord"
    names = {it.split()[1] for it in wanted}
    try:
        stacks = Stacks(account.client("cloudformation", region))
        owned = {name for _, name in stacks.owned(environment.stack_name)}
    except (ClientError, BotoCoreError) as problem:
        raise CommandError(str(problem)) from problem
    # A name with a CNAME has no other record, and one with a latency record no simple one.
    wanted |= dict.fromkeys([f"CNAME {it}" for it in names], "")
    wanted.setdefault(f"A global-api.{domain}", "")
    existing = account.records(zone_id, sorted(names))
    return [it for it in existing if it in wanted and wanted[it] not in owned]


def _sender(environment: Environment, account: Account) -> list[Finding]:
    address = environment.parameter("Sender")
    return checks.check_sender(address, account.sender(address), environment.region)


def _regional(environment: Environment, account: Account) -> list[Finding]:
    home = layout_of(environment).home
    return checks.check_regional_prerequisites(
        environment,
        account.stack(home.stack_name, home.region),
        account.replica_stream_arn(f"meridian-{environment.stage}-appointments"),
    )


def _home(environment: Environment, account: Account) -> Finding:
    layout = layout_of(environment)
    stacks = {
        it.stack_name: account.stack(it.stack_name, it.region)
        for it in (*layout.in_order(), environment)
    }
    return checks.check_home(environment, {name: it for name, it in stacks.items() if it})
