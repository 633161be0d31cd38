"""The requirements of the function packages, compared with uv.lock."""

import pytest

from tools.setup.requirements import GROUPS, export_requirements, requirements_file


@pytest.mark.parametrize(("group", "package"), sorted(GROUPS.items()))
def test_requirements_match_the_lock_file(group: str, package: str) -> None:
    written = requirements_file(package).read_text()
    assert written == export_requirements(group), "run `make requirements`"
