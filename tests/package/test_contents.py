"""What each package holds: only what it must, small, compiled, and the same from any checkout."""

import importlib.util
import io
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.package.conftest import Package, package
from tests.support.paths import ROOT

pytestmark = pytest.mark.package

KB = 1024
MB = 1024 * KB
HANDLERS = {
    "EdgeAuthFunction": "edge_auth.handler.lambda_handler",
    "EdgeIngestFunction": "edge_ingest.handler.lambda_handler",
    "EdgeSettingsFunction": "edge_settings.handler.lambda_handler",
    "EventsFunction": "stream_processor.handlers.events.lambda_handler",
    "ChangesFunction": "stream_processor.handlers.changes.lambda_handler",
    "ValidateFunction": "stepfunctions.validate.lambda_handler",
    "IdentityFunction": "stepfunctions.identity.lambda_handler",
    "ImportFunction": "stepfunctions.importer.lambda_handler",
    "RelayFunction": "stepfunctions.relay.lambda_handler",
    "NotifyFunction": "stepfunctions.notify.lambda_handler",
}
#: Bytes, zipped. The first two are the project's own ceilings; Lambda's is 250 MB unzipped
#: (AWS, "Lambda quotas"), tested below.
CEILINGS = {
    "EdgeAuthFunction": 64 * KB,
    "EdgeIngestFunction": 1 * MB,
    "EdgeSettingsFunction": 64 * KB,
    "EventsFunction": 50 * MB,
    "ChangesFunction": 50 * MB,
    "ValidateFunction": 96 * KB,
    "IdentityFunction": 96 * KB,
    "ImportFunction": 96 * KB,
    "RelayFunction": 96 * KB,
    "NotifyFunction": 4 * MB,
}
UNZIPPED_QUOTA = 250 * MB
TOP_LEVEL = {
    "EdgeAuthFunction": {"edge_auth"},
    "EdgeIngestFunction": {"edge_ingest", "clickstream", "msgspec"},
    "EdgeSettingsFunction": {"edge_settings", "edge_auth", "edge_ingest"},
    "ValidateFunction": {"stepfunctions"},
    "IdentityFunction": {"stepfunctions"},
    "ImportFunction": {"stepfunctions"},
    "RelayFunction": {"stepfunctions"},
}
#: docs/decisions/0005-bytecode-only-before-the-gate.md
SOURCELESS = {"EdgeAuthFunction"}


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


def test_is_small(built: tuple[str, Package]) -> None:
    name, it = built
    assert zipped_size(it.path) <= CEILINGS[name]
    assert sum(file.stat().st_size for file in files(it.path)) <= UNZIPPED_QUOTA


def test_holds_what_it_must_and_nothing_else(built: tuple[str, Package]) -> None:
    name, it = built
    there = {entry.name for entry in it.path.iterdir() if not entry.name.endswith(".dist-info")}
    if name in TOP_LEVEL:
        assert there == TOP_LEVEL[name]
    refused = {"boto3", "botocore", "pandas", "numpy", "tests", "bin", "Makefile"}
    assert not there & refused
    assert not [file for file in files(it.path) if file.name == "requirements.txt"]


def test_the_handler_imports_in_a_bare_interpreter(built: tuple[str, Package]) -> None:
    _, it = built
    assert it.replay([]) == []


def test_every_module_is_compiled_and_never_checked(built: tuple[str, Package]) -> None:
    """/var/task is read-only: what is not compiled here is compiled at every cold start.

    The second word of a .pyc is its flags (PEP 552): 0b01 is "hash-based, not checked"; a
    timestamp would be stale after a zip archive rounded it to two seconds.
    """
    name, it = built
    modules = list(it.path.rglob("*.pyc"))
    assert modules
    for compiled in modules:
        assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 0b01, compiled
    if name in SOURCELESS:
        assert not list(it.path.rglob("*.py"))
    for source in it.path.rglob("*.py"):
        compiled = Path(importlib.util.cache_from_source(str(source)))
        assert compiled in modules, source


@pytest.mark.parametrize("name", ["EdgeAuthFunction", "EdgeIngestFunction"])
def test_the_same_bytes_from_any_build(name: str, tmp_path: Path) -> None:
    again = tmp_path / "elsewhere"
    again.mkdir()
    done = subprocess.run(
        ["make", "-C", str(ROOT / "src"), f"build-{name}", f"ARTIFACTS_DIR={again}"],
        env={**os.environ, "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    it = package(name, HANDLERS[name])
    first = {file.relative_to(it.path): file.read_bytes() for file in files(it.path)}
    second = {file.relative_to(again): file.read_bytes() for file in files(again)}
    assert first.keys() == second.keys()
    assert first == second
