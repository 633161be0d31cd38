"""Package contents: required files only, small, compiled, reproducible."""

import importlib.util
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.package.conftest import Package, package
from tests.support.paths import ROOT
from tests.support.reached_modules import reached_modules

pytestmark = [pytest.mark.package, pytest.mark.usefixtures("sam_build")]

KB = 1024
MB = 1024 * KB
HANDLERS = {
    "EdgeAuthFunction": "edge_auth.handler.lambda_handler",
    "EdgeIngestFunction": "edge_ingest.handler.lambda_handler",
    "EdgeSettingsFunction": "edge_settings.handler.lambda_handler",
    "EdgeLogsFunction": "edge_logs.handler.lambda_handler",
    "MediaFunction": "media.handler.lambda_handler",
    "MediaKeyFunction": "media.public_key.lambda_handler",
    "RevocationsFunction": "revocations.handler.lambda_handler",
    "SourcesFunction": "collector_sources.handler.lambda_handler",
    "BookingsFunction": "bookings.handler.lambda_handler",
    "SignUpsFunction": "sign_ups.handler.lambda_handler",
    "OfficeFunction": "office.handler.lambda_handler",
    "EntitlementsFunction": "entitlements.handler.lambda_handler",
    "CatalogueFunction": "catalogue.handler.handler",
    "CatalogueMigrationFunction": "catalogue.migration.handler",
    "ReservedConcurrencyFunction": "reserved_concurrency.handler.lambda_handler",
    "EventsFunction": "stream_processor.handlers.events.lambda_handler",
    "ChangesFunction": "stream_processor.handlers.changes.lambda_handler",
    "LakeErasureFunction": "stream_processor.handlers.erasure.lambda_handler",
    "ReprocessingFunction": "stream_processor.handlers.reprocessing.lambda_handler",
    "ErasureFunction": "stepfunctions.erasure.lambda_handler",
    "ValidateFunction": "stepfunctions.validate.lambda_handler",
    "IdentityFunction": "stepfunctions.identity.lambda_handler",
    "ImportFunction": "stepfunctions.importer.lambda_handler",
    "RelayFunction": "stepfunctions.relay.lambda_handler",
    "NotifyFunction": "stepfunctions.notify.lambda_handler",
}
#: Maximum size of the zip archive. Lambda's quota is 250 MB unzipped (AWS, "Lambda quotas").
MAX_ZIPPED_BYTES = {
    "EdgeAuthFunction": 64 * KB,
    "EdgeIngestFunction": 1 * MB,
    "EdgeSettingsFunction": 128 * KB,
    "EdgeLogsFunction": 32 * KB,
    "MediaFunction": 128 * KB,
    "MediaKeyFunction": 128 * KB,
    "RevocationsFunction": 64 * KB,
    "SourcesFunction": 96 * KB,
    "BookingsFunction": 768 * KB,
    "SignUpsFunction": 16 * KB,
    "OfficeFunction": 288 * KB,
    "EntitlementsFunction": 16 * KB,
    "CatalogueFunction": 2 * MB,
    "CatalogueMigrationFunction": 2 * MB,
    "ReservedConcurrencyFunction": 32 * KB,
    "EventsFunction": 50 * MB,
    "ChangesFunction": 50 * MB,
    "LakeErasureFunction": 50 * MB,
    "ReprocessingFunction": 50 * MB,
    "ErasureFunction": 320 * KB,
    "ValidateFunction": 256 * KB,
    "IdentityFunction": 288 * KB,
    "ImportFunction": 256 * KB,
    "RelayFunction": 112 * KB,
    "NotifyFunction": 4 * MB,
}
MAX_UNZIPPED_BYTES = 250 * MB
#: Of both functions of the catalogue: one package, two handlers.
CATALOGUE = {
    *("catalogue", "custom_resource", "staff", "edge_auth", "asn1crypto", "pg8000", "scramp"),
    "valkey",
}
TOP_LEVEL = {
    "EdgeAuthFunction": {"edge_auth", "signed_snapshot"},
    "EdgeIngestFunction": {"edge_ingest", "clickstream", "edge_auth", "msgspec", "signed_snapshot"},
    "EdgeSettingsFunction": {"edge_settings", "custom_resource", "edge_auth", "edge_ingest"},
    "EdgeLogsFunction": {"edge_logs", "custom_resource"},
    "MediaFunction": {"media", "signed_snapshot", "custom_resource", "edge_auth"},
    "MediaKeyFunction": {"media", "signed_snapshot", "custom_resource", "edge_auth"},
    "RevocationsFunction": {
        *("revocations", "signed_snapshot", "staff", "custom_resource", "edge_auth"),
    },
    "BookingsFunction": {"bookings", "staff", "tzdata"},
    "SignUpsFunction": {"sign_ups"},
    "OfficeFunction": {"office", "staff", "stepfunctions", "idna"},
    "EntitlementsFunction": {"entitlements"},
    "CatalogueFunction": CATALOGUE,
    "CatalogueMigrationFunction": CATALOGUE,
    "ReservedConcurrencyFunction": {"reserved_concurrency", "custom_resource"},
    "SourcesFunction": {
        *("collector_sources", "signed_snapshot", "staff", "custom_resource", "edge_auth"),
        "edge_ingest",
    },
    "ValidateFunction": {"stepfunctions", "telemetry", "idna"},
    "IdentityFunction": {"stepfunctions", "telemetry", "idna"},
    "ImportFunction": {"stepfunctions", "telemetry", "idna"},
    "ErasureFunction": {"stepfunctions", "telemetry", "idna"},
    "RelayFunction": {"stepfunctions", "telemetry"},
}
#: Distributions of AWS's python3.13 image that the functions import.
LAMBDA_PYTHON = {"boto3", "botocore"}
#: docs/decisions/0005
BYTECODE_ONLY = {"EdgeAuthFunction"}


@pytest.fixture(params=sorted(HANDLERS))
def built(request: pytest.FixtureRequest) -> tuple[str, Package]:
    return request.param, package(request.param, HANDLERS[request.param])


def files(path: Path) -> list[Path]:
    return sorted(it for it in path.rglob("*") if it.is_file())


def zipped_size(path: Path) -> int:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files(path):
            archive.write(file, file.relative_to(path))
    return len(target.getvalue())


def test_package_is_below_size_limit(built: tuple[str, Package]) -> None:
    name, built_package = built
    assert zipped_size(built_package.path) <= MAX_ZIPPED_BYTES[name]
    assert sum(file.stat().st_size for file in files(built_package.path)) <= MAX_UNZIPPED_BYTES


def test_package_contains_only_required_packages(built: tuple[str, Package]) -> None:
    name, built_package = built
    entries = {
        entry.name
        for entry in built_package.path.iterdir()
        if not entry.name.endswith(".dist-info")
    }
    if name in TOP_LEVEL:
        assert entries == TOP_LEVEL[name]
    unwanted = {"boto3", "botocore", "pandas", "numpy", "tests", "bin", "Makefile"}
    assert not entries & unwanted
    assert not [
        file for file in files(built_package.path) if file.name.endswith("requirements.txt")
    ]


def test_handler_imports_with_lambda_runtime_packages_only(built: tuple[str, Package]) -> None:
    _, built_package = built
    assert built_package.invoke([]) == []


def test_package_has_the_distributions_that_its_functions_import(
    built: tuple[str, Package],
) -> None:
    """The import of the handler doesn't run an import within a function."""
    name, built_package = built
    module = HANDLERS[name].rpartition(".")[0]
    in_package = {it.name.partition(".")[0] for it in built_package.path.iterdir()}
    present = in_package | sys.stdlib_module_names | LAMBDA_PYTHON
    reached = reached_modules([module], ROOT / "src")
    assert {it.partition(".")[0] for it in reached} <= present


def test_every_module_has_unchecked_bytecode(built: tuple[str, Package]) -> None:
    """/var/task is read-only, so Python compiles other modules at every cold start.

    The second word of a .pyc file contains its flags (PEP 552): 0b01 is "hash-based, unchecked". A
    timestamp would be stale, because zip archives round times to two seconds.
    """
    name, built_package = built
    modules = list(built_package.path.rglob("*.pyc"))
    assert modules
    for compiled in modules:
        assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 0b01, compiled
    if name in BYTECODE_ONLY:
        assert not list(built_package.path.rglob("*.py"))
    for source in built_package.path.rglob("*.py"):
        compiled = Path(importlib.util.cache_from_source(str(source)))
        assert compiled in modules, source


@pytest.mark.parametrize("name", ["EdgeAuthFunction", "EdgeIngestFunction"])
def test_second_build_gives_same_bytes(name: str, tmp_path: Path) -> None:
    rebuilt = tmp_path / "rebuilt"
    rebuilt.mkdir()
    done = subprocess.run(
        ["make", "-C", str(ROOT / "src"), f"build-{name}", f"ARTIFACTS_DIR={rebuilt}"],
        env={**os.environ, "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    built_package = package(name, HANDLERS[name])
    first = {
        file.relative_to(built_package.path): file.read_bytes()
        for file in files(built_package.path)
    }
    second = {file.relative_to(rebuilt): file.read_bytes() for file in files(rebuilt)}
    assert first.keys() == second.keys()
    assert first == second
