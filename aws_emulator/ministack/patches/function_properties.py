"""A function gets its reserved concurrency and dead-letter queue.

Gap: ReservedConcurrentExecutions and DeadLetterConfig of a function in a template are dropped.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _lambda_create and _lambda_update.
Delete when: get_function_concurrency and get_function_configuration show what the template says.
"""

from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.provisioning import checked, extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

PROPERTIES = {"AWS::Lambda::Function": {"DeadLetterConfig", "ReservedConcurrentExecutions"}}


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Apply both through Lambda's own record and call."""
    service = Part(
        "ministack.services.lambda_svc",
        "_functions",
        "_put_function_concurrency",
        "_delete_function_concurrency",
    )

    def apply(name: str, props: dict[str, Any], _attributes: dict[str, Any]) -> None:
        reserved = props.get("ReservedConcurrentExecutions")
        if reserved is None:
            checked(service["_delete_function_concurrency"](name))
        else:
            setting = {"ReservedConcurrentExecutions": int(reserved)}
            checked(service["_put_function_concurrency"](name, setting))
        config = service["_functions"][name]["config"]
        if props.get("DeadLetterConfig"):
            config["DeadLetterConfig"] = props["DeadLetterConfig"]
        else:
            config.pop("DeadLetterConfig", None)

    extend("AWS::Lambda::Function", apply)
