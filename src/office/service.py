"""The office's operations, by injected adapters."""

from collections.abc import Callable
from typing import Any, Final

from office import search
from office.errors import CourseLimitError, OfficeError
from office.model import AccessChange, Student
from office.office_table import MAX_COURSES, OfficeTable
from office.records import Records
from office.user_pool import PAYING_GROUP, UserPool

#: A grant applies at the next refresh of the tokens, which the student can force.
GRANT_WITHIN_S: Final = 0


class Office:
    """The operations. `now_ms` returns the time in milliseconds since the epoch."""

    def __init__(
        self, pool: UserPool, table: OfficeTable, records: Records, now_ms: Callable[[], int]
    ) -> None:
        self._pool = pool
        self._table = table
        self._records = records
        self._now_ms = now_ms

    def search(self, text: str, staff: str, request_id: str) -> dict[str, Any]:
        """Return the students that match a text, and record which ones.

        Raises:
            UnavailableError: A service failed.
        """
        result = self._pool.find(search.filters(text))
        ids = [student.id for student in result.students]
        # Before the answer: each read of a student has a record.
        self._table.record_search(staff, request_id, ids, self._now_ms())
        return {"students": [it.document() for it in result.students], "more": result.more}

    def student(self, student_id: str, staff: str, request_id: str) -> dict[str, Any]:
        """Return a student's account, groups, appointments and changes of the paid access.

        Raises:
            UnknownStudentError: The pool has no such user.
            UnavailableError: A service failed.
        """
        student = self._pool.student(student_id)
        now = self._now_ms()
        self._table.record_view(staff, request_id, student.id, now)
        account = self._records.account(student.account)
        return {
            **student.document(),
            "account": account.status,
            "createdAt": account.created_at,
            **self._access(student, now),
            "courses": self._table.courses(student.id),
            "appointments": [
                {"advisorId": it.advisor, "start": it.start}
                for it in self._records.appointments(student.id, now)
            ],
            "changes": [it.document() for it in self._table.history(student.id)],
        }

    def _access(self, student: Student, now: int) -> dict[str, Any]:
        groups = self._pool.groups(student.id)
        access = self._table.access(student.id)
        # A change whose process ended before it was applied: the office repeats it.
        unfinished = access is not None and not access.applied and access.busy_until < now
        return {"groups": groups, "paid": PAYING_GROUP in groups, "unfinished": unfinished}

    def change_access(self, change: AccessChange) -> dict[str, Any]:
        """Grant or end a student's access to the paid pages, or to a course.

        The change is recorded before it is applied. Changes of one student are applied one after
        the other. A change without an effect is neither recorded nor applied.

        Raises:
            AccessChangingError: Another change is being applied.
            CourseLimitError: The student has as many courses as a session can hold.
            RequestReusedError: The id belongs to another change.
            UnknownStudentError: The pool has no such user.
            UnavailableError: A service failed.
            OfficeError: The base class of these.
        """
        has_access = self._has_access(change)
        access = self._table.access(change.student, change.course)
        is_settled = access is None or access.applied
        if is_settled and has_access == change.paid:
            return _outcome(change.paid, changed=False)
        if not self._table.begin(change, self._now_ms()):
            # An earlier request with this id did it; a later change may have replaced it.
            return _outcome(self._has_access(change), changed=False)
        try:
            within_s = self._apply(change)
        except OfficeError:
            self._table.finish(change, applied=False)
            raise
        self._table.finish(change, applied=True)
        return _outcome(change.paid, changed=True, within_s=within_s)

    def _has_access(self, change: AccessChange) -> bool:
        """Return whether the student of a change has the access now.

        Raises:
            CourseLimitError: The student has as many courses as a session can hold.
        """
        groups = self._pool.groups(change.student)
        if not change.course:
            return PAYING_GROUP in groups
        courses = self._table.courses(change.student)
        has_access = change.course in courses
        if change.paid and not has_access and len(courses) >= MAX_COURSES:
            raise CourseLimitError(f"A student can have at most {MAX_COURSES} courses.")
        return has_access

    def _apply(self, change: AccessChange) -> int:
        if change.course:
            self._table.set_course(change.student, change.course, paid=change.paid)
        else:
            self._pool.set_paying(change.student, paid=change.paid)
        # After the change: tokens of a refresh before this have the access, and are refused then.
        return GRANT_WITHIN_S if change.paid else self._records.revoke_tokens(change.student)


def _outcome(paid: bool, *, changed: bool, within_s: int = 0) -> dict[str, Any]:
    return {"paid": paid, "changed": changed, "effectiveWithinSeconds": within_s}
