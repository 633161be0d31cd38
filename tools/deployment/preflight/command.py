"""Run all checks of an environment and print their findings."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.deployment import deployer_actions, recovery
from tools.deployment.built_templates import BUILD, read_built_templates, reserved_executions
from tools.deployment.environments import Environment, environments_of_stage
from tools.deployment.preflight import checks
from tools.deployment.preflight.account import Account, Caller
from tools.deployment.preflight.findings import Finding, Severity, summary
from tools.stack import HOME_REGION, stack_name


def preflight(
    environment: Environment, account: Account | None = None, build: Path = BUILD
) -> list[Finding]:
    """Run the checks, print the findings, and return them.

    Raises:
        CommandError: There are no valid credentials, or the application isn't built.
    """
    account = account or Account(environment.region)
    caller = account.caller()
    print(f"Preflight of {environment.name} ({environment.stack_name}, account {caller.account})")
    findings = []
    for finding in _findings(environment, account, caller, build):
        print("\n".join(finding.lines()), flush=True)
        findings.append(finding)
    print(summary(findings))
    return findings


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
    environment: Environment, account: Account, caller: Caller, build: Path
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
                checks.check_stack(environment.stack_name, account.stack(environment.stack_name))
            ],
        ),
        ("leftovers", lambda: [_leftovers(environment, account, caller)]),
        ("reserved concurrency", lambda: [_reserved(environment, account, build)]),
        ("permissions", lambda: [_permissions(account, caller)]),
    ]
    if environment.is_home:
        parts += [
            ("edge quotas", lambda: [_edge_quotas(account)]),
            ("sign-in domain", lambda: [_domain(environment, account, caller)]),
            ("email", lambda: _sender(environment, account)),
        ]
    else:
        parts.append(("home Region", lambda: _regional(environment, account)))
    for check, run in parts:
        try:
            yield from run()
        except CommandError as error:
            yield checks.check_unreadable(check, str(error))


def _leftovers(environment: Environment, account: Account, caller: Caller) -> Finding:
    try:
        present = recovery.find_leftovers(environment, account.client, caller.account)
    except (ClientError, BotoCoreError) as problem:
        raise CommandError(str(problem)) from problem
    return checks.check_leftovers(present)


def _reserved(environment: Environment, account: Account, build: Path) -> Finding:
    needed = reserved_executions(read_built_templates(home=environment.is_home, build=build))
    already = account.reserved_concurrency(f"meridian-{environment.stage}-")
    mode = environment.parameter("ReservedConcurrency")
    quota = account.concurrency()
    return checks.check_reserved_concurrency(environment.region, mode, quota, needed, already)


def _permissions(account: Account, caller: Caller) -> Finding:
    actions = deployer_actions.needed_actions()
    return checks.check_permissions(account.denied_actions(caller.policy_source_arn, actions))


def _edge_quotas(account: Account) -> Finding:
    return checks.check_edge_quotas(
        {region: account.concurrency(region) for region in checks.EDGE_REGIONS}
    )


def _domain(environment: Environment, account: Account, caller: Caller) -> Finding:
    # stacks/foundation.yaml names the domain.
    domain = f"meridian-{environment.stage}-{caller.account}"
    stack = account.stack(environment.stack_name)
    own_pool = stack.outputs.get("UserPoolId") if stack else None
    return checks.check_domain(domain, account.domain_owner(domain), own_pool)


def _sender(environment: Environment, account: Account) -> list[Finding]:
    address = environment.parameter("Sender")
    return checks.check_sender(address, account.sender(address), environment.region)


def _regional(environment: Environment, account: Account) -> list[Finding]:
    home = next((it for it in environments_of_stage(environment.stage) if it.is_home), None)
    name = home.stack_name if home else stack_name(environment.stage, HOME_REGION)
    return checks.check_regional_prerequisites(
        environment,
        account.stack(name, HOME_REGION),
        account.replica_stream_arn(f"meridian-{environment.stage}-appointments"),
    )
