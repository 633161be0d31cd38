"""Deploy an environment to AWS, with parameters from other stacks.

samconfig.toml can't contain the parameters that come from stacks of other Regions: see
`region_values`. In the home Region, the portal's pages are uploaded after the deployment has
created their bucket.
"""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Final

import boto3

from aws_emulator import stack_failures
from aws_emulator.errors import CommandError
from tools import portal
from tools.deployment import (
    catalogue,
    database_authorities,
    recovery,
    region_values,
    replicas,
)
from tools.deployment.built_templates import BUILD
from tools.deployment.environments import Environment, layout_of
from tools.deployment.leftovers import ExistingResource
from tools.deployment.preflight.account import Account
from tools.deployment.preflight.command import known_leftovers, preflight, require_no_errors
from tools.lake_sql import job_package
from tools.paths import BIN, ROOT
from tools.stack import DeployedStack, describe_stack_by_name

#: Parameters that get their default again when samconfig.toml no longer has them. `make deploy`
#: keeps or passes the values of other parameters itself, or another value would lose something.
CONFIGURED: Final = (
    *("AdoptedRegion", "Catalogue", "CatalogueImage", "CatalogueWriter", "Compute", "Domain"),
    *("HostedZoneId", "Readers"),
    *("IdentityProviders", "KafkaClusterArn"),
    *("KafkaTopics", "MonthlyBudgetUsd", "OperatorEmail", "PortalUrl", "Sender", "SenderIdentity"),
    "SparkJobs",
)


def deploy_all(environments: Sequence[Environment]) -> None:
    """Check all environments, then deploy one after another.

    Raises:
        CommandError: A check found an error, or a deployment failed.
    """
    known: dict[str, list[ExistingResource] | None] = {}
    if len(environments) > 1:
        deploys_home = any(it.is_home for it in environments)
        for environment in environments:
            present: list[ExistingResource] = []
            findings = preflight(environment, deploys_home=deploys_home, present=present)
            require_no_errors(environment, findings)
            known[environment.name] = known_leftovers(findings, present)
    for environment in environments:
        deploy(environment, leftovers=known.get(environment.name))


def deploy(
    environment: Environment,
    *,
    check: bool = True,
    leftovers: list[ExistingResource] | None = None,
) -> None:
    """Deploy the built application; in the home Region, upload the portal's pages too.

    The tables of a deployed home get the replicas that they lack, and the accounts table loses
    those of an earlier version, one after the other. Afterwards
    the collector writes to the Region, and the stage's other stacks have its values.

    A stack whose creation failed is deleted first, with empty resources that it left behind. Those
    with data become part of the new stack.

    Args:
        environment: The stack to deploy.
        check: Whether to run the preflight checks first.
        leftovers: What a check of all environments found, so that this one doesn't look again.

    Raises:
        CommandError: A check found an error, a leftover can't be adopted, `sam deploy` failed, or
            the Region's stream has no consumer.
    """
    if check:
        present: list[ExistingResource] = []
        looks_up_names = leftovers is None
        findings = preflight(environment, present=present, looks_up_names=looks_up_names)
        require_no_errors(environment, findings)
        leftovers = known_leftovers(findings, present) if looks_up_names else leftovers
    account = Account(environment.region)
    recovery.prepare(environment, account.client, account.caller().account, leftovers)
    if catalogue.is_wanted(environment):
        database_authorities.install(BUILD, environment.region)
    started = time.monotonic()
    command = [str(BIN / "sam"), "deploy", "--config-env", environment.settings]
    command += ["--region", environment.region, "--stack-name", environment.stack_name]
    if os.environ.get("SERVICE_ROLE_ARN"):
        # pipeline/deployer.yaml: CloudFormation acts with this role instead of the caller's rights.
        command += ["--role-arn", os.environ["SERVICE_ROLE_ARN"]]
    layout = layout_of(environment)
    overrides = dict(environment.overrides)
    overrides |= region_values.needed_values(environment, layout, account.client)
    overrides |= sender_identity(environment, account)
    if os.environ.get("BOUNDARY_ARN"):
        overrides["PermissionsBoundary"] = os.environ["BOUNDARY_ARN"]
    command += ["--parameter-overrides", *parameter_overrides(overrides)]
    command += removed_parameters(environment, account, overrides)
    run_sam_deploy(command, environment, account)
    stack = describe(environment.region, environment.stack_name)
    print(alarm_notice(stack.outputs["AlarmRecipient"], environment.name))
    if environment.is_home:
        replicas.remove_accounts(environment, account.client)
        replicas.add_missing(environment, account.client)
        s3 = boto3.client("s3", region_name=environment.region)
        # In the order of the numbers in the paths of the operators' operations.
        further = replicas.deployed(environment, account.client) or []
        regions = [environment.region, *further]
        bucket = stack.outputs["PortalBucket"]
        domain = environment.parameter("Domain")
        origin = f"https://{domain}" if domain else ""
        count = portal.upload_pages(s3, bucket, stack.write_key, regions, origin=origin)
        print(f"Uploaded {count} files to s3://{stack.outputs['PortalBucket']}/")
    jobs = job_package.upload(boto3.client("s3", region_name=environment.region), stack.outputs)
    if jobs:
        print(f"Uploaded {jobs} files of the Spark jobs to s3://{stack.outputs['LakeBucket']}/")
    region_values.pass_on(environment, layout, account.client)
    if environment.is_edge:
        print(f"The portal is at https://{stack.outputs['DistributionDomainName']}/")
    print(f"Deployed {environment.name} in {time.monotonic() - started:.0f} s.")


def run_sam_deploy(command: Sequence[str], environment: Environment, account: Account) -> None:
    """Run `sam deploy`, and name the resource that failed, also in a nested stack.

    Raises:
        CommandError: `sam deploy` failed.
    """
    cloudformation = account.client("cloudformation", environment.region)
    before = stack_failures.newest_event(cloudformation, environment.stack_name)
    if subprocess.run(command, cwd=ROOT, check=False).returncode == 0:
        return
    causes = stack_failures.causes(cloudformation, environment.stack_name, before)
    for cause in causes[1:]:
        print(f"Also failed: {cause}")
    if causes:
        raise CommandError(
            f"The deployment of {environment.name} failed at {causes[0]}. Solve the cause and run "
            f"`make deploy PLACE={environment.name}` again."
        )
    raise CommandError(
        f"`sam deploy --config-env {environment.settings}` failed; its output is above. Solve "
        f"the cause and run `make deploy PLACE={environment.name}` again."
    )


def sender_identity(environment: Environment, account: Account) -> dict[str, str]:
    """Return the parameter with the identity of the sender that Amazon SES has verified.

    Cognito refuses an address of which only the domain is verified: its SourceArn must be the
    verified identity.

    Raises:
        CommandError: AWS refused a call.
    """
    address = environment.parameter("Sender")
    if not (environment.is_home and address):
        return {}
    identity = account.sender(address).verified_identity
    return {"SenderIdentity": identity} if identity else {}


def removed_parameters(
    environment: Environment, account: Account, overrides: Mapping[str, str]
) -> list[str]:
    """Return the arguments that reset parameters whose values samconfig.toml no longer has.

    SAM would deploy them with their previous values.

    Raises:
        CommandError: AWS refused a call.
    """
    stack = account.stack(environment.stack_name)
    deployed = stack.parameters if stack else {}
    defaults = {it: environment.defaults.get(it, "") for it in CONFIGURED if not overrides.get(it)}
    changed = (it for it in defaults.items() if deployed.get(it[0], it[1]) != it[1])
    return [f'{name}="{default}"' for name, default in changed]


def parameter_overrides(overrides: Mapping[str, str]) -> list[str]:
    """Return the arguments of `sam deploy` for parameters.

    SAM deploys a parameter without an argument with its previous value, or its default.
    """
    return [_override(name, value) for name, value in overrides.items() if value]


def _override(name: str, value: str) -> str:
    """Return a parameter as `sam deploy` reads it: JSON, for example, needs quotation marks."""
    if '"' not in value:
        return f"{name}={value}"
    escaped = value.replace('"', r"\"")
    return f'{name}="{escaped}"'


def alarm_notice(recipient: str, environment: str) -> str:
    """Return one line that says which address receives the alarms of an environment, if any."""
    if "@" in recipient:
        return (
            f"Alarms go to {recipient}, once the owner of the address has confirmed each "
            "subscription by email."
        )
    return (
        "No address receives the alarms of this deployment. Add OperatorEmail=<address> to the "
        f"parameter_overrides of {environment} in samconfig.toml and deploy again."
    )


def describe(region: str, name: str) -> DeployedStack:
    """Read a deployed stack."""
    return describe_stack_by_name(boto3.client("cloudformation", region_name=region), name)
