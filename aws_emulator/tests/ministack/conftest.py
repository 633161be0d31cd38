"""One MiniStack for all contract tests. Other tests start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aws_emulator.tests.ministack.running import (
    LAMBDA_PYTHON,
    PYTHON,
    Emulator,
    Preloaded,
    running,
)
from aws_emulator.tests.ministack.running import preloaded as start_preloaded

for path in Path(__file__).parent.glob("contracts_*.py"):
    pytest.register_assert_rewrite(f"aws_emulator.tests.ministack.{path.stem}")

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that use the running emulator as integration tests."""
    for item in items:
        if item.path.parent == HERE and "emulator" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def environments() -> None:
    """Skip if an interpreter of MiniStack or of the functions is missing."""
    for python in (PYTHON, LAMBDA_PYTHON):
        if not python.exists():
            pytest.skip(f"{python} is missing: see Setup in aws_emulator/README.md")


@pytest.fixture(scope="session")
def emulator(environments: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """MiniStack with every patch."""
    with running(tmp_path_factory.mktemp("emulator")) as started:
        yield started


@pytest.fixture(scope="session")
def preloaded(environments: None) -> Iterator[Preloaded]:
    """The process that starts MiniStack without a patch, many times."""
    with start_preloaded() as started:
        yield started
