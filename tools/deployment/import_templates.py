"""Build the templates with which CloudFormation imports leftovers of an earlier stack. Pure.

CloudFormation imports resources into a stack whose template contains nothing else that is new, and
nests an existing stack without nested stacks into a root ("Import AWS resources into a
CloudFormation stack", "Nesting an existing stack"). So each nested stack of the root with leftovers
is created by an import, and the root imports it. `adoption` makes the calls.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from tools.deployment.environments import Environment
from tools.deployment.leftovers import ACCOUNTS_TABLE, ExistingResource, is_replicated
from tools.deployment.templates import load
from tools.paths import ROOT

#: Type -> the key of its identifier (CloudFormation, "Resource type support").
IDENTIFIERS: Final = {
    "AWS::Cognito::UserPool": "UserPoolId",
    "AWS::DynamoDB::GlobalTable": "TableName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Kinesis::Stream": "Name",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueUrl",
}
#: Parameters of the root that the tools read from a deployed stack.
ROOT_PARAMETERS: Final = ("Stage", "HomeRegion", "ReplicaRegions", "AccountsReplicaRegions")
#: A resource without cost, so that the root exists before it imports the nested stacks.
HANDLE: Final = "Adoption"
_POOL: Final = "AWS::Cognito::UserPool"
_GROUP: Final = "AWS::Cognito::UserPoolGroup"
_NESTED: Final = "AWS::CloudFormation::Stack"
_RETAINED: Final = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}


@dataclass(frozen=True)
class NestedImport:
    """A nested stack that an import creates."""

    logical_id: str
    template: Mapping[str, Any]
    parameters: Mapping[str, str]
    #: The field ResourcesToImport of CreateChangeSet.
    resources: Sequence[Mapping[str, Any]]


@cache
def nested_stacks() -> dict[str, str]:
    """Return template -> logical ID of the root's own nested stacks, as in "stacks/stream.yaml"."""
    resources = load(ROOT / "template.yaml")["Resources"]
    return {
        str(it["Properties"]["Location"]): logical_id
        for logical_id, it in resources.items()
        if it["Type"] == "AWS::Serverless::Application"
    }


def nested_imports(
    environment: Environment,
    account: str,
    leftovers: Iterable[ExistingResource],
    groups: Mapping[str, set[str]],
) -> list[NestedImport]:
    """Return the imports of leftovers that can be adopted, one for each nested stack.

    Args:
        environment: The environment of the root stack.
        account: The account's ID.
        leftovers: Resources without an obstacle.
        groups: The ID of each user pool -> the names of its groups.
    """
    by_template: dict[str, list[ExistingResource]] = {}
    for leftover in leftovers:
        by_template.setdefault(leftover.resource.template, []).append(leftover)
    adopted = [it for of_stack in by_template.values() for it in of_stack]
    values = root_values(environment, account, adopted)
    return [
        _nested_import(path, of_stack, values, groups)
        for path, of_stack in sorted(by_template.items())
    ]


def root_values(
    environment: Environment, account: str, adopted: Sequence[ExistingResource]
) -> dict[str, str]:
    """Return the values of the root's parameters and of the pseudo parameters.

    Those of the replicas come from the adopted tables; `leftovers` refuses different Regions.
    """
    replicas = [it.replicas for it in adopted if is_replicated(it)]
    accounts = [it.replicas for it in adopted if it.resource.logical_id == ACCOUNTS_TABLE]
    return {
        **environment.defaults,
        **environment.overrides,
        "Stage": environment.stage,
        "HomeRegion": environment.home_region,
        "ReplicaRegions": _longest(replicas),
        "AccountsReplicaRegions": _longest(accounts),
        "AWS::Region": environment.region,
        "AWS::AccountId": account,
    }


def _longest(lists: list[tuple[str, ...]]) -> str:
    """Return the longest list of Regions as a parameter, "" without a list."""
    longest = max(lists, key=len, default=())
    return ",".join(longest)


def root_template(urls: Mapping[str, str], nested: Sequence[NestedImport]) -> dict[str, Any]:
    """Return the root's template with the nested stacks of `urls`, logical ID -> TemplateURL."""
    resources: dict[str, Any] = {HANDLE: {"Type": "AWS::CloudFormation::WaitConditionHandle"}}
    for stack in nested:
        properties = {"TemplateURL": urls[stack.logical_id], "Parameters": dict(stack.parameters)}
        resources[stack.logical_id] = {"Type": _NESTED, **_RETAINED, "Properties": properties}
    parameters = {name: {"Type": "String"} for name in ROOT_PARAMETERS}
    return {"Parameters": parameters, "Resources": resources}


def nested_identifier(nested: NestedImport, stack_id: str) -> dict[str, Any]:
    """Return the item of ResourcesToImport for a nested stack."""
    return _item(_NESTED, nested.logical_id, {"StackId": stack_id})


def _nested_import(
    path: str,
    leftovers: Sequence[ExistingResource],
    values: Mapping[str, str],
    groups: Mapping[str, set[str]],
) -> NestedImport:
    template, logical_id = load(ROOT / path), nested_stacks()[path]
    parent = load(ROOT / "template.yaml")["Resources"][logical_id]["Properties"]
    known = {}
    for name, expression in parent.get("Parameters", {}).items():
        value = resolve(expression, values)
        if isinstance(value, str) and name in template["Parameters"]:
            known[name] = value
    items = []
    for leftover in leftovers:
        kind, name = leftover.resource.type, leftover.resource.logical_id
        physical_id = leftover.physical_id
        items.append(_item(kind, name, {IDENTIFIERS[kind]: physical_id}))
        if kind == _POOL:
            items += _groups(template, name, physical_id, groups.get(physical_id, set()))
    wanted = {it["LogicalResourceId"] for it in items}
    return NestedImport(logical_id, import_template(template, wanted, set(known)), known, items)


def _groups(
    template: Mapping[str, Any], pool: str, pool_id: str, existing: set[str]
) -> list[dict[str, Any]]:
    """Return the items for the groups of a user pool that the template has."""
    return [
        _item(
            _GROUP,
            logical_id,
            {"UserPoolId": pool_id, "GroupName": it["Properties"]["GroupName"]},
        )
        for logical_id, it in template["Resources"].items()
        if it["Type"] == _GROUP
        and it["Properties"]["UserPoolId"] == {"Ref": pool}
        and it["Properties"]["GroupName"] in existing
    ]


def import_template(
    template: Mapping[str, Any], wanted: set[str], known: set[str]
) -> dict[str, Any]:
    """Return a template with only the resources to import.

    A property that refers to something else is left out. The next update adds it: `make deploy`
    makes one after the import.

    Args:
        template: The template of a nested stack, with intrinsic functions in their long form.
        wanted: The logical IDs of the resources to import.
        known: The parameters that the root can give a value.
    """
    parameters = {
        name: it
        for name, it in template.get("Parameters", {}).items()
        if name in known or "Default" in it
    }
    names = wanted | set(parameters)
    conditions: dict[str, Any] = {}
    # A condition may refer to a later one.
    for _ in template.get("Conditions", {}):
        conditions = {
            name: it
            for name, it in template["Conditions"].items()
            if references(it) <= names | set(conditions)
        }
    names |= set(conditions)
    resources = {}
    for name in sorted(wanted):
        resource = template["Resources"][name]
        properties = {
            key: value
            for key, value in resource.get("Properties", {}).items()
            if references(value) <= names
        }
        resources[name] = {"Type": resource["Type"], **_RETAINED, "Properties": properties}
    parts = {"Parameters": parameters, "Conditions": conditions}
    return {key: it for key, it in parts.items() if it} | {"Resources": resources}


def references(value: Any) -> set[str]:
    """Return the parameters, resources and conditions to which a value refers."""
    if isinstance(value, list):
        return {name for it in value for name in references(it)}
    if not isinstance(value, Mapping):
        return set()
    names: set[str] = set()
    for key, operand in value.items():
        if key in ("Ref", "Condition") and isinstance(operand, str):
            names.add(operand)
        elif key == "Fn::GetAtt":
            names.add(operand[0] if isinstance(operand, list) else operand.partition(".")[0])
        elif key == "Fn::Sub":
            text, local = operand if isinstance(operand, list) else (operand, {})
            variables = {it.partition(".")[0] for it in re.findall(r"\$\{([^}!]+)\}", text)}
            names |= variables - set(local) | references(local)
        elif key == "Fn::If":
            names |= {operand[0]} | references(operand[1:])
        else:
            names |= references(operand)
    return {name for name in names if not name.startswith("AWS::")}


def resolve(expression: Any, values: Mapping[str, str]) -> str | list[str] | None:
    """Return the value of an expression, or None if it depends on something unknown.

    Args:
        expression: A literal, Ref, Fn::Sub without values of its own, Fn::Select or Fn::Split.
        values: The values of parameters and pseudo parameters.
    """
    if not isinstance(expression, Mapping):
        return str(expression)
    ((function, operand),) = expression.items()
    if function == "Ref":
        return values.get(str(operand))
    if function == "Fn::Sub" and isinstance(operand, str):
        names = re.findall(r"\$\{([^}!]+)\}", operand)
        if any(name not in values for name in names):
            return None
        return re.sub(r"\$\{([^}!]+)\}", lambda match: values[match[1]], operand)
    if function == "Fn::Split":
        text = resolve(operand[1], values)
        return text.split(str(operand[0])) if isinstance(text, str) else None
    if function == "Fn::Select":
        parts = resolve(operand[1], values)
        return parts[int(operand[0])] if isinstance(parts, list) else None
    return None


def _item(kind: str, logical_id: str, identifier: Mapping[str, str]) -> dict[str, Any]:
    return {
        "ResourceType": kind,
        "LogicalResourceId": logical_id,
        "ResourceIdentifier": dict(identifier),
    }
