"""`make deploy PLACE=…`: one place of samconfig.toml, to AWS, with what only AWS can tell.

Two things cannot stand in a file. Outside the home region, the stream of the replica of the
appointments table has an ARN that is no attribute of any stack: it is looked up, and the ARN of the
user pool is asked of the home region's stack. And the portal's
pages are files, which CloudFormation does not carry: they are uploaded once their bucket exists.
"""

import argparse
import subprocess
import sys
import tomllib
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools import seed
from tools.dev.system import HOME_REGION
from tools.sam import BIN, ROOT


def settings_of(place: str) -> dict[str, Any]:
    """Return the deploy parameters of a place in samconfig.toml. Raises CommandError."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    places = [name for name, it in config.items() if isinstance(it, dict) and "deploy" in it]
    if place not in places:
        raise CommandError(
            f"samconfig.toml has no place {place!r}. Its places: {', '.join(places)}."
        )
    parameters: dict[str, Any] = config[place]["deploy"]["parameters"]
    return parameters


def stage_of(parameters: dict[str, Any]) -> str:
    """Return the stage that a place's parameter overrides name."""
    for override in parameters.get("parameter_overrides", []):
        name, _, value = override.partition("=")
        if name == "Stage":
            return str(value)
    raise CommandError("The place's parameter_overrides in samconfig.toml do not name a Stage.")


def replica_stream(region: str, stage: str) -> str:
    """Return the ARN of the stream of the appointments table's replica in `region`."""
    table = f"meridian-{stage}-appointments"
    described = boto3.client("dynamodb", region_name=region).describe_table(TableName=table)
    arn = described["Table"].get("LatestStreamArn")
    if not arn:
        raise CommandError(f"The replica of {table} in {region} has no stream.")
    return arn


def deploy(place: str) -> None:
    """Deploy what `sam build` made to a place, then upload the portal's pages if it is home."""
    parameters = settings_of(place)
    region, stage = str(parameters["region"]), stage_of(parameters)
    command = [str(BIN / "sam"), "deploy", "--config-env", place]
    if region != HOME_REGION:
        stream = replica_stream(region, stage)
        command += ["--parameter-overrides", *parameters["parameter_overrides"]]
        pool = _deployed(HOME_REGION, f"meridian-{stage}-{HOME_REGION}").outputs["UserPoolArn"]
        command += [f"AppointmentsStreamArn={stream}", f"UserPoolArn={pool}"]
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        raise CommandError(f"`sam deploy` to {place} failed; its own words stand above.")
    if region == HOME_REGION:
        found = _deployed(region, str(parameters["stack_name"]))
        s3, bucket = boto3.client("s3", region_name=region), found.outputs["PortalBucket"]
        count = seed.upload_portal(s3, bucket, found.write_key)
        print(f"✓ {count} files at https://{found.outputs['DistributionDomainName']}/")


def _deployed(region: str, stack: str) -> seed.Deployed:
    return seed.deployed(boto3.client("cloudformation", region_name=region), stack)


def main() -> int:
    """Deploy one place; return an exit code. A CommandError is one sentence on standard error."""
    parser = argparse.ArgumentParser(prog="python -m tools.deploy", description=__doc__)
    parser.add_argument("place", help="an environment of samconfig.toml: default, london, mumbai")
    place = parser.parse_args().place
    try:
        deploy(place)
    except CommandError as error:
        print(f"meridian: {error}", file=sys.stderr)
        return 1
    except (ClientError, BotoCoreError) as error:
        print(f"meridian: AWS refuses: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
