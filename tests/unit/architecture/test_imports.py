"""Import rules: dependencies of each package, no cycles, and the length of files and templates."""

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tools.syntax import nodes

SRC = ROOT / "src"
#: Packages that several components share: the wire format, the responses to CloudFormation, the
#: group of the staff, and the Powertools adapter.
SHARED = {"clickstream", "custom_resource", "staff", "telemetry"}
#: The dependencies of each package, besides itself, the shared packages and the standard library.
DEPENDENCIES: dict[str, set[str]] = {
    "bookings": {"boto3", "botocore"},
    # The staff's tokens are verified with edge_auth's code.
    "catalogue": {"edge_auth", "pg8000", "valkey", "boto3", "botocore"},
    "clickstream": {"msgspec"},
    "custom_resource": set(),
    "reserved_concurrency": {"boto3", "botocore"},
    "telemetry": {"aws_lambda_powertools"},
    "edge_auth": {"signed_snapshot"},
    "collector_sources": {"edge_ingest", "signed_snapshot", "boto3", "botocore"},
    "edge_ingest": {"edge_auth", "msgspec", "signed_snapshot"},
    "edge_settings": {"boto3", "botocore"},
    "edge_logs": {"boto3", "botocore"},
    "entitlements": {"boto3", "botocore"},
    # The ids of a roster's requests, and the keys of its objects.
    "office": {"stepfunctions", "boto3", "botocore"},
    "media": {"edge_auth", "signed_snapshot", "boto3", "botocore"},
    "sign_ups": {"boto3", "botocore"},
    "revocations": {"signed_snapshot", "boto3", "botocore"},
    # The edge reads a snapshot with edge_auth's verification of signatures.
    "signed_snapshot": {"edge_auth", "boto3", "botocore"},
    "staff": set(),
    "stream_processor": {
        *("msgspec", "zlib_ng", "pyarrow", "aws_lambda_powertools", "boto3", "botocore"),
        *("pyiceberg", "signed_snapshot"),
    },
    "stepfunctions": {"aws_lambda_powertools", "boto3", "botocore", "icalendar", "idna"},
}
#: The dependencies of the packages outside src, besides themselves and the standard library.
TOOL_DEPENDENCIES: dict[str, set[str]] = {
    "aws_emulator": {
        *("airspeed", "boto3", "botocore", "cryptography", "dnslib", "httptools", "httpx"),
        *(
            "fido2",
            "jsonschema",
            "jwt",
            "ministack",
            "psutil",
            "samcli",
            "samtranslator",
            "uvicorn",
            "uvloop",
            "watchfiles",
            "yaml",
        ),
    },
    "tools": {
        *("aws_emulator", "clickstream", "boto3", "botocore", "duckdb", "psutil", "rich"),
        # The watcher of a local primary keeps a connection.
        "pg8000",
        *("dnslib", "markdown_it", "plotly", "samtranslator", "yaml"),
    },
}
#: edge_settings validates settings with the code of the functions that will read them.
SETTINGS_MODULES = {
    "edge_auth.settings",
    "edge_auth.rule_settings",
    "edge_auth.errors",
    "edge_ingest.settings",
    "edge_ingest.errors",
}
MAX_TEMPLATE_LINES = 400
#: Type stubs, which only annotations use.
STUBS = re.compile(r"mypy_boto3_\w+")


@cache
def components() -> list[str]:
    return sorted(path.name for path in SRC.iterdir() if any(path.glob("*.py")))


@cache
def imports(path: Path) -> frozenset[str]:
    """Return the full dotted names that a file imports, `from a import b` as a.b."""
    dotted_names: set[str] = set()
    for node in nodes(path.read_text()):
        if isinstance(node, ast.Import):
            dotted_names |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a name comes from"
            assert node.module is not None
            dotted_names |= {f"{node.module}.{name.name}" for name in node.names}
    return frozenset(dotted_names)


def files(component: str) -> list[Path]:
    return sorted((SRC / component).rglob("*.py"))


@pytest.mark.parametrize("component", components())
def test_component_imports_only_its_declared_dependencies(component: str) -> None:
    allowed = {component, *SHARED, *DEPENDENCIES[component], *sys.stdlib_module_names}
    for path in files(component):
        for name in imports(path):
            top = name.partition(".")[0]
            if component == "edge_settings" and name.startswith(tuple(SETTINGS_MODULES)):
                continue
            assert top in allowed or STUBS.fullmatch(top), f"{path.name} imports {name}"


@pytest.mark.parametrize("component", components())
def test_component_has_no_import_cycle(component: str) -> None:
    assert find_cycle(module_graph(component)) is None


@pytest.mark.parametrize("package", sorted(TOOL_DEPENDENCIES))
def test_tool_package_imports_only_its_declared_dependencies(package: str) -> None:
    allowed = {package, *TOOL_DEPENDENCIES[package], *sys.stdlib_module_names}
    for path in sorted((ROOT / package).rglob("*.py")):
        if "tests" in path.relative_to(ROOT).parts:
            continue
        for name in imports(path):
            top = name.partition(".")[0]
            assert top in allowed or STUBS.fullmatch(top), f"{path} imports {name}"


@pytest.mark.parametrize("package", ["aws_emulator", "tools", "benchmarks", "tests"])
def test_package_outside_src_has_no_import_cycle(package: str) -> None:
    assert find_cycle(module_graph(package, ROOT)) is None


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


@pytest.mark.slow
@pytest.mark.parametrize("component", components())
def test_package_list_contains_each_imported_component(component: str) -> None:
    lines = (SRC / "Makefile").read_text().splitlines()
    packages = [line.partition("=")[2].split() for line in lines if "PACKAGES =" in line]
    needed = {
        name.partition(".")[0]
        for path in files(component)
        for name in imports(path)
        if name.partition(".")[0] in components()
    } | {component}
    # Some packages have files of a component instead of the whole one.
    contained = {entry.partition("/")[0] for entries in packages for entry in entries}
    assert component in contained | SHARED, f"no function package contains {component}"
    for entries in (it for it in packages if component in it):
        assert needed <= {entry.partition("/")[0] for entry in entries}


def test_ministack_patches_import_only_their_environment() -> None:
    """MiniStack runs in a separate environment, because it pins botocore."""
    allowed = {
        "aws_emulator",
        "ministack",
        "uvicorn",
        "samtranslator",
        "fido2",
        *sys.stdlib_module_names,
    }
    for path in sorted((ROOT / "aws_emulator" / "ministack").rglob("*.py")):
        for name in imports(path):
            assert name.partition(".")[0] in allowed, f"{path.name} imports {name}"
            # sam_launcher runs with SAM CLI's Python, and needs no other module of the package.
            assert not name.startswith("aws_emulator.") or name.startswith(
                ("aws_emulator.ministack", "aws_emulator.sam_launcher")
            ), name


def test_emulator_and_tools_import_no_component() -> None:
    for folder in ("aws_emulator", "tools"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tops = {name.partition(".")[0] for name in imports(path)}
            assert not tops & (set(components()) - SHARED), (
                f"{path} imports {tops & set(components())}"
            )


def test_emulator_imports_no_other_package_of_this_project() -> None:
    for path in sorted((ROOT / "aws_emulator").rglob("*.py")):
        tops = {name.partition(".")[0] for name in imports(path)}
        assert not tops & {"tools", "tests", "benchmarks", *components()}, path


def test_deployment_and_operator_commands_do_not_need_the_emulator() -> None:
    """Decision 0014: they and the modules that they import use four modules of its package."""
    graph = module_graph("tools", ROOT)
    reached = {it for it in graph if it.startswith(("tools.deployment", "tools.operations"))}
    pending = list(reached)
    while pending:
        added = graph[pending.pop()] - reached
        reached |= added
        pending += added
    emulator = module_graph("aws_emulator", ROOT)
    allowed = {
        f"aws_emulator.{name}" for name in ("errors", "endpoint", "reload.pages", "stack_failures")
    }
    used = {
        name if name in emulator else name.rpartition(".")[0]
        for path in sorted((ROOT / "tools").rglob("*.py"))
        if module_name(path, ROOT) in reached - {it for it in reached if ".tests" in it}
        for name in imports(path)
        if name.startswith("aws_emulator.")
    }
    assert used == allowed
    imported = {target for name in allowed for target in emulator[name]}
    assert imported <= allowed | {"aws_emulator", "aws_emulator.reload"}


def test_python_file_has_at_most_400_lines() -> None:
    for folder in ("src", "aws_emulator", "tools", "benchmarks"):
        paths = sorted((ROOT / folder).rglob("*.py"))
        for path in (path for path in paths if "tests" not in path.parts):
            lines = len(path.read_text().splitlines())
            assert lines <= 400, f"{path.relative_to(ROOT)} has {lines} lines"


def test_template_has_about_400_lines_at_most() -> None:
    for path in [ROOT / "template.yaml", *sorted((ROOT / "stacks").glob("*.yaml"))]:
        lines = len(path.read_text().splitlines())
        assert lines <= MAX_TEMPLATE_LINES, f"{path.relative_to(ROOT)} has {lines} lines"
