"""The running school."""

import pytest

from local.system import System
from tests.school.world import World


@pytest.fixture(scope="session")
def world(meridian: System) -> World:
    return World(meridian)
