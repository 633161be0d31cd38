"""Check a game day: acknowledged against stored writes, and each refusal. Pure."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tools.gameday.acts import CONTINENTS, Act
from tools.gameday.alarms import Rang
from tools.gameday.answers import Answer, Ledger
from tools.gameday.figures import Scene, of_scene

_EXAMPLES: Final = 5


@dataclass(frozen=True)
class Check:
    """A count that must be as expected. `examples` say which ones differ.

    `missing_in`: the count is of acknowledged writes that this store lacks.
    """

    name: str
    expected: int
    actual: int
    examples: tuple[str, ...] = ()
    missing_in: str = ""

    @property
    def passed(self) -> bool:
        """Whether the count is as expected."""
        return self.expected == self.actual


@dataclass
class Stored:
    """The content of the stores at the end of the day."""

    #: Lake -> message id -> rows of `events_once`.
    lakes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    #: Region -> (advisor, start) -> student.
    bookings: Mapping[str, Mapping[tuple[str, str], str]] = field(default_factory=dict)
    #: Address -> users of the pool.
    users: Mapping[str, int] = field(default_factory=dict)
    #: Address -> subject -> emails.
    emails: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    advisors: frozenset[str] = frozenset()
    #: (advisor, start), student: promises that `make conflicts` found and told the student about.
    settled: frozenset[tuple[tuple[str, str], str]] = frozenset()
    #: Region -> student -> preferences, as JSON.
    profiles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: Region -> keys of the pages in its bucket.
    pages: Mapping[str, Container[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """The longest times in seconds.

    For an answer, until CloudFront has left a lost Region, and until each function knows the new
    home of the bookings. `may_time_out`: on a busy machine, the API may refuse any request with
    `timed_out`.
    """

    answer_s: float = 15.0
    names_s: float = 15.0
    home_s: float = 5.0
    may_time_out: bool = False


def check(name: str, wrong: Iterable[str], missing_in: str = "") -> Check:
    """Return the check that nothing is wrong, with examples of what is."""
    examples = sorted(wrong)
    return Check(name, 0, len(examples), tuple(examples[:_EXAMPLES]), missing_in)


def check_stores(ledger: Ledger, stored: Stored) -> list[Check]:
    """Compare all acknowledged writes with the stores."""
    return [*_events(ledger, stored), *_bookings(ledger, stored), *_accounts(ledger, stored),
            *_others(ledger, stored)]  # fmt: skip


def _events(ledger: Ledger, stored: Stored) -> list[Check]:
    lakes: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    for lake in stored.lakes.values():
        lakes.update(lake.keys() & ledger.events.keys())
        rows.update({it: lake[it] for it in lake.keys() & ledger.events.keys()})
    # A batch whose answer was lost may be stored, and the client sends it again, perhaps to another
    # Region. Deduplication is per lake, so a query over several lakes groups by the message id.
    again = {it for it in ledger.repeated if lakes[it] > 1}
    once = sum(rows[it] == lakes[it] == 1 or it in again for it in ledger.events)
    return [
        Check("acknowledged events, once in one lake", len(ledger.events), once),
        check(
            "acknowledged events, missing", (it for it in ledger.events if not rows[it]), "events"
        ),
        check(
            "acknowledged events, more than once in a lake",
            (it for it in ledger.events if rows[it] > lakes[it]),
        ),
        check(
            "acknowledged events, in two lakes although sent once",
            (it for it in ledger.events if lakes[it] > 1 and it not in again),
        ),
    ]


def _bookings(ledger: Ledger, stored: Stored) -> list[Check]:
    checks = [
        check(
            "slots that two students have, without a report",
            (f"{slot}: {students}" for slot, students in ledger.bookings.items()
             if len({it for it in students if (slot, it) not in stored.settled}) > 1),
        )
    ]  # fmt: skip
    for region, table in stored.bookings.items():
        checks.append(
            check(
                f"bookings with 201, missing in {region}",
                (
                    f"{slot}: {table.get(slot)}"
                    for slot, students in ledger.bookings.items()
                    if table.get(slot) not in students
                ),
                "bookings",
            )
        )
    return checks


def _accounts(ledger: Ledger, stored: Stored) -> list[Check]:
    return [
        check(
            "accepted sign-ups without exactly one account",
            (it for it in ledger.sign_ups if stored.users.get(it, 0) != 1),
            "sign-ups",
        ),
        check(
            "emails of a kind sent twice to an address",
            (
                f"{address}: {subject}"
                for address, subjects in stored.emails.items()
                for subject, number in subjects.items()
                if number > 1
            ),
        ),
    ]


def _others(ledger: Ledger, stored: Stored) -> list[Check]:
    checks = [
        check(
            "advisors that the staff saved, missing", ledger.advisors - stored.advisors, "advisors"
        ),
    ]
    for region, profiles in stored.profiles.items():
        checks.append(
            check(
                f"newest preferences, missing in {region}",
                (
                    f"{name}: {profiles.get(student)}"
                    for student, name in ledger.profiles.items()
                    if f'"{name}"' not in profiles.get(student, "")
                ),
                "preferences",
            )
        )
    for region, keys in stored.pages.items():
        missing = (it for it in ledger.acknowledged["pages"] if it not in keys)
        checks.append(check(f"published pages, missing in {region}", missing, "pages"))
    return checks


def check_answers(
    scenes: Sequence[Scene], answers: Sequence[Answer], limits: Limits
) -> list[Check]:
    """Check the manner of refusals, its reason, and the longest waits."""
    dishonest: list[str] = []
    surprising: list[str] = []
    late: list[str] = []
    for scene in scenes:
        for answer in of_scene(scene, answers):
            if answer.is_served:
                continue
            if limits.may_time_out and answer.is_honest and answer.code == "timed_out":
                continue
            if not _is_excused(scene.act, answer) or answer.began > scene.ended:
                surprising.append(_text(scene.act, answer))
            elif answer.by_cloudfront and _has_lost_functions(scene.act, answer):
                continue
            elif answer.by_cloudfront and scene.act.lost_api:
                # Nothing of the school ran: CloudFront hasn't left the Region yet.
                if answer.began > scene.lost + limits.names_s:
                    late.append(_text(scene.act, answer))
            elif not answer.is_honest and not scene.act.lost_place:
                dishonest.append(_text(scene.act, answer))
    return [
        check("refusals that no loss explains", surprising),
        check("refusals without 503, Retry-After and a code", dishonest),
        check(
            "bookings refused after the home had moved",
            (
                _text(scene.act, answer)
                for scene in scenes
                for answer in of_scene(scene, answers)
                if _needs_new_home(scene, answer, limits)
            ),
        ),
        check("refusals by CloudFront after the names have left", late),
        check(
            f"answers after more than {limits.answer_s:.0f} s",
            (
                f"{it.operation} {it.continent} at {it.began:.0f} s: {it.seconds:.1f} s"
                for scene in scenes
                for it in of_scene(scene, answers)
                if it.seconds > limits.answer_s
                and not (it.by_cloudfront and _has_lost_functions(scene.act, it))
            ),
        ),
    ]


def check_recovery(closed: Mapping[str, Sequence[str]]) -> Check:
    """Check that every operation worked again at the end of each act."""
    return check(
        "operations that didn't work after the return",
        (f"{act}: {operation}" for act, operations in closed.items() for operation in operations),
    )


def check_alarms(rang: Sequence[Rang]) -> list[Check]:
    """Check that the alarms of the lost Region rang, and no others."""
    return [
        check(
            "alarms of the lost Region that didn't ring",
            (f"{it.act}: {name}" for it in rang for name in it.silent),
        ),
        check(
            "alarms that nothing of the act explains",
            (f"{it.act}: {name}" for it in rang for name in it.false),
        ),
    ]


def _has_lost_functions(act: Act, answer: Answer) -> bool:
    return act.lost_functions == CONTINENTS[answer.continent]


def _needs_new_home(scene: Scene, answer: Answer, limits: Limits) -> bool:
    """Return whether the new home should have accepted a refused booking."""
    return (
        scene.moved is not None
        and not answer.is_served
        and answer.operation == "booking"
        and CONTINENTS[answer.continent] == scene.act.new_home
        and scene.moved + limits.home_s < answer.began
        and answer.ended < scene.returned
    )


def _is_excused(act: Act, answer: Answer) -> bool:
    near = CONTINENTS[answer.continent]
    if act.lost_place == near:
        # The connections of the lost location break; the next request reaches another one.
        return answer.status == 0
    return (answer.operation, answer.continent) in act.excused


def _text(act: Act, answer: Answer) -> str:
    by = " by CloudFront" if answer.by_cloudfront else ""
    return (
        f"{act.name}: {answer.operation} from {answer.continent} at {answer.began:.0f} s: "
        f"{answer.status}{by} {answer.code} "
        f"{'' if answer.has_retry_after else 'without Retry-After'}"
    ).rstrip()
