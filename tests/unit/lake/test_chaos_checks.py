"""The checks of the data lake after injected faults."""

import io
from pathlib import Path
from typing import Any

import pytest

from stream_processor.rows import change_rows, event_rows
from stream_processor.storage import parquet
from tools.chaos.lake_checks import LakeChecks


class EmptyEntries:
    """Amazon S3 with an entry without rows in each prefix; `verify RESTORE=1` puts such entries."""

    def __init__(self, good: int) -> None:
        self._metadata = {"good": str(good), "bad": "0", "duplicate": "0"}
        self._bodies = {
            "events/date=2026-11-22/hour=00/shard-00000000.parquet": event_rows.empty(),
            "changes/date=2026-11-22/hour=00/shard-00000000.parquet": change_rows.table([]),
        }

    def get_paginator(self, _operation: str) -> "EmptyEntries":
        return self

    def paginate(self, **arguments: str) -> list[dict[str, Any]]:
        keys = [key for key in self._bodies if key.startswith(arguments["Prefix"])]
        return [{"Contents": [{"Key": key} for key in keys]}]

    def get_object(self, **arguments: str) -> dict[str, Any]:
        body = parquet.write(self._bodies[arguments["Key"]])
        return {"Body": io.BytesIO(body), "Metadata": self._metadata}


@pytest.mark.parametrize(("good", "differences"), [(0, 0), (1, 2)])
def test_entry_without_rows_matches_metadata_that_counts_none(
    tmp_path: Path, good: int, differences: int
) -> None:
    checks = LakeChecks(EmptyEntries(good), "lake", tmp_path)
    (check,) = checks.check_metadata()
    checks.close()
    assert (check.expected, check.actual) == (0, differences)
