"""The files of the views `events_once` have the columns of the objects."""

from pathlib import Path

import pytest

from tools.lake_sql import events_once


@pytest.mark.parametrize("path", events_once.FILES, ids=lambda it: it.stem)
def test_file_of_view_is_the_written_one(path: Path) -> None:
    """If it isn't, run `tools.lake_sql.events_once`, then `tools.lake_sql.athena`."""
    comment, start, rest = path.read_text().partition(events_once.START)
    assert all(line.startswith("--") for line in comment.splitlines())
    assert start + rest == events_once.sql(all_regions=events_once.FILES[path])
