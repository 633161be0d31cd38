"""The key of the suppressed persons' fingerprints."""

import os

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from collector_sources.errors import SuppressionKeyError


def suppression_key() -> str:
    """Return the secret that keys the fingerprints of suppressed persons.

    The deployment of the edge creates it in us-east-1 and adds it to the collector's settings.

    Raises:
        SuppressionKeyError: The parameter can't be read.
    """
    name = os.environ["SUPPRESSION_KEY_NAME"]
    try:
        parameter = boto3.client("ssm", region_name="us-east-1").get_parameter(
            Name=name, WithDecryption=True
        )["Parameter"]
    except (ClientError, BotoCoreError) as error:
        raise SuppressionKeyError(
            f"Can't read the parameter {name} in us-east-1: {error}. Nothing was changed. Deploy "
            "the edge first, or try again."
        ) from error
    return str(parameter["Value"]).partition(":")[2]
