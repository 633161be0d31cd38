"""One emulator for all contract tests; the others start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aws_emulator.tests.ministack.running import LAMBDA_PYTHON, PYTHON, Emulator, running

for name in ("cognito", "deployment", "functions", "properties", "services"):
    pytest.register_assert_rewrite(f"aws_emulator.tests.ministack.contracts_{name}")

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for a running emulator is an integration test."""
    for item in items:
        if HERE in item.path.parents and "emulator" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def environments() -> None:
    """The emulator's and the functions' interpreters, or a loud skip."""
    for python in (PYTHON, LAMBDA_PYTHON):
        if not python.exists():
            pytest.skip(f"{python.parent.parent.name} is missing: run `make setup`")


@pytest.fixture(scope="session")
def emulator(environments: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator with every shim."""
    with running(tmp_path_factory.mktemp("emulator")) as started:
        yield started
