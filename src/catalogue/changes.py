"""Change courses: for the staff, in the home Region's database, once for each request."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final

from pg8000.exceptions import DatabaseError

from catalogue.cache import Cache
from catalogue.courses import COURSE, course_document
from catalogue.database import Database, sql_state
from catalogue.errors import ConflictError, RequestError, UnknownCourseError
from catalogue.model import Course

REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,128}", re.ASCII)
#: SQLSTATEs.
UNIQUE_VIOLATION: Final = "23505"
FOREIGN_KEY_VIOLATION: Final = "23503"
_VALUES: Final = """
    language = :language, subject = :subject, teacher = :teacher, title = :title, summary = :summary
"""
_INSERT: Final = """
INSERT INTO courses (id, language, subject, teacher, title, summary)
VALUES (:id, :language, :subject, :teacher, :title, :summary)
"""
_UPDATE: Final = f"UPDATE courses SET version = version + 1, {_VALUES} WHERE id = :id"  # noqa: S608
_RECORD: Final = """
INSERT INTO audit (number, staff, action, course, request, before, after)
VALUES (:number, :staff, :action, :course, :request, CAST(:before AS jsonb), CAST(:after AS jsonb))
"""
_ANSWERED: Final = """
INSERT INTO requests (id, staff, digest, status, answer)
VALUES (:id, :staff, :digest, :status, CAST(:answer AS json))
"""


@dataclass(frozen=True, slots=True)
class Caller:
    """The member of the staff who sent a request, and the request's id."""

    staff: str
    request: str


@dataclass(frozen=True, slots=True)
class Result:
    """The status and document of a change, and its number."""

    status: int
    document: dict[str, Any]


class Changes:
    """The writing half of the catalogue."""

    def __init__(self, writer: Database, cache: Cache) -> None:
        """`cache` is the one of this Region; others see a change after their fresh time."""
        self._writer = writer
        self._cache = cache

    def create(self, caller: Caller, course: Course) -> Result:
        """Add a course.

        Raises:
            ConflictError: A course has the id, or the request's id was used for another change.
            RequestError: The subject or the teacher is unknown.
            PrimaryLostError: The database can't be written.
        """
        return self._once(caller, "create", course.id, course, 201)

    def change(self, caller: Caller, course: Course) -> Result:
        """Replace a course.

        Raises:
            UnknownCourseError: No course has the id.
            ConflictError: The course has another version, or the request's id was used for another
                change.
            RequestError: The subject or the teacher is unknown.
            PrimaryLostError: The database can't be written.
        """
        return self._once(caller, "change", course.id, course, 200)

    def archive(self, caller: Caller, identity: str) -> Result:
        """Take a course out of the catalogue; its rows stay.

        Raises:
            UnknownCourseError: No course has the id.
            ConflictError: The request's id was used for another change.
            PrimaryLostError: The database can't be written.
        """
        return self._once(caller, "archive", identity, None, 200)

    def _once(
        self, caller: Caller, action: str, identity: str, course: Course | None, status: int
    ) -> Result:
        content = json.dumps([action, identity, course and asdict(course)], sort_keys=True)
        digest = sha256(content.encode()).hexdigest()

        def work(connection: Any) -> Result:
            # The row's lock makes changes follow one another, so that a retried request that
            # arrives beside the first one finds its answer.
            locked = connection.run("UPDATE generation SET number = number + 1 RETURNING number")
            answered = connection.run(
                "SELECT staff, digest, status, answer FROM requests WHERE id = :id",
                id=caller.request,
            )
            if answered:
                staff, earlier, code, document = answered[0]
                if (staff, earlier) != (caller.staff, digest):
                    raise ConflictError("request_reused", "This request id had another content.")
                return Result(code, document)
            number = int(locked[0][0])
            before = _read(connection, identity)
            _apply(connection, action, identity, course, before)
            after = _read(connection, identity)
            connection.run(
                _RECORD, number=number, staff=caller.staff, action=action, course=identity,
                request=caller.request, before=_json(before), after=_json(after),
            )  # fmt: skip
            document = {"course": after, "generation": number}
            connection.run(
                _ANSWERED, id=caller.request, staff=caller.staff, digest=digest, status=status,
                answer=_json(document),
            )  # fmt: skip
            return Result(status, document)

        result = self._refused(lambda: self._writer.transaction(work))
        self._cache.raise_generation(int(result.document["generation"]))
        return result

    @staticmethod
    def _refused(run: Callable[[], Any]) -> Result:
        try:
            result: Result = run()
        except DatabaseError as error:
            state = sql_state(error)
            if state == UNIQUE_VIOLATION:
                raise ConflictError("course_exists", "A course has this id already.") from error
            if state == FOREIGN_KEY_VIOLATION:
                raise RequestError(
                    "reference_unknown", "The subject or the teacher is unknown."
                ) from error
            raise
        return result


def _read(connection: Any, identity: str) -> dict[str, Any] | None:
    rows = connection.run(COURSE, id=identity)
    return course_document(rows[0]) if rows else None


def _apply(
    connection: Any,
    action: str,
    identity: str,
    course: Course | None,
    before: dict[str, Any] | None,
) -> None:
    if action != "create" and before is None:
        raise UnknownCourseError("No course has this id.")
    if course is None:
        connection.run(
            "UPDATE courses SET archived = true, version = version + 1 WHERE id = :id", id=identity
        )
        return
    if before is not None and course.version not in {None, before["version"]}:
        raise ConflictError("version_outdated", "The course changed meanwhile. Read it again.")
    values = {name: getattr(course, name) for name in ("language", "subject", "teacher")}
    texts = {"title": course.title, "summary": course.summary}
    connection.run(_INSERT if action == "create" else _UPDATE, id=identity, **values, **texts)
    connection.run("DELETE FROM terms WHERE course = :id", id=identity)
    connection.run("DELETE FROM prices WHERE course = :id", id=identity)
    for name, starts, ends in course.terms:
        connection.run(
            "INSERT INTO terms (course, name, starts, ends)"
            " VALUES (:id, :name, CAST(:starts AS date), CAST(:ends AS date))",
            id=identity, name=name, starts=starts, ends=ends,
        )  # fmt: skip
    for currency, amount in course.prices:
        connection.run(
            "INSERT INTO prices (course, currency, amount) VALUES (:id, :currency, :amount)",
            id=identity, currency=currency, amount=amount,
        )  # fmt: skip


def _json(document: object) -> str | None:
    return None if document is None else json.dumps(document, ensure_ascii=False, default=str)
