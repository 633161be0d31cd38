"""Accept state machine definitions in YAML.

Gap: CloudFormation accepts a definition in S3 as JSON or YAML. MiniStack stores the YAML, and each
execution ends with "Could not parse state machine definition".
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _sfn_definition.
Delete when: a YAML definition runs.
"""

import json
from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Convert a YAML definition to JSON after the substitutions."""
    provisioners = Symbols("ministack.services.cloudformation.provisioners", "_sfn_definition")
    # The parser that MiniStack uses for templates.
    loader = Symbols("ministack.services.cloudformation.engine", "yaml")

    def wrapper(original: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], str]:
        def definition(props: dict[str, Any]) -> str:
            text = original(props)
            if text.lstrip().startswith("{"):
                return text
            return json.dumps(loader["yaml"].safe_load(text))

        return definition

    provisioners.wrap("_sfn_definition", wrapper)
