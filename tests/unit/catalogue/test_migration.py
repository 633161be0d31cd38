"""Which migrations are applied, and when none is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.migration import Migration, MigrationError, load, pending

NAMES = st.lists(st.integers(1, 99), unique=True, max_size=6).map(
    lambda numbers: [f"{number:04}_change" for number in sorted(numbers)]
)


def migrations(names: list[str]) -> list[Migration]:
    return [Migration(name, f"digest of {name}", "SELECT 1") for name in names]


@given(NAMES, st.integers(0, 6))
def test_files_after_the_last_applied_one_are_pending(names: list[str], count: int) -> None:
    applied = {name: f"digest of {name}" for name in names[:count]}
    assert [it.name for it in pending(migrations(names), applied)] == names[count:]


def test_older_version_leaves_a_newer_schema() -> None:
    assert pending(migrations(["0001_a"]), {"0001_a": "digest of 0001_a", "0002_b": "x"}) == []


def test_changed_file_is_refused() -> None:
    with pytest.raises(MigrationError, match="0001_a was applied and has changed"):
        pending(migrations(["0001_a"]), {"0001_a": "another"})


def test_file_before_an_applied_one_is_refused() -> None:
    with pytest.raises(MigrationError, match="Increase its number"):
        pending(migrations(["0001_a", "0002_b"]), {"0002_b": "digest of 0002_b"})


def test_files_of_the_package_are_numbered_without_gaps() -> None:
    names = [migration.name for migration in load()]
    assert names
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


def test_migrations_only_add() -> None:
    for migration in load():
        statements = " ".join(migration.sql.upper().split())
        assert "DROP TABLE" not in statements
        assert "DROP COLUMN" not in statements
        assert "TRUNCATE" not in statements
