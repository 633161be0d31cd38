"""Print, for each type of our templates, the properties that MiniStack's provisioner never names.

Run by the emulator's interpreter: `python named_properties.py <root>`. A property whose name does
not occur in the source of the provisioner, of what that calls, or of their tables, is dropped.
"""

import copy
import inspect
import json
import os
import re
import sys
from pathlib import Path
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

os.environ["AWS_DEFAULT_REGION"] = "us-east-1"

from ministack.services.cloudformation import engine, provisioners
from samtranslator.translator.transform import transform


def used(root: Path) -> dict[str, set[str]]:
    """Type -> properties, in our templates after SAM's transform."""
    found: dict[str, set[str]] = {}
    for path in [root / "template.yaml", *sorted((root / "stacks").glob("*.yaml"))]:
        template = engine._parse_template(path.read_text())
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Serverless::Function":
                resource["Properties"]["CodeUri"] = "s3://bucket/key"
            if "DefinitionUri" in resource["Properties"]:
                resource["Properties"]["DefinitionUri"] = "s3://bucket/key"
        template.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
        loader = SimpleNamespace(load=dict)
        for resource in transform(copy.deepcopy(template), {}, loader)["Resources"].values():
            found.setdefault(resource["Type"], set()).update(resource.get("Properties", {}))
    return found


def source(function: FunctionType, seen: set[FunctionType]) -> str:
    """The source of a function and of all that it mentions, with the tables that it mentions."""
    if function in seen:
        return ""
    seen.add(function)
    own = inspect.getsource(function)
    text = [own]
    names = function.__globals__
    for word, _, attribute in re.findall(r"\b(_\w+)(\.(\w+))?", own):
        value = names.get(word)
        if isinstance(value, ModuleType) and attribute:
            value = getattr(value, attribute, None)
        if isinstance(value, FunctionType) and value.__module__.startswith("ministack.services"):
            text.append(source(value, seen))
        elif isinstance(value, dict | tuple | list | set | frozenset) and word.isupper():
            text.append(repr(value))
    return "\n".join(text)


def dropped(root: Path) -> dict[str, list[str]]:
    """Type -> properties that no source names."""
    missing: dict[str, list[str]] = {}
    for resource_type, properties in used(root).items():
        handler: dict[str, Any] = provisioners._RESOURCE_HANDLERS.get(resource_type, {})
        if "create" not in handler:
            continue
        text = source(handler["create"], set())
        absent = sorted(name for name in properties if f'"{name}"' not in text.replace("'", '"'))
        if absent:
            missing[resource_type] = absent
    return missing


if __name__ == "__main__":
    print(json.dumps(dropped(Path(sys.argv[1]))))
