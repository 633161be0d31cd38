"""Import directions between the packages of stream_processor."""

from pathlib import Path
from typing import Final

import pytest

from tests.unit.architecture.test_imports import SRC, imports, module_name

ROOT_PACKAGE: Final = "stream_processor"
#: Packages that each package may import, besides itself and the modules at the top.
ALLOWED: Final[dict[str, set[str]]] = {
    "ingest": set(),
    "rows": {"ingest"},
    "storage": {"rows", "ingest"},
    "commit": {"storage", "rows", "ingest"},
    "compaction": {"storage", "rows", "ingest"},
    "table": {"compaction", "storage", "rows", "ingest"},
    "repair": {"commit", "storage", "rows", "ingest"},
    "reprocessing": {"compaction", "table", "storage", "rows", "ingest"},
    "erasure": {"compaction", "table", "repair", "storage", "rows", "ingest"},
    # The schedules of the compaction and of the reconciliation invoke the handlers.
    "handlers": {
        *("compaction", "erasure", "reprocessing", "table", "repair", "commit", "storage"),
        *("rows", "ingest"),
    },
}
TOP_MODULES: Final = {"settings", "errors"}
#: Packages and modules that do no I/O.
PURE: Final = (
    *("stream_processor.ingest", "stream_processor.rows", "stream_processor.commit.protocol"),
    *("stream_processor.storage.lake_types", "stream_processor.storage.parquet"),
    *("stream_processor.settings", "stream_processor.errors"),
)
IMPURE_IMPORTS: Final = {"boto3", "botocore", "telemetry", "aws_lambda_powertools"}

FILES: Final = sorted((SRC / ROOT_PACKAGE).rglob("*.py"))


def package_of(module: str) -> str:
    """Return the package of a module of stream_processor: "rows" for stream_processor.rows.x."""
    return [*module.split("."), ""][1]


def test_every_package_has_a_rule() -> None:
    packages = {path.parent.name for path in FILES if path.parent.name != ROOT_PACKAGE}
    assert packages == ALLOWED.keys()
    top = {path.stem for path in FILES if path.parent.name == ROOT_PACKAGE} - {"__init__"}
    assert top == TOP_MODULES


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_package_imports_only_packages_below_it(path: Path) -> None:
    package = package_of(module_name(path))
    allowed = TOP_MODULES | ALLOWED.get(package, set()) | {package}
    for name in imports(path):
        if name.startswith(f"{ROOT_PACKAGE}."):
            assert package_of(name) in allowed, f"{module_name(path)} imports {name}"


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if f"{module_name(path)}.".startswith(tuple(f"{it}." for it in PURE))],
    ids=module_name,
)
def test_pure_module_reads_no_aws_telemetry_or_environment(path: Path) -> None:
    for name in imports(path):
        assert name.partition(".")[0] not in IMPURE_IMPORTS, f"{module_name(path)} imports {name}"
        assert name != "os.environ"
    assert "os.environ" not in path.read_text()
