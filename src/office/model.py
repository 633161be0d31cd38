"""Students as the office sees them, and changes of their paid access. Times are in milliseconds."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Student:
    """A user of the pool. `id` is the `sub`; `account` is "" for a user without an account."""

    id: str
    email: str
    name: str
    account: str
    enabled: bool

    def document(self) -> dict[str, object]:
        """Return the student in the format of the API."""
        return {
            "studentId": self.id,
            "email": self.email,
            "name": self.name,
            "enabled": self.enabled,
        }


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Students, and whether there are more than these."""

    students: tuple[Student, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class AccessChange:
    """A change of the paid access. `id` names the request: a repeated one has the same id.

    `course` is the id of a course; it is empty for the paid pages.
    """

    id: str
    student: str
    paid: bool
    reason: str
    by: str
    by_email: str
    course: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """The last change of a student's access to the paid pages, or to a course.

    `applied` is false until the user pool or the list of courses, and for an end of the access the
    deny-list, have it.
    Other changes wait until `busy_until`.
    """

    change: str
    paid: bool
    applied: bool
    busy_until: int = 0


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A change of the paid access, as recorded before it was applied."""

    at: str
    paid: bool
    reason: str
    by: str
    course: str = ""

    def document(self) -> dict[str, object]:
        """Return the entry in the format of the API."""
        return {
            "at": self.at,
            "paid": self.paid,
            "course": self.course,
            "reason": self.reason,
            "by": self.by,
        }


@dataclass(frozen=True, slots=True)
class Appointment:
    """A coming appointment of a student. `start` is UTC."""

    advisor: str
    start: str


@dataclass(frozen=True, slots=True)
class Account:
    """The account's item: its status, and when it was created."""

    status: str = "none"
    created_at: str = ""


@dataclass(frozen=True, slots=True)
class Staff:
    """The caller, by `sub`."""

    id: str
    groups: frozenset[str] = field(default_factory=frozenset)
