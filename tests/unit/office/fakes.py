"""The office's adapters in memory. `step` runs before each call, and may raise or call others."""

from collections.abc import Callable
from dataclasses import dataclass, field

from office.errors import (
    AccessChangingError,
    CourseLimitError,
    RequestReusedError,
    UnknownStudentError,
)
from office.model import (
    Access,
    AccessChange,
    Account,
    Appointment,
    AuditEntry,
    SearchResult,
    Student,
)
from office.office_table import BUSY_MS, MAX_COURSES, time_text
from office.user_pool import PAYING_GROUP

SUBJECT = "7f0eb7a3-605c-4bf1-9ac3-2cf9aee3a481"
STAFF = "0b6ab3a8-4f5c-4f0e-8f60-5b1f5e0f2a11"
ASHA = Student(SUBJECT, "asha@example.com", "Asha Menon", "account-1", enabled=True)
OFFICE = Student(STAFF, "office@example.com", "Office", "", enabled=True)


def access_key(student: str, course: str) -> str:
    """Return the key of a student's access to the paid pages, or to a course."""
    return f"{student}#{course}" if course else student


class Killed(BaseException):
    """The process ended."""


@dataclass
class World:
    """Users, their groups, the office's table and the deny-list."""

    now_ms: int = 1_790_000_000_000
    step: Callable[[str], None] = lambda _name: None
    users: dict[str, Student] = field(default_factory=lambda: {SUBJECT: ASHA, STAFF: OFFICE})
    paying: set[str] = field(default_factory=set)
    courses: dict[str, set[str]] = field(default_factory=dict)
    revoked: list[str] = field(default_factory=list)
    accesses: dict[str, Access] = field(default_factory=dict)
    requests: dict[str, AccessChange] = field(default_factory=dict)
    entries: list[AuditEntry] = field(default_factory=list)
    reads: list[tuple[str, str, list[str]]] = field(default_factory=list)
    filters: list[str] = field(default_factory=list)


class FakePool:
    def __init__(self, world: World) -> None:
        self.world = world

    def find(self, filters: tuple[str, ...]) -> SearchResult:
        self.world.step("find")
        self.world.filters += filters
        return SearchResult((ASHA,) if filters else (), more=False)

    def student(self, subject: str) -> Student:
        self.world.step("student")
        if subject not in self.world.users:
            raise UnknownStudentError("No student has this id.")
        return self.world.users[subject]

    def groups(self, subject: str) -> list[str]:
        self.student(subject)
        return [PAYING_GROUP] if subject in self.world.paying else []

    def set_paying(self, subject: str, *, paid: bool) -> None:
        self.world.step("set_paying")
        change = self.world.paying.add if paid else self.world.paying.discard
        change(subject)


class FakeTable:
    def __init__(self, world: World) -> None:
        self.world = world

    def access(self, student: str, course: str = "") -> Access | None:
        self.world.step("access")
        return self.world.accesses.get(access_key(student, course))

    def courses(self, student: str) -> list[str]:
        self.world.step("courses")
        return sorted(self.world.courses.get(student, set()))

    def set_course(self, student: str, course: str, *, paid: bool) -> None:
        self.world.step("set_course")
        courses = self.world.courses.setdefault(student, set())
        if paid and course not in courses and len(courses) >= MAX_COURSES:
            raise CourseLimitError("full")
        change = courses.add if paid else courses.discard
        change(course)

    def begin(self, change: AccessChange, now_ms: int) -> bool:
        self.world.step("begin")
        key = access_key(change.student, change.course)
        last = self.world.accesses.get(key)
        known = self.world.requests.get(change.id)
        if known is not None and (known.paid, known.course) != (change.paid, change.course):
            raise RequestReusedError("used")
        if known is not None and (last is None or last.change != change.id or last.applied):
            return False
        if last is not None and last.busy_until >= now_ms:
            raise AccessChangingError("busy")
        if known is None:
            self.world.requests[change.id] = change
            self.world.entries.insert(
                0,
                AuditEntry(
                    time_text(now_ms), change.paid, change.reason, change.by_email, change.course
                ),
            )
        taken = Access(change.id, change.paid, applied=False, busy_until=now_ms + BUSY_MS)
        self.world.accesses[key] = taken
        return True

    def finish(self, change: AccessChange, *, applied: bool) -> None:
        self.world.step("finish")
        key = access_key(change.student, change.course)
        if self.world.accesses[key].change == change.id:
            self.world.accesses[key] = Access(change.id, change.paid, applied)

    def history(self, student: str) -> list[AuditEntry]:
        self.world.step("history")
        return self.world.entries

    def record_search(self, staff: str, request_id: str, students: list[str], now_ms: int) -> None:
        self.world.step("record_search")
        self.world.reads.append(("search", staff, students))

    def record_view(self, staff: str, request_id: str, student: str, now_ms: int) -> None:
        self.world.step("record_view")
        self.world.reads.append(("view", staff, [student]))


class FakeRecords:
    def __init__(self, world: World) -> None:
        self.world = world

    def account(self, account_id: str) -> Account:
        self.world.step("account")
        return Account("active", "2026-01-02T03:04:05.678Z") if account_id else Account()

    def appointments(self, student: str, now_ms: int) -> list[Appointment]:
        self.world.step("appointments")
        return [Appointment("grace-okoro", "2026-12-01T09:30:00Z")]

    def revoke_tokens(self, student: str) -> int:
        self.world.step("revoke_tokens")
        self.world.revoked.append(student)
        return 60
