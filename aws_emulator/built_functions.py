"""The Lambda functions in the output of `sam build`, with the properties that a start needs.

`aws_emulator.invoke` runs a function that `find_function` returns.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from aws_emulator.errors import CommandError

#: The defaults of AWS::Lambda::Function.
DEFAULT_MEMORY_MB: Final = 128
DEFAULT_TIMEOUT_S: Final = 3
#: Properties with the location of a nested stack's template, by resource type.
_NESTED: Final = {
    "AWS::Serverless::Application": "Location",
    "AWS::CloudFormation::Stack": "TemplateURL",
}
_FUNCTION_TYPES: Final = {"AWS::Serverless::Function": "CodeUri", "AWS::Lambda::Function": "Code"}


@dataclass(frozen=True)
class BuiltFunction:
    """A function of the build output. `directory` is its unpacked package.

    `environment` has the variables whose value in the template is a literal. `unresolved` names
    the others, whose value is known only after a deployment.
    """

    logical_id: str
    directory: Path
    handler: str
    runtime: str
    memory_mb: int = DEFAULT_MEMORY_MB
    timeout_s: int = DEFAULT_TIMEOUT_S
    environment: Mapping[str, str] = field(default_factory=dict)
    unresolved: tuple[str, ...] = ()


def find_function(build: Path, logical_id: str) -> BuiltFunction:
    """Return a function of the build output, also from a nested stack.

    Raises:
        CommandError: The folder has no build output, or no such function.
    """
    functions = {it.logical_id: it for it in built_functions(build)}
    if logical_id not in functions:
        available = ", ".join(sorted(functions)) or "none"
        raise CommandError(
            f"{build} contains no function {logical_id!r}. Its functions: {available}."
        )
    return functions[logical_id]


def built_functions(build: Path) -> list[BuiltFunction]:
    """Return all functions with a package in the build output, in template order.

    Raises:
        CommandError: A template is missing or invalid.
    """
    return [
        _function(logical_id, resource, template)
        for template in templates(build / "template.yaml")
        for logical_id, resource in template.resources.items()
        if resource.get("Type") in _FUNCTION_TYPES and _package(resource, template) is not None
    ]


@dataclass(frozen=True)
class Template:
    """A template of the build output: its path and its parsed document."""

    path: Path
    document: Mapping[str, Any]

    @property
    def resources(self) -> Mapping[str, dict[str, Any]]:
        """The resources by logical ID."""
        return self.document.get("Resources") or {}


def templates(path: Path) -> Iterator[Template]:
    """Yield a template of the build output and its nested templates.

    Raises:
        CommandError: A template is missing or invalid.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise CommandError(f"{path} does not exist. Run `sam build` first.") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise CommandError(f"Can't read {path}: {error}. Run `sam build` again.") from error
    if not isinstance(document, dict):
        raise CommandError(f"{path} is not a CloudFormation template. Run `sam build` again.")
    template = Template(path, document)
    yield template
    for resource in template.resources.values():
        location = (resource.get("Properties") or {}).get(_NESTED.get(resource.get("Type", "")))
        # A template in Amazon S3 or in the Serverless Application Repository has no build output.
        if isinstance(location, str) and "://" not in location:
            yield from templates(path.parent / location)


def _package(resource: Mapping[str, Any], template: Template) -> Path | None:
    location = (resource.get("Properties") or {}).get(_FUNCTION_TYPES[resource["Type"]])
    if not isinstance(location, str) or "://" in location:
        return None
    return template.path.parent / location


def _function(logical_id: str, resource: Mapping[str, Any], template: Template) -> BuiltFunction:
    shared = ((template.document.get("Globals") or {}).get("Function")) or {}
    own = resource["Properties"]
    properties = {**shared, **own}
    directory = _package(resource, template)
    assert directory is not None
    variables = {
        **((shared.get("Environment") or {}).get("Variables") or {}),
        **((own.get("Environment") or {}).get("Variables") or {}),
    }
    literal = {name: _text(it) for name, it in variables.items() if not isinstance(it, dict | list)}
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return BuiltFunction(
        logical_id,
        directory,
        handler=str(properties.get("Handler", "")),
        runtime=str(properties.get("Runtime", version)),
        memory_mb=_number(properties.get("MemorySize"), DEFAULT_MEMORY_MB),
        timeout_s=_number(properties.get("Timeout"), DEFAULT_TIMEOUT_S),
        environment=literal,
        unresolved=tuple(name for name in variables if name not in literal),
    )


def _text(value: object) -> str:
    """Return a scalar as CloudFormation passes it: booleans in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: object, default: int) -> int:
    # A property may be an intrinsic function, such as Ref.
    try:
        return int(str(value))
    except ValueError:
        return default
