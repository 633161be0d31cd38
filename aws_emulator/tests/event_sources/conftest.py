"""Fixtures of the poller's integration tests: one emulator, and a stream and function per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aws_emulator.tests.event_sources.deployment import Deployment
from aws_emulator.tests.ministack.running import LAMBDA_PYTHON, PYTHON, Emulator, running


@pytest.fixture(scope="session")
def poller_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Start an emulator for this session; skip if its environment isn't set up."""
    for python in (PYTHON, LAMBDA_PYTHON):
        if not python.exists():
            pytest.skip(f"{python.parent.parent.name} is missing: run `make setup`")
    with running(tmp_path_factory.mktemp("poller-emulator")) as started:
        yield started


@pytest.fixture
def deployment(poller_emulator: Emulator, tmp_path: Path) -> Iterator[Deployment]:
    """Create a function with its bucket; delete its mappings at the end."""
    mapped = Deployment(poller_emulator, tmp_path / "state")
    mapped.create_function()
    yield mapped
    for mapping in mapped.functions.list_event_source_mappings()["EventSourceMappings"]:
        mapped.functions.delete_event_source_mapping(UUID=mapping["UUID"])
