"""An emulator for the TestState API, without a deployment."""

from collections.abc import Iterator

import pytest
from pytest_socket import enable_socket

from aws_emulator.tests.ministack.running import PYTHON, Emulator, running


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    enable_socket()
    if not PYTHON.exists():
        pytest.skip(f"{PYTHON.parent.parent.name} is missing: run `make setup`")
    with running(tmp_path_factory.mktemp("emulator")) as started:
        yield started
