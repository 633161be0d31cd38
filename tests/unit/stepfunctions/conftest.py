"""An emulator for TestState: nothing is deployed. Powertools sends nothing from here."""

from collections.abc import Iterator

# The X-Ray SDK opens its socket while it is imported: before sockets are off.
import aws_xray_sdk.core  # type: ignore[import-untyped]
import pytest
from pytest_socket import enable_socket

from aws_emulator.tests.ministack.running import PYTHON, Emulator, running
from stepfunctions import identity, importer, notify, relay, validate
from tests.unit.stepfunctions.fakes import SETTINGS


def pytest_unconfigure() -> None:
    """Close that socket, or Python warns of it after the last line of the report."""
    aws_xray_sdk.core.xray_recorder.emitter._socket.close()


@pytest.fixture(autouse=True)
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "test")
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    for module in (validate, identity, relay, notify, importer):
        monkeypatch.setattr(module, "settings", lambda: SETTINGS)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    enable_socket()
    if not PYTHON.exists():
        pytest.skip(f"{PYTHON.parent.parent.name} is missing: run `make setup`")
    with running(tmp_path_factory.mktemp("emulator")) as started:
        yield started
