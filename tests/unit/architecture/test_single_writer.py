"""`object_writer` is the only module that builds and writes objects of the lake.

Python can hide a call from a test that reads the source. Therefore `object_writer.create` also
checks each object at run time (tests/unit/stream_processor/test_object_writer.py).
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.unit.architecture.test_imports import SRC, module_name
from tools.syntax import parsed

OBJECT_WRITER: Final = "stream_processor.storage.object_writer"
FILES: Final = sorted((SRC / "stream_processor").rglob("*.py"))
#: Types that only `object_writer` instantiates. Other modules use them in annotations.
LAKE_OBJECT_TYPES: Final = {"ObjectSummary", "PendingObject"}
#: The module that parses the summary of an existing object.
PARSERS: Final = {("stream_processor.storage.lake_keys", "ObjectSummary.parse")}
#: Methods of `Bucket` and of boto3's S3 client that write an object.
WRITES: Final = {
    *(
        "create",
        "overwrite",
        "put_object",
        "copy_object",
        "upload_file",
        "upload_fileobj",
        "upload_part",
    ),
    *("create_multipart_upload", "complete_multipart_upload"),
}
#: References to these names outside `object_writer`, by module; "*" is every module.
ALLOWED_WRITES: Final = {
    ("*", "object_writer.create"),
    ("stream_processor.erasure.erase", "object_writer.overwrite"),
    ("stream_processor.reprocessing.reprocess_day", "object_writer.overwrite"),
    ("stream_processor.commit.protocol", "log.create"),  # a pending object, not a bucket
    ("stream_processor.storage.s3", "self._s3.put_object"),
}
#: Each of these copies a summary with other counts.
COPYING_MODULES: Final = {"copy", "dataclasses"}
COPYING_IMPORTS: Final = {"dataclasses.replace", "dataclasses.*"}


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_only_object_writer_builds_and_writes_lake_objects(path: Path) -> None:
    assert bypasses(path.read_text(), module_name(path)) == []


def bypasses(text: str, module: str) -> list[str]:
    """Return the code that could build or write a lake object without `object_writer`."""
    if module == OBJECT_WRITER:
        return []
    tree = parsed(text)
    typed = {id(node) for annotation in annotations(tree) for node in ast.walk(annotation)}
    typed |= {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and (module, ast.unparse(node)) in PARSERS
    }
    return [
        f"{module}:{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt | ast.expr)
        and (copies_or_renames(node) or writes(node, module) or names_type(node, typed))
    ]


def annotations(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield the annotations of arguments, results and variables."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.arg(annotation=ast.expr() as annotation)
                | ast.AnnAssign(annotation=annotation)
                | ast.FunctionDef(returns=ast.expr() as annotation)
            ):
                yield annotation


def copies_or_renames(node: ast.AST) -> bool:
    """Return whether a node imports a copying function, or a type or the writer as another name."""
    match node:
        case ast.Import(names=names):
            return bool({alias.name for alias in names} & COPYING_MODULES)
        case ast.ImportFrom(module="copy"):
            return True
        case ast.ImportFrom(module=str(module), names=names):
            return any(
                f"{module}.{alias.name}" in COPYING_IMPORTS
                or (alias.name in LAKE_OBJECT_TYPES and alias.asname is not None)
                or (
                    (alias.asname or alias.name) == "object_writer"
                    and f"{module}.{alias.name}" != OBJECT_WRITER
                )
                for alias in names
            )
        case ast.Name(id="object_writer", ctx=ast.Store()):
            return True
        case ast.Attribute(attr="__replace__") | ast.Constant(value="__replace__"):
            return True
    return False


def writes(node: ast.AST, module: str) -> bool:
    """Return whether a node refers to a method that writes, by attribute or by a text."""
    match node:
        case ast.Attribute(attr=name) | ast.Constant(value=str(name)) if name in WRITES:
            reference = ast.unparse(node)
            return not {("*", reference), (module, reference)} & ALLOWED_WRITES
    return False


def names_type(node: ast.AST, typed: set[int]) -> bool:
    """Return whether a node uses a lake object's type as a value: calls, stores or passes it."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in LAKE_OBJECT_TYPES:
            return id(node) not in typed
    return False


@pytest.mark.parametrize(
    "text",
    [
        "import dataclasses\nwrong = dataclasses.replace(summary, good=9)",
        "import dataclasses as d",
        "from dataclasses import replace",
        "from dataclasses import replace as changed",
        "from dataclasses import *",
        "import copy\nwrong = copy.replace(summary, good=9)",
        "from copy import replace",
        "wrong = summary.__replace__(good=9)",
        "from stream_processor.storage.lake_types import ObjectSummary as Summary",
        "from stream_processor.storage import lake_types\nlake_types.ObjectSummary(1, 2)",
        "Summary = ObjectSummary",
        "PendingObject[None](summary, body, digest, None)",
        "make = partial(PendingObject, summary)",
        "ObjectSummary.parse({'good': '9'})",
        "objects.create(key, body, {'good': '9'})",
        "partial(bucket.create, key, body, {'good': '9'})",
        "write = self._app.lake.create",
        "getattr(bucket, 'create')(key, body, {})",
        "s3.put_object(Bucket=bucket, Key=key)",
        "client().copy_object(Bucket=bucket)",
        "object_writer = bucket\nobject_writer.create(key, body, {})",
        "from x import bucket as object_writer",
    ],
)
def test_bypass_of_object_writer_is_found(text: str) -> None:
    assert bypasses(text, "stream_processor.repair.sample")


@pytest.mark.parametrize(
    "text",
    [
        "from dataclasses import dataclass, field",
        "def build(rows: list[int]) -> PendingObject[None]: ...",
        "objects: dict[str, ObjectSummary] = field(default_factory=dict)",
        "object_writer.create(bucket, key, pending)",
        "text.replace('a', 'b')",
    ],
)
def test_permitted_use_of_lake_objects_passes(text: str) -> None:
    assert bypasses(text, "stream_processor.repair.sample") == []
