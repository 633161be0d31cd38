"""The project's part of `make dev`."""

import dis
import marshal
from pathlib import Path
from types import CodeType

import pytest

from aws_emulator.reload.function_packages import FunctionPackage
from aws_emulator.reload.reloader import BUILD_INPUTS, Kind, classify
from aws_emulator.reload.templates import load
from tools.dev import reload
from tools.paths import ROOT

MODULE = b'''"""Text."""
x: int = 1


def f() -> int:
    """Text."""
    assert x
    return x
'''


def package(logical_id: str, *folders: str) -> FunctionPackage:
    """Return a package with the files of folders in src/ that src/Makefile does not exclude."""
    source = ROOT / "src"
    names = frozenset(
        path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()
    )
    packed = {
        name
        for name in names
        if name.split("/")[0] in folders and not name.endswith((".yaml", "requirements.txt"))
    }
    return FunctionPackage(logical_id, source, frozenset(packed), names)


PACKAGES = [
    package("EdgeAuthFunction", "edge_auth"),
    package("EventsFunction", "stream_processor", "clickstream", "telemetry"),
    package("ValidateFunction", "stepfunctions", "telemetry"),
]


@pytest.fixture(scope="module")
def templates() -> set[Path]:
    """Return the files of the templates, with the files that they include."""
    stacks = list((ROOT / "stacks").glob("*.yaml"))
    included = (load(template).files() for template in stacks)
    return {*reload.sources().files, *stacks}.union(*included)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("src/edge_auth/viewer_request.py", Kind.CODE),
        ("src/edge_auth/new_module.py", Kind.CODE),
        ("src/telemetry/__init__.py", Kind.CODE),
        ("src/stepfunctions/new_module.py", Kind.CODE),
        ("src/stepfunctions/account.asl.yaml", Kind.TEMPLATE),
        ("src/stepfunctions/api/live.yaml", Kind.TEMPLATE),
        ("stacks/school.yaml", Kind.TEMPLATE),
        ("template.yaml", Kind.TEMPLATE),
        ("src/Makefile", Kind.BUILD),
        ("src/bytecode.py", Kind.BUILD),
        ("src/prune-stream-table.txt", Kind.BUILD),
        ("src/stepfunctions/requirements.txt", Kind.BUILD),
        ("src/stepfunctions/notify-requirements.txt", Kind.BUILD),
        ("web/public/index.html", Kind.PAGE),
        ("src/notes.md", Kind.UNUSED),
        ("stacks/notes.md", Kind.UNUSED),
    ],
)
def test_changed_file_has_kind(name: str, kind: Kind, templates: set[Path]) -> None:
    inputs = (*BUILD_INPUTS, *reload.PROJECT_BUILD_INPUTS)
    assert classify(ROOT / name, PACKAGES, templates, [ROOT / "web"], inputs) == kind


def test_sources_are_the_folders_that_are_deployed() -> None:
    project_sources = reload.sources()
    assert project_sources.folders == (ROOT / "src", ROOT / "stacks", ROOT / "web")
    assert project_sources.files == (ROOT / "template.yaml",)


def test_bytecode_of_edge_function_is_compiled_as_in_the_build_with_line_numbers() -> None:
    compilers = reload.bytecode_compilers()
    assert set(compilers) == {"EdgeAuthFunction"}
    code = marshal.loads(compilers["EdgeAuthFunction"](MODULE, "edge_auth/a.py")[16:])
    assert isinstance(code, CodeType)
    assert code.co_filename == "edge_auth/a.py"
    (inner,) = [it for it in code.co_consts if isinstance(it, CodeType)]
    assert b"Text" not in marshal.dumps(code)
    # Without the assertion on line 7.
    assert {line for _, line in dis.findlinestarts(inner)} == {5, 8}


@pytest.mark.slow
def test_every_function_of_the_build_can_be_found() -> None:
    functions = {
        name
        for path in (ROOT / "stacks").glob("*.yaml")
        for name in load(Path(path)).resources
        if load(Path(path)).code_directory(name) is not None
    }
    makefile = (ROOT / "src" / "Makefile").read_text()
    assert functions == {name for name in functions if f"build-{name}:" in makefile}
    assert functions
