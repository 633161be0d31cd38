"""Apply the reserved concurrency and dead-letter queue of a function.

Gap: ReservedConcurrentExecutions and DeadLetterConfig of a function in a template are dropped.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _lambda_create and _lambda_update.
Delete when: get_function_concurrency and get_function_configuration return the template's values.
"""

from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import checked, extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

PROPERTIES: Final = {"AWS::Lambda::Function": {"DeadLetterConfig", "ReservedConcurrentExecutions"}}


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Apply both with Lambda's record and operations in MiniStack."""
    service = Symbols(
        "ministack.services.lambda_svc",
        "_functions",
        "_put_function_concurrency",
        "_delete_function_concurrency",
    )

    reserved_by_template: set[str] = set()

    def apply(name: str, props: dict[str, Any], _attributes: dict[str, Any]) -> None:
        reserved = props.get("ReservedConcurrentExecutions")
        if reserved is not None:
            setting = {"ReservedConcurrentExecutions": int(reserved)}
            checked(service["_put_function_concurrency"](name, setting))
            reserved_by_template.add(name)
        elif name in reserved_by_template:
            # A property that the template never had isn't reset: other callers may have set it.
            checked(service["_delete_function_concurrency"](name))
            reserved_by_template.remove(name)
        config = service["_functions"][name]["config"]
        if props.get("DeadLetterConfig"):
            config["DeadLetterConfig"] = props["DeadLetterConfig"]
        else:
            config.pop("DeadLetterConfig", None)

    extend("AWS::Lambda::Function", apply)
