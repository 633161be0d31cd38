"""The catalogue over a real primary, streaming replica and cache."""

import json
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pg8000.exceptions import DatabaseError

from catalogue.database import sql_state
from catalogue.errors import RequestError
from catalogue.freshness import FRESH_S, JITTER
from catalogue.http import Request, Response, parse_query
from catalogue.migration import MigrationError, load, migrate
from catalogue.model import parse_search
from catalogue.router import SEARCH_PARAMETERS, Router
from catalogue.settings import Address
from tests.support.waiting import wait_until
from tests.system.catalogue.conftest import Tier, connect
from tests.unit.catalogue.test_model import COURSE

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("closed_connections")]


@pytest.fixture
def home(tier: Tier) -> Router:
    return tier.router(is_home=True)


@pytest.fixture
def away(tier: Tier) -> Router:
    return tier.router(is_home=False)


def search(router: Router, text: str, **others: str) -> Any:
    query = "&".join(f"{name}={quote(value)}" for name, value in ({"q": text} | others).items())
    response = router.respond(Request("GET", "/catalogue/courses", query))
    assert response.status == 200, response.body
    return json.loads(response.body)


def ids(document: Any) -> list[str]:
    return [course["id"] for course in document["courses"]]


def read(router: Router, identity: str, kind: str = "courses") -> Response:
    headers = {"authorization": "Bearer staff"}
    return router.respond(Request("GET", f"/catalogue/{kind}/{identity}", "", headers))


def send(
    router: Router, method: str, identity: str, document: object, request: str = ""
) -> Response:
    headers = {"authorization": "Bearer staff", "idempotency-key": request or str(uuid.uuid4())}
    path = "/catalogue/staff/courses" + ("" if method == "POST" else f"/{identity}")
    return router.respond(Request(method, path, "", headers, json.dumps(document).encode()))


def create(router: Router, **changes: object) -> str:
    identity = f"course-{uuid.uuid4()}"
    response = send(router, "POST", identity, COURSE | changes | {"id": identity})
    assert response.status == 201, response.body
    return identity


@pytest.mark.parametrize(
    ("text", "filters", "expected"),
    [
        ("algebra", {}, ["algebra-1", "algebra-2"]),
        ("ALGE", {}, ["algebra-1", "algebra-2"]),
        ("run", {"language": "en"}, ["algebra-2"]),
        ("runs ring", {"language": "en"}, ["algebra-2"]),
        ("toan cao", {}, ["toan-1"]),
        ("Toán", {"language": "vi"}, ["toan-1"]),
        ("dai so", {}, ["toan-1"]),
        ("गणित", {}, ["ganit-1"]),
        ("सिद्धांतों", {"language": "hi"}, ["ganit-1"]),
        ("algebra", {"subject": "music"}, []),
        ("", {"subject": "music"}, ["piano-1"]),
        ("algebra", {"language": "vi"}, []),
    ],
)
def test_search_finds_the_courses_of_a_language(
    away: Router, text: str, filters: dict[str, str], expected: list[str]
) -> None:
    assert ids(search(away, text, **filters)) == expected


@pytest.mark.parametrize(
    ("typed", "meant", "course"),
    [
        ("algebar", "algebra", "algebra-1"),
        ("beginers", "beginners", "algebra-1"),
        ("pinao", "piano", "piano-1"),
        # A wrong vowel sign, a missing one, and one too many.
        ("गणीत", "गणित", "ganit-1"),
        ("गणत", "गणित", "ganit-1"),
        ("मूलल", "मूल", "ganit-1"),
        # Two characters in the wrong order, a wrong one, one too many.
        ("taon", "toan", "toan-1"),
        ("toám", "toan", "toan-1"),
        ("tuyeen tinh", "tuyen tinh", "toan-1"),
    ],
)
def test_misspelt_word_is_corrected(away: Router, typed: str, meant: str, course: str) -> None:
    document = search(away, typed)
    assert document["corrected"] == meant
    assert course in ids(document)


def test_correction_without_courses_is_not_offered(away: Router) -> None:
    assert search(away, "algebar pinao") == {"courses": [], "next": None}


@pytest.mark.parametrize(
    "text",
    [
        "'; DROP TABLE courses; --",
        "' OR '1'='1",
        "a') UNION SELECT rolpassword FROM pg_authid --",
        "algebra:* & !rings | <->",
        "\\'algebra",
        "½ ﷺ ǅ ﬀ",
        "%' AND pg_sleep(10) --",
    ],
)
def test_injected_sql_is_searched_as_words(tier: Tier, away: Router, text: str) -> None:
    search(away, text)
    search(away, text, language="en")
    assert int(tier.primary.sql("SELECT count(*) FROM courses")) >= 5


#: Texts with what SQL, tsquery, LIKE and URLs give a meaning, and with what no index accepts.
HOSTILE = st.text(
    st.one_of(
        st.sampled_from(list("'\";\\%_&|!()<>:*$-/ \t\x00\x7f\u202e\u0301")), st.characters()
    ),
    max_size=120,
)
PERCENT = st.text("%+&=aF0'", max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(HOSTILE.map(lambda it: quote(it, errors="surrogatepass")), PERCENT))
@example("%00")
@example("%ed%a0%80")
@example("a%")
@example("%27%3BDROP+TABLE+courses")
def test_hostile_search_is_refused_with_400_or_searched_as_words(away: Router, text: str) -> None:
    response = away.respond(Request("GET", "/catalogue/courses", f"q={text}"))
    document, expected = json.loads(response.body), refusal_code(f"q={text}")
    if expected:
        assert (response.status, document["code"]) == (400, expected)
    else:
        # A busy computer may not answer within the statement's time limit.
        assert response.status in {200, 503}, document


def refusal_code(query: str) -> str:
    """Return the code of a malformed query, or '' for a search."""
    try:
        parse_search(parse_query(query, SEARCH_PARAMETERS))
    except RequestError as error:
        return error.code
    return ""


def test_change_is_seen_in_another_region_within_the_stated_lag(
    tier: Tier, home: Router, away: Router
) -> None:
    passed_s = 0.0
    away._courses._clock = lambda: time.time() + passed_s
    identity = create(home)
    wait_until(tier.caught_up, "the replica's rows")
    before = read(away, identity)
    assert json.loads(before.body)["title"] == "Algebra"
    assert send(home, "PUT", identity, COURSE | {"title": "Changed"}).status == 200
    wait_until(tier.caught_up, "the replica's rows")
    # 36 s: what CloudFront may keep counts from the same moment as what the cache keeps.
    lag_s = FRESH_S * (1 + JITTER)
    max_age = re.search(r"max-age=(\d+)", before.headers["Cache-Control"])
    assert max_age is not None
    assert int(max_age[1]) <= lag_s
    passed_s = lag_s
    after = read(away, identity)
    assert json.loads(after.body)["title"] == "Changed"
    assert after.headers["Age"] == "0"


def test_pages_contain_each_course_once_in_order(home: Router, away: Router, tier: Tier) -> None:
    word = f"w{uuid.uuid4().hex[:12]}"
    for number in range(7):
        create(home, title=f"{word} part {number}" if number % 2 else "Other", summary=word)
    wait_until(tier.caught_up, "the replica's rows")
    pages, after = [], ""
    while True:
        document = search(away, word, limit="3", **({"after": after} if after else {}))
        pages.append(document["courses"])
        if not (after := document["next"] or ""):
            break
    courses = [course for page in pages for course in page]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert len({course["id"] for course in courses}) == 7
    titles = [course["title"] for course in courses]
    assert titles == [f"{word} part {number}" for number in (1, 3, 5)] + ["Other"] * 4


def test_pages_after_a_long_title_are_read(home: Router, away: Router, tier: Tier) -> None:
    # "㎮" is "rad/s" in the order of the titles.
    word = f"w{uuid.uuid4().hex[:12]}"
    courses = {create(home, title=word + "㎮" * 187) for _ in range(2)}
    wait_until(tier.caught_up, "the replica's rows")
    first = search(away, word, limit="1")
    second = search(away, word, limit="1", after=first["next"])
    assert {*ids(first), *ids(second)} == courses


def test_many_matches_are_paged_by_title(tier: Tier, away: Router) -> None:
    word = f"m{uuid.uuid4().hex[:12]}"
    tier.primary.sql(
        "INSERT INTO courses (id, language, subject, teacher, title, summary)"
        f" SELECT '{word}-' || i, 'en', 'maths', 'noether', 'Part ' || i, '{word}'"
        " FROM generate_series(1, 1100) AS i; UPDATE generation SET number = number + 1"
    )
    wait_until(tier.caught_up, "the replica's rows")
    first = search(away, word, limit="50")
    second = search(away, word, limit="50", after=first["next"])
    titles = [course["title"] for course in first["courses"] + second["courses"]]
    expected = sorted(f"Part {number}" for number in range(1, 1_101))[:100]
    assert titles == expected


def test_course_has_its_terms_and_prices(away: Router) -> None:
    document = json.loads(read(away, "algebra-1").body)
    assert document["subject"] == {"id": "maths", "name": "Mathematics"}
    assert document["terms"] == [{"name": "Autumn", "starts": "2026-09-01", "ends": "2026-12-18"}]
    assert document["prices"] == [{"currency": "GBP", "amount": 12_000}]


def test_change_is_seen_by_its_author_at_once_and_by_other_regions_soon(
    tier: Tier, home: Router, away: Router
) -> None:
    identity = create(home)
    wait_until(tier.caught_up, "the replica's rows")
    assert json.loads(read(away, identity).body)["title"] == "Algebra"
    # Sent through the other Region: its function writes to the primary, too.
    response = send(away, "PUT", identity, COURSE | {"title": "Changed", "version": 1})
    assert response.status == 200
    assert json.loads(response.body)["course"]["version"] == 2
    assert json.loads(read(away, identity, "staff/courses").body)["title"] == "Changed"
    # Its cache knows the change's number, so an older answer isn't served for 30 s.
    wait_until(
        lambda: json.loads(read(away, identity).body)["title"] == "Changed", "the replica's answer"
    )


def test_repeated_request_is_applied_once_and_has_the_first_answer(
    tier: Tier, home: Router
) -> None:
    identity, request = f"course-{uuid.uuid4()}", str(uuid.uuid4())
    document = COURSE | {"id": identity}
    first, second = (send(home, "POST", identity, document, request) for _ in range(2))
    assert (first.status, first.body) == (second.status, second.body)
    records = tier.primary.sql(f"SELECT action, staff FROM audit WHERE course = '{identity}'")
    assert records == "create\tclerk"
    other = send(home, "POST", identity, document | {"title": "Other"}, request)
    assert (other.status, json.loads(other.body)["code"]) == (409, "request_reused")


@pytest.mark.parametrize(
    ("method", "changes", "status", "code"),
    [
        ("POST", {}, 409, "course_exists"),
        ("PUT", {"version": 7}, 409, "version_outdated"),
        ("PUT", {"subject": "unknown"}, 400, "reference_unknown"),
        ("PUT", {"teacher": "unknown"}, 400, "reference_unknown"),
    ],
)
def test_refused_change_leaves_the_course(
    tier: Tier, home: Router, method: str, changes: dict[str, object], status: int, code: str
) -> None:
    identity = create(home)
    document = COURSE | {"title": "Changed"} | changes
    response = send(
        home, method, identity, document | ({"id": identity} if method == "POST" else {})
    )
    assert (response.status, json.loads(response.body)["code"]) == (status, code)
    assert tier.primary.sql(f"SELECT title FROM courses WHERE id = '{identity}'") == "Algebra"
    assert tier.primary.sql(f"SELECT count(*) FROM audit WHERE course = '{identity}'") == "1"


def test_archived_course_is_gone_and_recorded(tier: Tier, home: Router) -> None:
    identity = create(home)
    assert send(home, "DELETE", identity, None).status == 200
    assert read(home, identity).status == 404
    assert send(home, "PUT", identity, COURSE).status == 404
    before = tier.primary.sql(
        f"SELECT before->>'title' FROM audit WHERE course = '{identity}' AND action = 'archive'"
    )
    assert before == "Algebra"


def test_role_of_the_function_cannot_change_the_record(tier: Tier) -> None:
    connection = connect(tier.primary, "catalogue_app")
    for statement in ("DELETE FROM audit", "UPDATE audit SET staff = 'x'", "DELETE FROM courses"):
        with pytest.raises(DatabaseError) as caught:
            connection.run(statement)
        assert sql_state(caught.value) == "42501"
    connection.close()


def test_statement_over_two_seconds_is_cancelled(tier: Tier, home: Router) -> None:
    response_of: Callable[[str], Any] = home._courses._reader.query
    with pytest.raises(Exception, match="took too long"):
        response_of("SELECT pg_sleep(30)")
    assert tier.primary.is_ready()


def test_replica_refuses_changes_and_the_caller_is_told_to_retry(tier: Tier) -> None:
    address = Address("127.0.0.1", tier.replica.port)
    router = tier.router(is_home=False, writer=address)
    response = send(router, "PUT", "algebra-1", COURSE)
    assert (response.status, json.loads(response.body)["code"]) == (503, "changes_unavailable")
    assert response.headers["Retry-After"] == "30"
    assert read(router, "algebra-1").status == 200


def test_lost_primary_refuses_changes_and_other_regions_read_on(
    tier: Tier, unused_port: int
) -> None:
    router = tier.router(is_home=False, writer=Address("127.0.0.1", unused_port))
    assert send(router, "PUT", "algebra-1", COURSE).status == 503
    assert ids(search(router, "piano")) == ["piano-1"]


def test_absent_cache_delays_nothing_else(tier: Tier, unused_port: int) -> None:
    router = tier.router(is_home=False, cache=Address("127.0.0.1", unused_port))
    assert ids(search(router, "piano")) == ["piano-1"]
    assert send(router, "POST", "x", COURSE | {"id": f"course-{uuid.uuid4()}"}).status == 201


def test_closed_connection_is_opened_again(tier: Tier, home: Router) -> None:
    assert read(home, "piano-1", "staff/courses").status == 200
    tier.primary.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'catalogue_app'"
    )
    assert read(home, "piano-1", "staff/courses").status == 200


def test_second_migration_changes_nothing_and_a_failing_one_leaves_the_schema(tier: Tier) -> None:
    connection = connect(tier.primary)
    assert migrate(connection, load()) == []
    broken = replace(load()[0], name="9999_broken", sql="CREATE TABLE half (a int); SELECT 1/0")
    with pytest.raises(MigrationError, match="9999_broken: division by zero"):
        migrate(connection, [*load(), broken])
    assert connection.run("SELECT to_regclass('half')") == [[None]]
    connection.close()


def test_row_is_written_without_a_search_path(tier: Tier) -> None:
    """As pg_restore does, which copies a database to another cluster."""
    connection = connect(tier.primary)
    connection.run("BEGIN")
    connection.run("SET LOCAL search_path = ''")
    connection.run(
        "INSERT INTO public.courses (id, language, subject, teacher, title, summary)"
        " SELECT 'copied-1', language, subject, teacher, title, summary"
        " FROM public.courses WHERE id = 'algebra-1'"
    )
    words = "SELECT count(DISTINCT words) FROM public.courses WHERE id IN ('algebra-1', 'copied-1')"
    assert connection.run(words) == [[1]]
    connection.run("ROLLBACK")
    connection.close()
