"""Read courses: from the cache, else from the nearest reader. One loader per key."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from catalogue import freshness
from catalogue.cache import Cache
from catalogue.database import Database
from catalogue.errors import UnavailableError, UnknownCourseError
from catalogue.freshness import Entry
from catalogue.model import Cursor, Search, encode_cursor

#: Another caller loads the same answer: wait for it, in steps, then load it too.
WAIT_S: Final = 0.4
STEP_S: Final = 0.02

_DETAILS: Final = """
    c.id, c.version, c.language, c.title, c.summary, c.subject, s.name, c.teacher, t.name,
    (SELECT coalesce(json_agg(json_build_object(
        'name', e.name, 'starts', e.starts, 'ends', e.ends) ORDER BY e.starts, e.name), '[]')
     FROM terms AS e WHERE e.course = c.id),
    (SELECT coalesce(json_agg(json_build_object(
        'currency', p.currency, 'amount', p.amount) ORDER BY p.currency), '[]')
     FROM prices AS p WHERE p.course = c.id)
"""
_JOINED: Final = """
    JOIN subjects AS s ON s.id = c.subject JOIN teachers AS t ON t.id = c.teacher
"""
COURSE: Final = f"""
SELECT {_DETAILS} FROM courses AS c {_JOINED} WHERE c.id = :id AND NOT c.archived
"""  # noqa: S608 # the parts are constants
# One statement, so that the number belongs to the rows: 0 rows still have the number.
_SEARCH: Final = f"""
SELECT g.number, f.rank, f.sort_key, {_DETAILS}
FROM generation AS g
LEFT JOIN catalogue_search(
    :words, :language, :subject, :rank, :key, :after, :most
) AS f ON true
LEFT JOIN (courses AS c {_JOINED}) ON c.id = f.id
ORDER BY f.rank, f.sort_key COLLATE "C", f.id
"""  # noqa: S608 # the parts are constants
_SUBJECTS: Final = """
SELECT s.id, s.name, count(c.id) FROM subjects AS s
LEFT JOIN courses AS c ON c.subject = s.id AND NOT c.archived GROUP BY s.id ORDER BY s.name, s.id
"""
_TEACHERS: Final = "SELECT id, name FROM teachers ORDER BY name, id"
_CORRECTED: Final = "SELECT catalogue_corrected(:words)"
_GENERATION: Final = "SELECT number FROM generation"


@dataclass(frozen=True, slots=True)
class Answer:
    """A document with its age, and the seconds for which others may keep it."""

    document: Any
    age_s: int = 0
    fresh_for_s: int = 0
    is_stale: bool = False


def course_document(row: list[Any]) -> dict[str, Any]:
    """Return the JSON document of a row with the columns of `COURSE`."""
    identity, version, language, title, summary, subject, subject_name, teacher, name = row[:9]
    return {
        "id": identity,
        "version": version,
        "language": language,
        "title": title,
        "summary": summary,
        "subject": {"id": subject, "name": subject_name},
        "teacher": {"id": teacher, "name": name},
        "terms": row[9],
        "prices": row[10],
    }


class Courses:
    """The reading half of the catalogue."""

    def __init__(
        self,
        reader: Database,
        writer: Database,
        cache: Cache,
        clock: Callable[[], float],
        chance: Callable[[], float],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`clock` returns seconds since the epoch, `chance` a random number from 0 to 1."""
        self._reader = reader
        self._writer = writer
        self._cache = cache
        self._clock = clock
        self._chance = chance
        self._sleep = sleep

    def search(self, search: Search, *, newest: bool = False) -> Answer:
        """Return a page of courses.

        Args:
            search: The search.
            newest: Read from the writer: the staff see their changes at once.

        Raises:
            UnavailableError: Neither the cache nor a database has the answer.
        """
        return self._read("courses", search, lambda source: _search(source, search), newest=newest)

    def course(self, identity: str, *, newest: bool = False) -> Answer:
        """Return a course.

        Raises:
            UnknownCourseError: No course has the id.
            UnavailableError: Neither the cache nor a database has the answer.
        """
        answer = self._read(
            "course", identity, lambda source: _course(source, identity), newest=newest
        )
        if answer.document is None:
            raise UnknownCourseError("No course has this id.")
        return answer

    def subjects(self) -> Answer:
        """Return the subjects, with their numbers of courses.

        Raises:
            UnavailableError: Neither the cache nor a database has the answer.
        """
        return self._read("subjects", "", _subjects, newest=False)

    def teachers(self) -> Answer:
        """Return the teachers.

        Raises:
            UnavailableError: Neither the cache nor a database has the answer.
        """
        return self._read("teachers", "", _teachers, newest=False)

    def close(self) -> None:
        """Close the connections; the next read opens others."""
        self._reader.close()
        self._writer.close()
        self._cache.close()

    def check(self) -> int:
        """Return the number of the nearest reader's last change: it answers.

        Raises:
            UnavailableError: The reader doesn't answer.
        """
        return int(self._reader.query(_GENERATION)[0][0])

    def _read(
        self,
        kind: str,
        detail: object,
        load: Callable[[Database], tuple[int, Any]],
        *,
        newest: bool,
    ) -> Answer:
        if newest:
            return Answer(load(self._writer)[1])
        generation = self._cache.generation()
        key = freshness.key(generation, kind, detail)
        entry = freshness.decode(self._cache.get(key))
        if entry is not None and entry.is_fresh(self._clock()):
            return self._answer(entry)
        may_load = self._cache.lock(key)
        if not may_load:
            if entry is not None:
                return self._answer(entry)  # stale while another caller revalidates
            entry = self._wait(key)
            if entry is not None:
                return self._answer(entry)
        try:
            number, document = load(self._reader)
        except UnavailableError:
            if entry is None:
                raise
            return replace(self._answer(entry), is_stale=True)  # stale if error
        finally:
            if may_load:
                self._cache.unlock(key)
        now = self._clock()
        until = freshness.fresh_until(now, self._chance(), is_behind=number < generation)
        entry = Entry(document, now, until)
        self._cache.put(key, freshness.encode(entry), freshness.KEPT_S)
        return self._answer(entry)

    def _answer(self, entry: Entry) -> Answer:
        now = self._clock()
        return Answer(
            entry.document, entry.age_s(now), entry.fresh_for_s(now), not entry.is_fresh(now)
        )

    def _wait(self, key: str) -> Entry | None:
        for _ in range(round(WAIT_S / STEP_S)):
            self._sleep(STEP_S)
            if (entry := freshness.decode(self._cache.get(key))) is not None:
                return entry
            if not self._cache.is_available():
                return None
        return None


def _search(source: Database, search: Search) -> tuple[int, Any]:
    number, page = _page(source, search)
    if page["courses"] or not search.words or search.after != Cursor():
        return number, page
    corrected = tuple(source.query(_CORRECTED, words=list(search.words))[0][0])
    if corrected == search.words:
        return number, page
    number, corrected_page = _page(source, replace(search, words=corrected))
    if not corrected_page["courses"]:
        return number, page
    return number, corrected_page | {"corrected": " ".join(corrected)}


def _page(source: Database, search: Search) -> tuple[int, dict[str, Any]]:
    rows = source.query(
        _SEARCH,
        words=list(search.words),
        language=search.language,
        subject=search.subject,
        rank=search.after.rank,
        key=search.after.key,
        after=search.after.id,
        most=search.limit + 1,
    )
    number, matches = int(rows[0][0]), [row[1:] for row in rows if row[3] is not None]
    page = matches[: search.limit]
    next_page = None
    if len(matches) > search.limit:
        rank, key, identity = page[-1][:3]
        next_page = encode_cursor(Cursor(rank, key, identity))
    return number, {"courses": [course_document(row[2:]) for row in page], "next": next_page}


def _course(source: Database, identity: str) -> tuple[int, Any]:
    number = int(source.query(_GENERATION)[0][0])
    rows = source.query(COURSE, id=identity)
    return number, course_document(rows[0]) if rows else None


def _subjects(source: Database) -> tuple[int, Any]:
    number = int(source.query(_GENERATION)[0][0])
    rows = source.query(_SUBJECTS)
    return number, {"subjects": [{"id": it[0], "name": it[1], "courses": it[2]} for it in rows]}


def _teachers(source: Database) -> tuple[int, Any]:
    number = int(source.query(_GENERATION)[0][0])
    return number, {"teachers": [{"id": it[0], "name": it[1]} for it in source.query(_TEACHERS)]}
