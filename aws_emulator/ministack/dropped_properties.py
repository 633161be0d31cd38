"""List the properties in templates that MiniStack's provisioners ignore.

python -m aws_emulator.ministack.dropped_properties TEMPLATE...

Run it with MiniStack's interpreter. The output is a JSON object: resource type -> property names. A
property counts as ignored if its name does not occur in the source of the type's provisioner, of
the functions that it calls, or of the tables that they mention. Patches may apply it all the same:
see `aws_emulator.ministack.patches.applied_properties`.
"""

import argparse
import copy
import inspect
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from aws_emulator.sam_launcher import use_libyaml, validate_policy_templates_once

os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
# MiniStack derives its loader from PyYAML's when it is imported.
use_libyaml()

from ministack.services.cloudformation import engine, provisioners  # noqa: E402
from samtranslator.translator.transform import transform  # noqa: E402


def used_properties(templates: Iterable[Path]) -> dict[str, set[str]]:
    """Return resource type -> properties of the templates after the SAM transform."""
    by_type: dict[str, set[str]] = {}
    for path in templates:
        template = engine._parse_template(path.read_text())  # noqa: SLF001 - as MiniStack does
        for resource in template["Resources"].values():
            # The translator takes code and definitions from S3 only, as after `sam package`.
            properties = resource.get("Properties", {})
            if resource["Type"] == "AWS::Serverless::Function":
                properties["CodeUri"] = "s3://bucket/key"
            if "DefinitionUri" in properties:
                properties["DefinitionUri"] = "s3://bucket/key"
        template.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
        declared = template.get("Parameters", {})
        parameters = {name: str(it.get("Default", name)) for name, it in declared.items()}
        policies = SimpleNamespace(load=dict)
        transformed = transform(copy.deepcopy(template), parameters, policies)
        for resource in transformed["Resources"].values():
            by_type.setdefault(resource["Type"], set()).update(resource.get("Properties", {}))
    return by_type


def provisioner_source(function: FunctionType, visited: set[FunctionType]) -> str:
    """Return the source of a function, of the functions that it calls, and of their tables."""
    if function in visited:
        return ""
    visited.add(function)
    source = inspect.getsource(function)
    text = [source]
    names = function.__globals__
    for word, _, attribute in re.findall(r"\b(_\w+)(\.(\w+))?", source):
        value = names.get(word)
        if isinstance(value, ModuleType) and attribute:
            value = getattr(value, attribute, None)
        if isinstance(value, FunctionType) and value.__module__.startswith("ministack.services"):
            text.append(provisioner_source(value, visited))
        elif isinstance(value, dict | tuple | list | set | frozenset) and word.isupper():
            text.append(repr(value))
    return "\n".join(text)


def dropped_properties(templates: Iterable[Path]) -> dict[str, list[str]]:
    """Return resource type -> properties whose names do not occur in the provisioner's source."""
    dropped: dict[str, list[str]] = {}
    for resource_type, properties in used_properties(templates).items():
        handlers = provisioners._RESOURCE_HANDLERS  # noqa: SLF001 - there is no public list
        handler: dict[str, Any] = handlers.get(resource_type, {})
        if "create" not in handler:
            continue
        text = provisioner_source(handler["create"], set()).replace("'", '"')
        absent = sorted(name for name in properties if f'"{name}"' not in text)
        if absent:
            dropped[resource_type] = absent
    return dropped


if __name__ == "__main__":
    validate_policy_templates_once()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("template", type=Path, nargs="+")
    print(json.dumps(dropped_properties(parser.parse_args().template)))
