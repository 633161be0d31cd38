"""The requirements of the function packages, compared with uv.lock."""

import pytest

from tools.paths import ROOT
from tools.setup.requirements import GROUPS, export_requirements


@pytest.mark.parametrize(("group", "name"), sorted(GROUPS.items()))
def test_requirements_match_the_lock_file(group: str, name: str) -> None:
    written = (ROOT / "src" / name).read_text()
    assert written == export_requirements(group), "run `make requirements`"
