"""Corrections are the nearest words, and hostile searches read few rows."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from catalogue.migration import load, migrate
from catalogue.model import Cursor, encode_cursor
from tests.support.examples import at_most
from tests.support.waiting import wait_until
from tests.system.catalogue.conftest import Tier, connect
from tests.system.catalogue.test_database import ids, search

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("closed_connections")]

PROPERTY: Final = settings(
    max_examples=at_most(60), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
#: Few characters, so that words are near each other; one of four bytes.
WORDS: Final = st.text("abcगि𐍈", min_size=3, max_size=12)
VOCABULARIES: Final = st.lists(WORDS, min_size=1, max_size=30, unique=True)
CORRECTED: Final = "SELECT catalogue_corrected(:words)"


@contextmanager
def vocabulary(tier: Tier, words: Sequence[str]) -> Iterator[Any]:
    """Give a connection whose transaction sees only these words."""
    connection = connect(tier.primary)
    try:
        connection.run("BEGIN")
        connection.run("DELETE FROM vocabulary")
        connection.run("INSERT INTO vocabulary SELECT unnest(CAST(:it AS text[]))", it=[*words])
        yield connection
    finally:
        connection.run("ROLLBACK")
        connection.close()


def levenshtein(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        previous, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            replaced = previous + (left != right)
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, replaced)
    return row[-1]


def edits(entered: str, word: str) -> int:
    """Return the number of edits, where one swap of neighbours counts once."""
    swapped = [
        entered[:i] + entered[i + 1] + entered[i] + entered[i + 2 :]
        for i in range(len(entered) - 1)
    ]
    return min(levenshtein(entered, word), *(1 + levenshtein(it, word) for it in swapped))


def bound(entered: str) -> int:
    return 0 if len(entered) < 3 else 1 if len(entered) <= 5 else 2


@PROPERTY
@given(words=VOCABULARIES, entered=WORDS, is_last=st.booleans())
@example(words=["abcabcabcabc"], entered="abcabcabcacb", is_last=False)
@example(words=["caabcabcabca"], entered="acabcabcabc", is_last=False)
@example(words=["abcabcab"], entered="ababcab", is_last=False)
@example(words=["abca"], entered="bacabc", is_last=False)
def test_correction_is_the_nearest_word_within_the_bound(
    tier: Tier, words: list[str], entered: str, is_last: bool
) -> None:
    assume(entered not in words)
    assume(not is_last or not any(it.startswith(entered) for it in words))
    distances = {word: edits(entered, word) for word in words}
    nearest = min(distances.values())
    # The last word is known, too.
    sent = [entered] if is_last else [entered, words[0]]
    with vocabulary(tier, words) as connection:
        result = connection.run(CORRECTED, words=sent)[0][0]
    assert result[1:] == sent[1:]
    if nearest > bound(entered):
        assert result[0] == entered
    else:
        assert distances[result[0]] == nearest


@PROPERTY
@given(VOCABULARIES, st.data())
def test_correction_keeps_words_that_exist(tier: Tier, words: list[str], data: Any) -> None:
    sent = data.draw(st.lists(st.sampled_from(words), min_size=1, max_size=8))
    # The last one may be a beginning.
    sent[-1] = sent[-1][: data.draw(st.integers(1, len(sent[-1])))]
    with vocabulary(tier, words) as connection:
        assert connection.run(CORRECTED, words=sent) == [[sent]]


@pytest.mark.parametrize("entered", ["2027", "word4711", "ab", "x" * 43])
def test_number_and_word_of_another_length_stay(tier: Tier, entered: str) -> None:
    words = ["2026", "word4712", "abc", "x" * 40]
    with vocabulary(tier, words) as connection:
        assert connection.run(CORRECTED, words=[entered, "abc"]) == [[[entered, "abc"]]]


def test_correction_reads_few_words_of_a_large_vocabulary(tier: Tier) -> None:
    draw = random.Random(1)

    def word(length: int) -> str:
        return "".join(draw.choice("aeioulmnrst") for _ in range(length))

    words = {word(draw.randint(3, 12)) for _ in range(4_000)}
    with vocabulary(tier, sorted(words)) as connection:
        for characters in (3, 5, 6, 8, 11, 40):
            before = _read_rows(connection)
            connection.run(CORRECTED, words=[word(characters) for _ in range(8)])
            after = _read_rows(connection)
            assert after[0] == before[0]
            # For each word at most one in 50, although the words are near each other.
            assert after[1] - before[1] <= 8 * len(words) / 50


def _read_rows(connection: Any) -> list[int]:
    """Return how many rows of the vocabulary this transaction read, by scans and by indexes."""
    rows: list[list[int]] = connection.run(
        "SELECT seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables"
        " WHERE relname = 'vocabulary'"
    )
    return rows[0]


def test_many_matches_far_behind_in_the_order_of_titles_are_paged(tier: Tier) -> None:
    away = tier.router(is_home=False)
    tier.primary.sql(
        "INSERT INTO courses (id, language, subject, teacher, title, summary)"
        " SELECT 'far-' || i, 'hi', 'maths', 'ngo', chr(0x0900 + 21 + i % 9) || ' ' || i, 'दूरी'"
        " FROM generate_series(1, 1100) AS i;"
        "INSERT INTO courses (id, language, subject, teacher, title, summary)"
        " SELECT 'front-' || i, 'en', 'maths', 'ngo', 'Front ' || i,"
        " CASE WHEN i % 300 = 0 THEN 'दूरी' ELSE '' END FROM generate_series(1, 2500) AS i;"
        "UPDATE generation SET number = number + 1"
    )
    try:
        wait_until(tier.caught_up, "the replica's rows")
        titles, after = [], ""
        for _ in range(3):
            page = search(away, "दूरी", limit="50", **({"after": after} if after else {}))
            titles += [course["title"] for course in page["courses"]]
            after = page["next"]
        expected = [f"Front {number}" for number in range(300, 2_501, 300)]
        expected += [f"{chr(0x0900 + 21 + it % 9)} {it}" for it in range(1, 1_101)]
        assert titles == sorted(expected)[:150]
        # A cursor of many matches, sent with a search that has few.
        forged = encode_cursor(Cursor(2, "", "0"))
        assert ids(search(away, "42 दूरी", after=forged)) == ["far-42"]
    finally:
        tier.primary.sql("DELETE FROM courses WHERE id ~ '^(far|front)-'")


def test_database_of_the_version_before_is_migrated_with_its_words(tier: Tier) -> None:
    name = "before_bounds"
    tier.primary.sql(f"CREATE DATABASE {name}", database="postgres")
    connection = connect(tier.primary, database=name)
    try:
        migrate(connection, load()[:5])
        connection.run(
            "INSERT INTO vocabulary VALUES ('algebra'), ('piano'), ('2026'), ('गणित'), (:long)",
            long="ab" * 20,
        )
        assert migrate(connection, load()) == [it.name for it in load()[5:]]
        sent = ["algebar", "गणत", "2027", "pinao"]
        assert connection.run(CORRECTED, words=sent) == [[["algebra", "गणित", "2027", "piano"]]]
    finally:
        connection.close()
        tier.primary.sql(f"DROP DATABASE {name}", database="postgres")
