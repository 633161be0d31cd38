"""The disk that the set-up uses, and the documents' figure."""

import os
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tools.setup.bootstrap import NEEDED_BYTES
from tools.setup.disk_usage import measure


def test_file_with_two_names_is_counted_once_and_as_shared(tmp_path: Path) -> None:
    (tmp_path / "own").write_bytes(b"x" * 100_000)
    before = measure([tmp_path])
    os.link(tmp_path / "own", tmp_path / "second")
    after = measure([tmp_path])
    assert before.total >= 100_000
    assert before.shared == 0
    assert after.shared >= 100_000
    assert after.total == before.total


def test_missing_folder_uses_no_disk(tmp_path: Path) -> None:
    assert measure([tmp_path / "missing"]).total == 0


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_document_states_the_required_disk(document: str) -> None:
    assert f"{NEEDED_BYTES / 10**9:.1f} GB of disk" in (ROOT / document).read_text()
