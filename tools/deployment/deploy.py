"""Deploy an environment to AWS, with parameters from other stacks.

samconfig.toml can't contain two parameters of a regional stack: the stream ARN of the Region's
appointments replica, which is not an attribute of any stack, and the ARN of the home Region's user
pool. In the home Region, the portal's pages are uploaded after the deployment has created their
bucket.
"""

import os
import subprocess
import time

import boto3

from aws_emulator.errors import CommandError
from tools import portal
from tools.deployment import collector, recovery
from tools.deployment.environments import Environment, edge_environment
from tools.deployment.preflight.account import Account
from tools.deployment.preflight.command import preflight, require_no_errors
from tools.paths import BIN, ROOT
from tools.stack import HOME_REGION, DeployedStack, describe_stack_by_name, stack_name


def deploy(environment: Environment, *, check: bool = True) -> None:
    """Deploy the built application; in the home Region, upload the portal's pages too.

    Afterwards the collector writes to the Region.

    A stack whose creation failed is deleted first, with empty resources that it left behind.

    Args:
        environment: The stack to deploy.
        check: Whether to run the preflight checks first.

    Raises:
        CommandError: A check found an error, an earlier stack left data behind, `sam deploy`
            failed, or the Region's stream has no consumer.
    """
    if check:
        require_no_errors(environment, preflight(environment))
    account = Account(environment.region)
    recovery.prepare(environment, account.client, account.caller().account)
    started = time.monotonic()
    command = [str(BIN / "sam"), "deploy", "--config-env", environment.name]
    if os.environ.get("SERVICE_ROLE_ARN"):
        # pipeline/deployer.yaml: CloudFormation acts with this role instead of the caller's rights.
        command += ["--role-arn", os.environ["SERVICE_ROLE_ARN"]]
    overrides = dict(environment.overrides)
    if not environment.is_home:
        overrides |= _regional_overrides(environment)
    if os.environ.get("BOUNDARY_ARN"):
        overrides["PermissionsBoundary"] = os.environ["BOUNDARY_ARN"]
    command += ["--parameter-overrides", *(f"{name}={it}" for name, it in overrides.items())]
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        raise CommandError(
            f"`sam deploy --config-env {environment.name}` failed; its output is above. Solve the "
            f"cause and run `make deploy PLACE={environment.name}` again."
        )
    stack = describe(environment.region, environment.stack_name)
    print(alarm_notice(stack.outputs["AlarmRecipient"], environment.name))
    if environment.is_home:
        s3 = boto3.client("s3", region_name=environment.region)
        count = portal.upload_pages(s3, stack.outputs["PortalBucket"], stack.write_key)
        print(f"Uploaded {count} files to https://{stack.outputs['DistributionDomainName']}/")
    else:
        edge = edge_environment(environment.stage)
        collector.add_region(edge, environment, account.client)
    print(f"Deployed {environment.name} in {time.monotonic() - started:.0f} s.")


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


def _regional_overrides(environment: Environment) -> dict[str, str]:
    """Return the parameters that come from the home Region's stack and the table's replica.

    Raises:
        CommandError: The table has no replica in the Region.
    """
    home = describe(HOME_REGION, stack_name(environment.stage, HOME_REGION))
    table = f"meridian-{environment.stage}-appointments"
    stream = Account(environment.region).replica_stream_arn(table)
    if stream is None:
        raise CommandError(
            f"{table} has no replica with a stream in {environment.region}. Deploy the home Region "
            "first, then wait until the replica is active."
        )
    return {"AppointmentsStreamArn": stream, "UserPoolArn": home.outputs["UserPoolArn"]}
