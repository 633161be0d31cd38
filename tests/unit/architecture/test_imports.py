"""The import rules of the house, read from the code itself."""

import ast
import re
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

SRC = ROOT / "src"
#: Packages that several components share: the wire format, and the adapter for Powertools.
SHARED = {"clickstream", "telemetry"}
#: What a room may import beside itself, the shared record and the standard library.
DEPENDENCIES: dict[str, set[str]] = {
    "clickstream": {"msgspec"},
    "telemetry": {"aws_lambda_powertools"},
    "edge_auth": set(),
    "edge_ingest": {"msgspec"},
    "edge_settings": {"boto3", "botocore"},
    "stream_processor": {
        *("msgspec", "zlib_ng", "pyarrow", "aws_lambda_powertools", "boto3", "botocore"),
    },
    "stepfunctions": {"aws_lambda_powertools", "boto3", "botocore"},
}
#: The one room that reads another's: it must judge settings by the check that will judge them.
SETTINGS_OF = {
    "edge_auth.settings",
    "edge_auth.errors",
    "edge_ingest.settings",
    "edge_ingest.errors",
}
#: Named in annotations only.
STUBS = re.compile(r"mypy_boto3_\w+")


def rooms() -> list[str]:
    return sorted(path.name for path in SRC.iterdir() if any(path.glob("*.py")))


def imports(path: Path) -> set[str]:
    """Return the full dotted names that a file imports, `from a import b` as a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a name comes from"
            assert node.module is not None
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def files(room: str) -> list[Path]:
    return sorted((SRC / room).rglob("*.py"))


@pytest.mark.parametrize("room", rooms())
def test_a_room_imports_itself_the_record_and_what_it_declares(room: str) -> None:
    allowed = {room, *SHARED, *DEPENDENCIES[room], *sys.stdlib_module_names}
    for path in files(room):
        for name in imports(path):
            top = name.partition(".")[0]
            if room == "edge_settings" and any(name.startswith(ok) for ok in SETTINGS_OF):
                continue
            if room == "edge_settings" and name in {"edge_auth.settings", "edge_ingest.settings"}:
                continue
            assert top in allowed or STUBS.fullmatch(top), f"{path.name} imports {name}"


@pytest.mark.parametrize("room", rooms())
def test_inside_a_room_the_arrows_run_one_way(room: str) -> None:
    assert find_cycle(module_graph(room)) is None


def module_graph(component: str, root: Path = SRC) -> dict[str, set[str]]:
    """Return the modules of a component, nested ones included, each with those it imports."""
    paths = {module_name(path, root): path for path in sorted((root / component).rglob("*.py"))}
    return {
        module: {
            target
            for name in imports(path)
            for target in (name, name.rpartition(".")[0])
            if target in paths and target != module
        }
        for module, path in paths.items()
    }


def module_name(path: Path, root: Path = SRC) -> str:
    """Return the dotted name of a file: `a/b.py` is a.b, and `a/__init__.py` is a."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def find_cycle(graph: dict[str, set[str]]) -> str | None:
    """Return one import cycle as text, or None."""
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> str | None:
        if module in above:
            return " -> ".join((*above[above.index(module) :], module))
        if module in done:
            return None
        for target in sorted(graph[module]):
            if (cycle := visit(target, (*above, module))) is not None:
                return cycle
        done.add(module)
        return None

    for module in graph:
        if (cycle := visit(module, ())) is not None:
            return cycle
    return None


def test_cycle_check_finds_cycle_between_modules_of_nested_packages(tmp_path: Path) -> None:
    for name, text in {
        "app/__init__.py": "",
        "app/one/__init__.py": "",
        "app/one/events.py": "from app.two import rows\n",
        "app/two/__init__.py": "",
        "app/two/rows.py": "from app.one.events import handle\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert (
        find_cycle(module_graph("app", tmp_path))
        == "app.one.events -> app.two.rows -> app.one.events"
    )


@pytest.mark.parametrize("room", rooms())
def test_the_bill_of_materials_names_every_room_that_is_imported(room: str) -> None:
    lines = (SRC / "Makefile").read_text().splitlines()
    packages = [line.partition("=")[2].split() for line in lines if "PACKAGES =" in line]
    needed = {
        name.partition(".")[0]
        for path in files(room)
        for name in imports(path)
        if name.partition(".")[0] in rooms()
    } | {room}
    holding = [entries for entries in packages if room in entries]
    assert holding or room in SHARED, f"no function's package holds {room}"
    for entries in holding:
        assert needed <= {entry.partition("/")[0] for entry in entries}


def test_the_emulator_imports_nothing_of_ours_beside_itself() -> None:
    """It runs in an environment that pins botocore; what is not in there must not be needed."""
    allowed = {"aws_emulator", "ministack", "uvicorn", "samtranslator", *sys.stdlib_module_names}
    for path in sorted((ROOT / "aws_emulator" / "ministack").rglob("*.py")):
        for name in imports(path):
            assert name.partition(".")[0] in allowed, f"{path.name} imports {name}"
            assert not name.startswith("aws_emulator.") or name.startswith(
                "aws_emulator.ministack"
            ), name


def test_the_local_parts_know_no_room() -> None:
    for folder in ("aws_emulator", "tools"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tops = {name.partition(".")[0] for name in imports(path)}
            assert not tops & (set(rooms()) - SHARED), f"{path} imports {tops & set(rooms())}"


def test_the_emulator_package_imports_nothing_of_this_project() -> None:
    for path in sorted((ROOT / "aws_emulator").rglob("*.py")):
        tops = {name.partition(".")[0] for name in imports(path)}
        assert not tops & {"tools", "tests", "benchmarks", *rooms()}, path


def test_no_file_is_too_long_to_read_in_one_sitting() -> None:
    for folder in ("src", "aws_emulator", "tools", "benchmarks"):
        paths = sorted((ROOT / folder).rglob("*.py"))
        for path in (path for path in paths if "tests" not in path.parts):
            lines = len(path.read_text().splitlines())
            assert lines <= 400, f"{path.relative_to(ROOT)} has {lines} lines"
