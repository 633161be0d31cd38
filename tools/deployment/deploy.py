"""Deploy an environment of samconfig.toml to AWS, with parameters from other stacks.

samconfig.toml can't contain two parameters of a regional stack: the stream ARN of the Region's
appointments replica, which is not an attribute of any stack, and the ARN of the home Region's user
pool. In the home Region, the portal's pages are uploaded after the deployment has created their
bucket.
"""

import subprocess
import tomllib
from typing import Any

import boto3

from aws_emulator.errors import CommandError
from tools import portal
from tools.paths import BIN, ROOT
from tools.stack import HOME_REGION, DeployedStack, describe_stack_by_name, stack_name


def deploy_parameters(config_env: str) -> dict[str, Any]:
    """Return the deploy parameters of an environment in samconfig.toml.

    Raises:
        CommandError: The environment doesn't exist.
    """
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    names = [name for name, it in config.items() if isinstance(it, dict) and "deploy" in it]
    if config_env not in names:
        raise CommandError(
            f"samconfig.toml has no environment {config_env!r}. Use one of: {', '.join(names)}."
        )
    parameters: dict[str, Any] = config[config_env]["deploy"]["parameters"]
    return parameters


def stage_of(parameters: dict[str, Any]) -> str:
    """Return the stage in the parameter overrides.

    Raises:
        CommandError: The parameter overrides have no stage.
    """
    for override in parameters.get("parameter_overrides", []):
        name, _, value = override.partition("=")
        if name == "Stage":
            return str(value)
    raise CommandError("The environment's parameter_overrides in samconfig.toml have no Stage.")


def replica_stream_arn(region: str, stage: str) -> str:
    """Return the stream ARN of the appointments replica.

    Raises:
        CommandError: The replica has no stream.
    """
    table = f"meridian-{stage}-appointments"
    described = boto3.client("dynamodb", region_name=region).describe_table(TableName=table)
    arn = described["Table"].get("LatestStreamArn")
    if not arn:
        raise CommandError(f"The replica of {table} in {region} has no stream.")
    return arn


def deploy(config_env: str) -> None:
    """Deploy the built application; in the home Region, upload the portal's pages too.

    Raises:
        CommandError: The environment is invalid, or `sam deploy` failed.
    """
    parameters = deploy_parameters(config_env)
    region, stage = str(parameters["region"]), stage_of(parameters)
    command = [str(BIN / "sam"), "deploy", "--config-env", config_env]
    if region != HOME_REGION:
        home = _describe(HOME_REGION, stack_name(stage, HOME_REGION))
        command += ["--parameter-overrides", *parameters["parameter_overrides"]]
        command += [f"AppointmentsStreamArn={replica_stream_arn(region, stage)}"]
        command += [f"UserPoolArn={home.outputs['UserPoolArn']}"]
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        raise CommandError(f"`sam deploy --config-env {config_env}` failed. See its output above.")
    if region == HOME_REGION:
        stack = _describe(region, str(parameters["stack_name"]))
        s3, bucket = boto3.client("s3", region_name=region), stack.outputs["PortalBucket"]
        count = portal.upload_pages(s3, bucket, stack.write_key)
        print(f"Uploaded {count} files to https://{stack.outputs['DistributionDomainName']}/")


def _describe(region: str, name: str) -> DeployedStack:
    return describe_stack_by_name(boto3.client("cloudformation", region_name=region), name)
