"""Read CloudFormation and SAM templates with the line of each resource."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from aws_emulator.errors import CommandError

#: Properties with the location of a nested stack's template, by resource type.
NESTED: Final = {
    "AWS::Serverless::Application": "Location",
    "AWS::CloudFormation::Stack": "TemplateURL",
}
#: Properties with the location of a function's code.
CODE: Final = {"AWS::Serverless::Function": "CodeUri", "AWS::Lambda::Function": "Code"}
#: Properties with the location of another file, which is uploaded unchanged.
DEFINITIONS: Final = {
    "AWS::Serverless::Api": "DefinitionUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}
#: CloudFormation's names of short forms without the prefix "Fn::".
_UNPREFIXED: Final = frozenset({"Ref", "Condition"})


class TemplateError(CommandError):
    """Raised when a template can't be read. The text has the file and the line."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # by name
    """Read short forms such as !Ref as CloudFormation does, and dates as text."""


def _short_form(loader: Any, name: str, node: yaml.Node) -> dict[str, Any]:
    key = name if name in _UNPREFIXED else f"Fn::{name}"
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if name == "GetAtt":
            value = str(value).split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {key: value}


_Loader.add_multi_constructor("!", _short_form)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_yaml_str)


@dataclass(frozen=True)
class SourceTemplate:
    """A template's document, and the line of each resource by logical ID."""

    path: Path
    document: dict[str, Any]
    lines: dict[str, int] = field(default_factory=dict)

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources by logical ID."""
        return {
            name: it
            for name, it in (self.document.get("Resources") or {}).items()
            if isinstance(it, dict)
        }

    def code_directory(self, logical_id: str) -> Path | None:
        """Return the folder of a function's code, or None if it isn't local."""
        resource = self.resources[logical_id]
        name = CODE.get(str(resource.get("Type")))
        if name is None:
            return None
        shared = (self.document.get("Globals") or {}).get("Function") or {}
        value = (resource.get("Properties") or {}).get(name, shared.get(name))
        return self._local(value)

    def nested(self) -> dict[str, Path]:
        """Return the local templates of nested stacks by logical ID."""
        return self._paths(NESTED)

    def definitions(self) -> dict[str, Path]:
        """Return the local definition files by logical ID."""
        return self._paths(DEFINITIONS)

    def includes(self) -> list[Path]:
        """Return the local files that AWS::Include inserts."""
        paths = [self._local(it["Location"]) for it in include_parameters(self.document)]
        return [it for it in paths if it is not None]

    def files(self) -> set[Path]:
        """Return the template and the files that it refers to, without nested templates."""
        return {self.path, *self.definitions().values(), *self.includes()}

    def _paths(self, properties: dict[str, str]) -> dict[str, Path]:
        paths = {}
        for name, resource in self.resources.items():
            property_name = properties.get(str(resource.get("Type")))
            value = (resource.get("Properties") or {}).get(property_name)
            if (path := self._local(value)) is not None:
                paths[name] = path
        return paths

    def _local(self, value: object) -> Path | None:
        if not isinstance(value, str) or "://" in value:
            return None
        return Path(self.path.parent, value).resolve()


def include_parameters(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the parameters of each AWS::Include transform in a document, to read or change."""
    if isinstance(value, dict):
        transform = value.get("Fn::Transform")
        if isinstance(transform, dict) and transform.get("Name") == "AWS::Include":
            parameters = transform.get("Parameters")
            if isinstance(parameters, dict) and isinstance(parameters.get("Location"), str):
                yield parameters
        for nested in value.values():
            yield from include_parameters(nested)
    elif isinstance(value, list):
        for nested in value:
            yield from include_parameters(nested)


def load(path: Path) -> SourceTemplate:
    """Read a template.

    Raises:
        TemplateError: The file is missing or isn't valid YAML.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"Can't read {path}: {error}.") from error
    return parse(text, path)


def parse(text: str, path: Path) -> SourceTemplate:
    """Parse a template in YAML or JSON; `path` is for messages and relative locations.

    Raises:
        TemplateError: The text isn't valid YAML, or isn't a mapping.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        document = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f":{mark.line + 1}:{mark.column + 1}"
        raise TemplateError(f"{path}{line}: {error.problem or 'invalid YAML'}.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise TemplateError(f"{path}: {error}.") from error
    finally:
        loader.dispose()
    if not isinstance(document, dict):
        raise TemplateError(f"{path}:1: the document is not a CloudFormation template.")
    return SourceTemplate(path, document, _resource_lines(node))


def _resource_lines(node: yaml.MappingNode) -> dict[str, int]:
    for key, value in node.value:
        if key.value == "Resources" and isinstance(value, yaml.MappingNode):
            return {name.value: name.start_mark.line + 1 for name, _ in value.value}
    return {}


def dump(document: dict[str, Any]) -> bytes:
    """Return a document as a template in JSON. Equal documents give equal bytes."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False).encode()
