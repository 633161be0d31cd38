"""Package changed templates of a deployed stack without a build, and find their nested stacks.

Functions keep the code that is deployed: the package's location comes from the deployed template.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aws_emulator.reload.templates import (
    CODE,
    DEFINITIONS,
    NESTED,
    SourceTemplate,
    TemplateError,
    dump,
    include_parameters,
    load,
    parse,
)

#: Stores a file under a name, and returns its S3 URI.
type Upload = Callable[[str, bytes], str]
#: Function properties whose change needs `sam build`.
_BUILT: Final = ("CodeUri", "Code", "Runtime", "Architectures", "Layers", "PackageType")


class BuildNeededError(Exception):
    """Raised when a template has a function whose package isn't deployed. The text names it."""


@dataclass
class StackNode:
    """A deployed stack with its source template, its deployed document and its nested stacks.

    A `stack` of None isn't deployed yet.
    """

    source: SourceTemplate
    stack: str | None
    deployed: dict[str, Any]
    children: dict[str, "StackNode"] = field(default_factory=dict)

    def all(self) -> Iterator["StackNode"]:
        """Yield this node and all nodes below it."""
        yield self
        for child in self.children.values():
            yield from child.all()

    def files(self) -> set[Path]:
        """Return all templates and the files that they refer to."""
        return {path for node in self.all() for path in node.source.files()}

    def package(self, changed: Collection[Path], upload: Upload) -> "StackNode | None":
        """Return the node with a new packaged document, or None if nothing in it changed.

        Raises:
            TemplateError: A changed template can't be read.
            BuildNeededError: A function needs a build.
        """
        template = load(self.source.path) if self.source.path in changed else self.source
        nested = template.nested()
        children: dict[str, StackNode] = {}
        fresh: dict[str, StackNode] = {}
        for logical_id, path in nested.items():
            known = self.children.get(logical_id)
            if known is None and logical_id in self.source.nested():
                # A condition leaves the nested stack out of this Region.
                continue
            if known is None or known.source.path != path:
                # A new nested stack. It is packaged completely.
                known = StackNode(load(path), None, {})
                packaged = known.package({path}, upload)
            else:
                packaged = known.package(changed, upload)
            children[logical_id] = packaged or known
            if packaged is not None:
                fresh[logical_id] = packaged
        if not fresh and not template.files() & set(changed):
            return None
        document = self._document(template, fresh, upload)
        return StackNode(template, self.stack, document, children)

    def _document(
        self, template: SourceTemplate, fresh: dict[str, "StackNode"], upload: Upload
    ) -> dict[str, Any]:
        # A new copy: the document of `template` keeps the local locations.
        document = load(template.path).document
        deployed = self.deployed.get("Resources") or {}
        for logical_id, resource in (document.get("Resources") or {}).items():
            kind = str(resource.get("Type"))
            properties = resource.get("Properties") or {}
            if kind in CODE and template.code_directory(logical_id) is not None:
                self._check_build(template, logical_id)
                properties[CODE[kind]] = deployed[logical_id]["Properties"][CODE[kind]]
            elif kind in NESTED and logical_id in fresh:
                properties[NESTED[kind]] = upload_document(upload, fresh[logical_id].deployed)
            elif kind in NESTED and logical_id in template.nested():
                properties[NESTED[kind]] = deployed[logical_id]["Properties"][NESTED[kind]]
            elif kind in DEFINITIONS and logical_id in template.definitions():
                path = template.definitions()[logical_id]
                properties[DEFINITIONS[kind]] = upload_file(upload, path)
        for parameters in include_parameters(document):
            if "://" not in parameters["Location"]:
                path = Path(template.path.parent, parameters["Location"]).resolve()
                parameters["Location"] = upload_file(upload, path)
        _remove_shared_code(document)
        return document

    def _check_build(self, template: SourceTemplate, logical_id: str) -> None:
        present = self.deployed.get("Resources") or {}
        if logical_id not in present or logical_id not in self.source.resources:
            raise BuildNeededError(f"{logical_id} is new")
        for name in _BUILT:
            if _property(template, logical_id, name) != _property(self.source, logical_id, name):
                raise BuildNeededError(f"{name} of {logical_id} changed")
        before, after = (it.resources[logical_id].get("Metadata") for it in (self.source, template))
        if before != after:
            raise BuildNeededError(f"Metadata of {logical_id} changed")


def _property(template: SourceTemplate, logical_id: str, name: str) -> Any:
    shared = (template.document.get("Globals") or {}).get("Function") or {}
    return (template.resources[logical_id].get("Properties") or {}).get(name, shared.get(name))


def _remove_shared_code(document: dict[str, Any]) -> None:
    """Remove a local CodeUri of Globals: each function has its own location now."""
    shared = (document.get("Globals") or {}).get("Function") or {}
    value = shared.get("CodeUri")
    if isinstance(value, str) and "://" not in value:
        del shared["CodeUri"]


def upload_document(upload: Upload, document: dict[str, Any]) -> str:
    """Upload a packaged template and return its location."""
    content = dump(document)
    return upload(f"{hashlib.sha256(content).hexdigest()}.template", content)


def upload_file(upload: Upload, path: Path) -> str:
    """Upload a file under a name made of its content and return its location.

    Raises:
        TemplateError: The file can't be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TemplateError(f"{path}: {error.strerror}, but a template refers to it.") from error
    return upload(f"{hashlib.sha256(content).hexdigest()}{path.suffix}", content)


def read_stacks(cloudformation: Any, stack: str, source: SourceTemplate) -> StackNode:
    """Return the node of a deployed stack, with its nested stacks.

    Raises:
        TemplateError: A source template can't be read.
    """
    body = cloudformation.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    deployed = body if isinstance(body, dict) else parse(str(body), source.path).document
    resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    stacks = {it["LogicalResourceId"]: it.get("PhysicalResourceId") for it in resources}
    children = {
        logical_id: read_stacks(cloudformation, str(stacks[logical_id]), load(path))
        for logical_id, path in source.nested().items()
        # A condition may leave a nested stack out of a Region.
        if stacks.get(logical_id)
    }
    return StackNode(source, stack, deployed, children)
