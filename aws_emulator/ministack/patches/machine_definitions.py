"""A state machine's definition may be YAML.

Gap: CloudFormation takes a definition from S3 as JSON or YAML; MiniStack keeps the YAML, and each
execution ends with "Could not parse state machine definition".
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _sfn_definition.
Delete when: a YAML definition runs.
"""

import json
from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Turn what is no JSON into JSON, after the substitutions."""
    provisioners = Part("ministack.services.cloudformation.provisioners", "_sfn_definition")
    # The parser of MiniStack's own templates.
    loader = Part("ministack.services.cloudformation.engine", "yaml")

    def wrapper(original: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], str]:
        def definition(props: dict[str, Any]) -> str:
            text = original(props)
            if text.lstrip().startswith("{"):
                return text
            return json.dumps(loader["yaml"].safe_load(text))

        return definition

    provisioners.wrap("_sfn_definition", wrapper)
