"""The tests of refusals use the MiniStack of the contract tests' fixture."""

from pathlib import Path

import pytest

from aws_emulator.tests.ministack.conftest import emulator, environments

__all__ = ["emulator", "environments"]

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that use the running emulator as integration tests."""
    for item in items:
        if item.path.parent == HERE and "emulator" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.integration)
