"""The SQL of the views `events_once` and `events_once_all_regions`, from the columns of `events`.

`.venv/bin/python -m tools.lake_sql.events_once` writes both files below their
comments. A list of columns is in them twice: compacted files have one more, and not every engine
can leave one out.
"""

import textwrap
from pathlib import Path
from typing import Final

from tools.lake_sql.tables import columns
from tools.paths import ROOT

ONE_REGION: Final = ROOT / "lake" / "views" / "events_once.sql"
ALL_REGIONS: Final = ROOT / "lake" / "regions" / "events_once_all_regions.sql"
#: The end of a file's comment.
START: Final = "CREATE OR REPLACE VIEW"
_WIDTH: Final = 100

_SQL: Final = """\
CREATE OR REPLACE VIEW events_once{suffix} AS
WITH present AS (
  SELECT DISTINCT {keys}
  FROM events{suffix}
  WHERE object_id IS NOT NULL
),
compacted_objects AS (
  SELECT DISTINCT {keys}
  FROM events_compacted{suffix}
  WHERE object_id IS NOT NULL
),
good AS (
  SELECT
{compacted}
  FROM events_compacted{suffix} AS compacted
  JOIN present
    ON {joined_present}
  UNION ALL
  SELECT
{uncompacted}
  FROM events{suffix} AS uncompacted
  LEFT JOIN compacted_objects
    ON {joined_compacted}
  WHERE uncompacted.verdict = 'good' AND compacted_objects.date IS NULL
)
SELECT *
FROM (
  SELECT
    good.*,
    row_number() OVER (
      PARTITION BY source, message_id
      ORDER BY
{order}
    ) AS copy_number
  FROM good
) AS numbered
WHERE copy_number = 1
"""


def _list(names: list[str], indent: int) -> str:
    """Return names, separated by commas, in lines."""
    prefix = " " * indent
    # A name and its words stay in one line.
    text = ", ".join(name.replace(" ", "\0") for name in names)
    filled = textwrap.fill(
        text, _WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_long_words=False
    )
    return filled.replace("\0", " ")


def _join(left: str, right: str, keys: list[str]) -> str:
    return "\n    AND ".join(f"{left}.{key} = {right}.{key}" for key in keys)


def sql(*, all_regions: bool) -> str:
    """Return the statement that creates a view."""
    region = ["lake_region"] if all_regions else []
    keys = [*region, "date", "hour", "object_id"]
    names = [*columns()["events"], *region]
    first = ["date", "hour", "received_at", *region, "shard_id", "sequence_number", "record_index"]
    return _SQL.format(
        suffix="_all_regions" if all_regions else "",
        keys=", ".join(keys),
        compacted=_list([f"compacted.{it}" for it in names], 4),
        uncompacted=_list([f"uncompacted.{it}" for it in names], 4),
        joined_present=_join("compacted", "present", keys),
        joined_compacted=_join("uncompacted", "compacted_objects", keys),
        order=_list([f"{it} NULLS LAST" for it in first], 8),
    )


FILES: Final[dict[Path, bool]] = {ONE_REGION: False, ALL_REGIONS: True}


def main() -> None:
    """Write both files."""
    for path, all_regions in FILES.items():
        comment = path.read_text().partition(START)[0]
        path.write_text(comment + sql(all_regions=all_regions))


if __name__ == "__main__":
    main()
