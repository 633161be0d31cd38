"""What the packages install is what the lock says."""

import pytest

from tools.setup.requirements import GROUPS, exported, target


@pytest.mark.parametrize(("group", "room"), sorted(GROUPS.items()))
def test_requirements_are_those_of_the_lock(group: str, room: str) -> None:
    if not target(room).parent.joinpath("__init__.py").exists():
        assert not target(room).exists()
        return
    assert target(room).read_text() == exported(group), "run `make requirements`"
