"""The ledger of a game day: all answers to the visitors, and all acknowledged writes."""

import threading
import time
from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Final

#: Answers in a row after which an operation counts as open again.
STEADY_ANSWERS: Final = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request. `began` and `ended` are seconds since the day began.

    `status` is 0 without an answer. `code` is the stable code of a refusal, '' without one.
    `by_cloudfront`: CloudFront refused it itself, because it didn't reach the origin.
    """

    operation: str
    continent: str
    began: float
    ended: float
    status: int
    code: str = ""
    has_retry_after: bool = False
    by_cloudfront: bool = False

    @property
    def is_served(self) -> bool:
        """Whether the operation did its work; 404 and 409 are answers, too."""
        return 200 <= self.status < 500

    @property
    def is_honest(self) -> bool:
        """Whether a refusal says so: 503 with `Retry-After` and a code."""
        return self.status == 503 and self.has_retry_after and bool(self.code)

    @property
    def seconds(self) -> float:
        """How long the visitor waited."""
        return self.ended - self.began


@dataclass
class Ledger:
    """All answers and acknowledged writes of a day. Threads add to it; `began` is monotonic."""

    began: float = field(default_factory=time.monotonic)
    answers: list[Answer] = field(default_factory=list)
    #: Message id -> seconds of its acknowledgement.
    events: dict[str, float] = field(default_factory=dict)
    #: Ids of batches that were sent again, because an earlier answer was a refusal or was lost.
    repeated: set[str] = field(default_factory=set)
    #: (advisor, start) -> the students with a 201.
    bookings: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    #: Store -> key of a write -> seconds of its first acknowledgement.
    acknowledged: dict[str, dict[Any, float]] = field(default_factory=lambda: defaultdict(dict))
    #: Email address -> request id of a 202.
    sign_ups: dict[str, str] = field(default_factory=dict)
    #: Courses that the office added to the catalogue.
    courses: set[str] = field(default_factory=set)
    #: Advisors that the staff created.
    advisors: set[str] = field(default_factory=set)
    #: (Student, number) of the newest preferences that a continent's API acknowledged.
    profiles: dict[str, str] = field(default_factory=dict)
    _steady: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> float:
        """Return the seconds since the day began."""
        return time.monotonic() - self.began

    def acknowledge(self, store: str, key: Hashable) -> None:
        """Note that a write was acknowledged now."""
        with self._lock:
            self.acknowledged[store].setdefault(key, self.now())

    def writes(self) -> dict[str, dict[Any, float]]:
        """Return a copy of the acknowledged writes."""
        with self._lock:
            return {store: dict(it) for store, it in self.acknowledged.items()}

    def add(self, answer: Answer) -> None:
        """Add an answer."""
        key = (answer.operation, answer.continent)
        with self._lock:
            self.answers.append(answer)
            self._steady[key] = self._steady[key] + 1 if answer.is_served else 0

    def forget_steadiness(self) -> None:
        """Count the answers in a row from here on."""
        with self._lock:
            self._steady.clear()

    def is_steady(self, operation: str, continent: str) -> bool:
        """Whether the last answers of an operation were served."""
        with self._lock:
            return self._steady[operation, continent] >= STEADY_ANSWERS
