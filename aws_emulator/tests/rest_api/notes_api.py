"""The notes API of the tests, parsed."""

from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from aws_emulator.rest_api import definition
from aws_emulator.rest_api.model import Definition

ACCOUNT: Final = "123456789012"
POOL_ARN: Final = f"arn:aws:cognito-idp:us-east-1:{ACCOUNT}:userpool/us-east-1_Notes"
ROLE_ARN: Final = f"arn:aws:iam::{ACCOUNT}:role/api"


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    loaded = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
    assert isinstance(loaded, dict)
    return loaded


@cache
def api() -> Definition:
    """Return the parsed definition."""
    return definition.parse(document())
