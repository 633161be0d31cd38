"""Find a stack's deployed functions, with those of its nested stacks."""

from typing import Any, Final

_FUNCTION: Final = "AWS::Lambda::Function"
_STACK: Final = "AWS::CloudFormation::Stack"


def function_names(cloudformation: Any, stack: str) -> dict[str, str]:
    """Return the function names of a stack and its nested stacks by logical ID."""
    names: dict[str, str] = {}
    resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    for resource in resources:
        physical = str(resource.get("PhysicalResourceId") or "")
        if resource["ResourceType"] == _FUNCTION and physical:
            names[str(resource["LogicalResourceId"])] = physical
        elif resource["ResourceType"] == _STACK and physical:
            names |= function_names(cloudformation, physical)
    return names
