"""Import global tables, streams and stacks into a stack.

Gap: a change set of type IMPORT can't be executed if it has an AWS::DynamoDB::GlobalTable, an
AWS::Kinesis::Stream or an AWS::CloudFormation::Stack.
Seen in: ministack 1.5.33, cloudformation/changesets.py, _IMPORT_LOOKUPS.
Delete when: a stack imports the three types, and refuses a stack that AWS refuses to nest.

"The nested AWS::CloudFormation::Stack definition in the parent stack template matches the actual
nested stack's template", its tags match those of the stack, and "you can't import a stack into a
child stack or import a stack that has children" (CloudFormation, "Nesting an existing stack").
"""

from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_CLOUDFORMATION: Final = "ministack.services.cloudformation"
_NESTED: Final = "AWS::CloudFormation::Stack"
_TABLE: Final = "AWS::DynamoDB::Table"
_GLOBAL_TABLE: Final = "AWS::DynamoDB::GlobalTable"
_STREAM: Final = "AWS::Kinesis::Stream"


class _Nesting:
    """Decides which stacks can be nested."""

    def __init__(self) -> None:
        self._package = Symbols(_CLOUDFORMATION, "_stacks")
        self._engine = Symbols(f"{_CLOUDFORMATION}.engine", "_parse_template")
        self._helpers = Symbols(f"{_CLOUDFORMATION}.helpers", "_resolve_template")

    def find(self, stack_id: str) -> dict[str, Any] | None:
        """Return a stack of the request's account and Region that isn't deleted."""
        for stack in self._package["_stacks"].values():
            if stack["StackId"] == stack_id and stack["StackStatus"] != "DELETE_COMPLETE":
                return dict(stack)
        return None

    def missing(self, stack_id: str) -> str | None:
        """Return the reason why an import of an unknown stack fails, or None."""
        return None if self.find(stack_id) else f"Stack with id {stack_id} does not exist"

    def read(self, identifier: dict[str, str]) -> tuple[str, dict[str, str]]:
        """Return the physical ID and the attributes of an imported stack."""
        stack_id = identifier["StackId"]
        outputs = (self.find(stack_id) or {}).get("Outputs", [])
        return stack_id, {f"Outputs.{it['OutputKey']}": it["OutputValue"] for it in outputs}

    def check(self, definition: dict[str, Any], stack_id: str) -> None:
        """Check that a stack equals its definition in the parent, and has no nested stacks.

        Raises:
            ValueError: CloudFormation refuses the import.
        """
        stack = self.find(stack_id)
        if stack is None:
            return  # The change set fails with the reason of `missing`.
        if any(it["ResourceType"] == _NESTED for it in stack["_resources"].values()):
            raise ValueError(f"Stack {stack['StackName']} has nested stacks and can't be imported.")
        properties = definition.get("Properties", {})
        body, error = self._helpers["_resolve_template"](
            {"TemplateURL": [properties.get("TemplateURL", "")]}
        )
        if error is not None or self._engine["_parse_template"](body) != stack["_template"]:
            raise ValueError(f"TemplateURL isn't the template of the stack {stack['StackName']}.")
        tags = [{it["Key"]: it["Value"]} for it in properties.get("Tags", [])]
        if tags != [{it["Key"]: it["Value"]} for it in stack.get("Tags", [])]:
            raise ValueError(f"Tags aren't those of the stack {stack['StackName']}.")


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Register the lookups and the handlers, and check stacks that are nested."""
    nesting = _Nesting()
    handlers = Symbols(f"{_CLOUDFORMATION}.provisioners", "_RESOURCE_HANDLERS")
    table: dict[str, dict[str, Any]] = handlers["_RESOURCE_HANDLERS"]
    changesets = Symbols(f"{_CLOUDFORMATION}.changesets", "_IMPORT_LOOKUPS", "_import_changes")
    lookups = changesets["_IMPORT_LOOKUPS"]
    streams = Symbols("ministack.services.kinesis", "_streams")

    def missing_stream(name: str) -> str | None:
        return None if name in streams["_streams"] else f"Stream {name} not found."

    def read_stream(identifier: dict[str, str]) -> tuple[str, dict[str, str]]:
        name = identifier["Name"]
        return name, {"Arn": streams["_streams"][name]["StreamARN"]}

    lookups[_GLOBAL_TABLE] = lookups[_TABLE]
    table[_GLOBAL_TABLE]["import"] = table[_TABLE]["import"]
    lookups[_STREAM] = (("Name",), missing_stream)
    table[_STREAM]["import"] = read_stream
    lookups[_NESTED] = (("StackId",), nesting.missing)
    table[_NESTED]["import"] = nesting.read
    changesets.wrap("_import_changes", lambda original: _checked(original, nesting))


def _checked(original: Callable[..., Any], nesting: _Nesting) -> Callable[..., Any]:
    def import_changes(resources: list[dict[str, Any]], template: Any, diff: Any) -> Any:
        changes = original(resources, template, diff)
        for entry in resources:
            if entry["ResourceType"] == _NESTED:
                definition = template["Resources"][entry["LogicalResourceId"]]
                nesting.check(definition, entry["ResourceIdentifier"]["StackId"])
        return changes

    return import_changes
