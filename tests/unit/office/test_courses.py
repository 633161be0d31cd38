"""Changes of the access to a course, with the rules of the paid access (test_service.py)."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_auth import session
from office.errors import CourseLimitError, OfficeError, RequestReusedError, UnavailableError
from office.model import AccessChange
from office.office_table import BUSY_MS, MAX_COURSES
from tests.unit.edge_auth import issuer
from tests.unit.office.fakes import STAFF, SUBJECT, Killed, World, access_key
from tests.unit.office.test_service import office_of

#: An access token of Cognito without courses and groups, and a refresh token.
TOKENS_BYTES = 1_300 + 1_850


def change_to(course: str, *, paid: bool, name: str = "") -> AccessChange:
    name = name or str(uuid.uuid4())
    return AccessChange(name, SUBJECT, paid, "Invoice 7", STAFF, "office@example.com", course)


def test_grant_opens_the_course_only_and_revokes_no_token() -> None:
    world = World()
    outcome = office_of(world).change_access(change_to("go", paid=True))
    assert outcome == {"paid": True, "changed": True, "effectiveWithinSeconds": 0}
    assert (world.courses, world.paying, world.revoked) == ({SUBJECT: {"go"}}, set(), [])
    student = office_of(world).student(SUBJECT, STAFF, "r-1")
    assert (student["courses"], student["paid"]) == (["go"], False)
    assert student["changes"][0]["course"] == "go"


def test_end_closes_the_course_before_it_revokes_the_tokens() -> None:
    world = World(courses={SUBJECT: {"go", "rust"}}, paying={SUBJECT})
    steps: list[str] = []
    world.step = steps.append
    outcome = office_of(world).change_access(change_to("go", paid=False))
    assert outcome == {"paid": False, "changed": True, "effectiveWithinSeconds": 60}
    assert (world.courses, world.paying, world.revoked) == (
        {SUBJECT: {"rust"}},
        {SUBJECT},
        [SUBJECT],
    )
    assert steps.index("begin") < steps.index("set_course") < steps.index("revoke_tokens")


def test_id_of_a_change_of_another_course_is_refused() -> None:
    office = office_of(World())
    office.change_access(change_to("go", paid=True, name="same"))
    with pytest.raises(RequestReusedError):
        office.change_access(change_to("rust", paid=True, name="same"))


def test_failed_revocation_is_repeated_although_the_course_is_closed() -> None:
    world = World(courses={SUBJECT: {"go"}})
    office = office_of(world)

    def fail(name: str) -> None:
        if name == "revoke_tokens":
            raise UnavailableError("down")

    world.step = fail
    with pytest.raises(UnavailableError):
        office.change_access(change_to("go", paid=False))
    world.step = lambda _name: None
    assert office.change_access(change_to("go", paid=False))["changed"] is True
    assert world.revoked == [SUBJECT]


def test_more_courses_than_a_session_holds_are_refused_without_a_record() -> None:
    world = World(courses={SUBJECT: {f"course-{number}" for number in range(MAX_COURSES)}})
    office = office_of(world)
    with pytest.raises(CourseLimitError):
        office.change_access(change_to("one-more", paid=True))
    assert world.entries == []
    assert office.change_access(change_to("course-7", paid=True))["changed"] is False
    assert office.change_access(change_to("course-7", paid=False))["changed"] is True
    assert office.change_access(change_to("one-more", paid=True))["changed"] is True


def test_session_with_most_courses_fits_into_the_cookies() -> None:
    courses = [f"{number:032}" for number in range(MAX_COURSES)]
    bare = issuer.token(issuer.access_claims())
    full = issuer.token(issuer.access_claims(courses=courses))
    assert TOKENS_BYTES + len(full) - len(bare) <= session.MAX_SESSION_BYTES


calls = st.integers(0, 12)
plans = st.lists(
    st.tuples(st.sampled_from(["", "go", "rust"]), st.booleans(), calls, st.booleans()),
    min_size=1,
    max_size=6,
)


@given(plans)
def test_last_change_of_each_access_holds_after_kills_interruptions_and_a_repeat(
    plan: list[tuple[str, bool, int, bool]],
) -> None:
    """Each change runs inside the one before it, at any call, or ends there."""
    world = World()
    office = office_of(world)

    def run(number: int) -> None:
        if number == len(plan):
            return
        course, paid, after, killed = plan[number]
        done = 0
        outer = world.step

        def step(_name: str) -> None:
            nonlocal done
            done += 1
            if done == after + 1:
                world.step = lambda _name: None
                run(number + 1)
                world.step = step
                if killed:
                    raise Killed

        world.step = step
        try:
            office.change_access(change_to(course, paid=paid, name=f"change-{number}"))
        except (Killed, OfficeError):
            pass
        finally:
            world.step = outer

    run(0)
    world.step = lambda _name: None
    world.now_ms += BUSY_MS + 1
    for course in ("", "go", "rust"):
        last = world.accesses.get(access_key(SUBJECT, course))
        if last is None:
            continue
        office.change_access(world.requests[last.change])
        held = world.courses.get(SUBJECT, set()) if course else {""} & {"" for _ in world.paying}
        assert (course in held) == last.paid
        assert world.accesses[access_key(SUBJECT, course)].applied
        assert last.paid or world.revoked
