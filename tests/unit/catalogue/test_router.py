"""Paths, methods, headers and errors, over the fakes of test_courses."""

import json
from collections.abc import Mapping
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue import changes
from catalogue.cache import iam_token
from catalogue.changes import Caller, Result
from catalogue.errors import CatalogueError, NotSignedInError, PrimaryLostError, SettingsError
from catalogue.http import Request, Response
from catalogue.model import Course
from catalogue.router import Router
from catalogue.settings import Address, parse
from tests.unit.catalogue.test_courses import System
from tests.unit.catalogue.test_model import COURSE

KEY = {"idempotency-key": "8f4c7d5e-1c2b"}
STAFF = {"authorization": "Bearer staff"} | KEY


class Tokens:
    def verify(self, headers: Mapping[str, str]) -> str:
        if headers.get("authorization") != "Bearer staff":
            raise NotSignedInError("no token")
        return "clerk"


class Changes:
    """Record the changes, or fail like a lost primary."""

    def __init__(self, error: CatalogueError | None = None) -> None:
        self.error = error
        self.calls: list[tuple[Any, ...]] = []

    def _record(self, *call: object) -> Result:
        if self.error is not None:
            raise self.error
        self.calls.append(call)
        return Result(201 if call[0] == "create" else 200, {"generation": 2})

    def create(self, caller: Caller, course: Course) -> Result:
        return self._record("create", caller, course)

    def change(self, caller: Caller, course: Course) -> Result:
        return self._record("change", caller, course)

    def archive(self, caller: Caller, identity: str) -> Result:
        return self._record("archive", caller, identity)


class Site:
    def __init__(self, error: CatalogueError | None = None) -> None:
        self.system = System()
        self.changes = Changes(error)
        self.lines: list[str] = []
        self.router = Router(
            self.system.courses,
            cast("changes.Changes", self.changes),
            Tokens,
            "eu-west-2",
            log=self.lines.append,
        )

    def get(self, path: str, query: str = "", **headers: str) -> Response:
        return self.router.respond(Request("GET", path, query, headers))

    def send(self, method: str, path: str, document: object, **headers: str) -> Response:
        body = json.dumps(document).encode()
        return self.router.respond(Request(method, path, "", STAFF | headers, body))


def code(response: Response) -> str:
    return str(json.loads(response.body)["code"])


def test_course_has_age_cache_control_tag_and_region() -> None:
    site = Site()
    site.get("/catalogue/courses/algebra-1")
    site.system.clock.now += 5
    headers = site.get("/catalogue/courses/algebra-1").headers
    assert headers["Age"] == "5"
    assert headers["Cache-Control"] == (
        "public, max-age=30, stale-while-revalidate=30, stale-if-error=3600"
    )
    assert headers["X-Region"] == "eu-west-2"
    assert headers["Content-Type"] == "application/json; charset=utf-8"


def test_current_tag_is_answered_without_a_body() -> None:
    site = Site()
    tag = site.get("/catalogue/courses/algebra-1").headers["ETag"]
    request = Request("GET", "/catalogue/courses/algebra-1", "", {"if-none-match": tag})
    response = site.router.respond(request)
    assert (response.status, response.body) == (304, "")
    assert response.headers["ETag"] == tag


def test_head_has_the_headers_of_get() -> None:
    site = Site()
    get = site.get("/catalogue/courses/algebra-1")
    head = site.router.respond(Request("HEAD", "/catalogue/courses/algebra-1"))
    assert (head.status, head.body) == (200, "")
    assert head.headers["ETag"] == get.headers["ETag"]


@pytest.mark.parametrize(
    ("path", "query", "status", "expected"),
    [
        ("/catalogue", "", 404, "not_found"),
        ("/catalogue/courses/a/b", "", 404, "not_found"),
        ("/catalogue/courses/a%2Fb", "", 400, "id_malformed"),
        ("/catalogue/courses/..%2f..%2fetc", "", 400, "id_malformed"),
        ("/catalogue/courses/%ff", "", 400, "not_utf8"),
        ("/catalogue/courses/algebra-1", "x=1", 400, "parameter_unknown"),
        ("/catalogue/courses", "q=%27", 400, "search_without_words"),
        ("/catalogue/courses", "order=price", 400, "parameter_unknown"),
        ("/catalogue/subjects", "q=a", 400, "parameter_unknown"),
        ("/catalogue/teachers", "q=a", 400, "parameter_unknown"),
    ],
)
def test_wrong_address_has_a_stable_code(path: str, query: str, status: int, expected: str) -> None:
    response = Site().get(path, query)
    assert (response.status, code(response)) == (status, expected)


def empty(sql: str, values: dict[str, Any]) -> Any:
    """Answer as an empty database."""
    if "catalogue_search" in sql:
        return [[1, *[None] * 13]]
    if "catalogue_corrected" in sql:
        return [[values["words"]]]
    return [[1]] if "SELECT number" in sql else []


@given(st.text(max_size=50), st.text(max_size=50))
def test_any_address_gets_an_answer_below_500(path: str, query: str) -> None:
    site = Site()
    site.system.is_missing = True
    site.system.reader.answer = empty
    assert site.get(f"/catalogue/courses/{path}", query).status < 500


def test_unsupported_method_names_the_supported_ones() -> None:
    response = Site().router.respond(Request("POST", "/catalogue/courses"))
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")


def test_health_reads_the_reader_and_is_not_cached() -> None:
    site = Site()
    assert site.get("/catalogue/health").headers["Cache-Control"] == "no-store"
    site.system.is_lost = True
    response = site.get("/catalogue/health")
    assert (response.status, code(response)) == (503, "catalogue_unavailable")
    assert response.headers["Retry-After"] == "5"


def test_health_of_the_process_asks_no_database() -> None:
    site = Site()
    site.system.is_lost = True
    courses, none = site.system.courses, cast("changes.Changes", site.changes)
    router = Router(
        courses, none, Tokens, "eu-west-2", checks_database=False, log=site.lines.append
    )
    assert router.respond(Request("GET", "/catalogue/health")).status == 200


@pytest.mark.parametrize(
    ("method", "path", "document", "action", "status"),
    [
        ("POST", "/catalogue/staff/courses", COURSE | {"id": "algebra-1"}, "create", 201),
        ("PUT", "/catalogue/staff/courses/algebra-1", COURSE, "change", 200),
        ("DELETE", "/catalogue/staff/courses/algebra-1", None, "archive", 200),
    ],
)
def test_change_of_the_staff_is_passed_on(
    method: str, path: str, document: object, action: str, status: int
) -> None:
    site = Site()
    response = site.send(method, path, document)
    assert response.status == status
    assert response.headers["Cache-Control"] == "no-store"
    call = site.changes.calls[0]
    assert call[0] == action
    assert call[1] == Caller("clerk", "8f4c7d5e-1c2b")
    assert "algebra-1" in {call[2], getattr(call[2], "id", "")}


def test_change_needs_a_token_and_a_request_id() -> None:
    site = Site()
    anonymous = site.send("PUT", "/catalogue/staff/courses/algebra-1", COURSE, authorization="")
    assert (anonymous.status, code(anonymous)) == (401, "not_signed_in")
    headers = {"idempotency-key": "short"}
    unnamed = site.send("PUT", "/catalogue/staff/courses/algebra-1", COURSE, **headers)
    assert (unnamed.status, code(unnamed)) == (400, "request_id_malformed")
    assert site.changes.calls == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{"])
def test_new_course_without_object_is_refused(body: bytes) -> None:
    request = Request("POST", "/catalogue/staff/courses", "", STAFF, body)
    assert Site().router.respond(request).status == 400


def test_lost_primary_refuses_changes_and_not_reads() -> None:
    site = Site(PrimaryLostError("lost"))
    response = site.send("PUT", "/catalogue/staff/courses/algebra-1", COURSE)
    assert (response.status, code(response)) == (503, "changes_unavailable")
    assert response.headers["Retry-After"] == "30"
    assert site.get("/catalogue/courses/algebra-1").status == 200


def test_staff_read_their_change_at_once() -> None:
    site = Site()
    site.get("/catalogue/courses/algebra-1")
    request = Request("GET", "/catalogue/staff/courses/algebra-1", "", STAFF)
    response = site.router.respond(request)
    assert json.loads(response.body)["title"] == "Newest"
    assert response.headers["Cache-Control"] == "no-store"


def test_log_has_one_line_for_each_request_without_the_search() -> None:
    site = Site()
    site.get("/catalogue/courses/algebra-1", "q=secret")
    assert len(site.lines) == 1
    assert json.loads(site.lines[0])["code"] == "parameter_unknown"
    assert "secret" not in site.lines[0]


ENVIRONMENT = {
    "CATALOGUE_READER": "reader.example:5432",
    "CATALOGUE_WRITER": "writer.example:5432",
    "CATALOGUE_DATABASE": "catalogue",
    "CATALOGUE_USER": "catalogue_app",
    "STAFF_ISSUER": "https://issuer.example",
    "STAFF_CLIENTS": "one,two",
    "STAFF_KEYS": "{}",
    "AWS_REGION": "eu-west-2",
    "HOME_REGION": "us-east-1",
}


def test_settings_have_typed_addresses() -> None:
    settings = parse(ENVIRONMENT | {"CATALOGUE_CACHE": "cache.example:6379"})
    assert settings.reader == Address("reader.example", 5_432)
    assert settings.cache == Address("cache.example", 6_379)
    assert settings.clients == ("one", "two")
    assert parse(ENVIRONMENT).cache is None


@pytest.mark.parametrize(
    "changes",
    [
        {"CATALOGUE_READER": "reader.example"},
        {"CATALOGUE_READER": "reader.example:0"},
        {"CATALOGUE_WRITER": ""},
        {"CATALOGUE_AUTH": "password"},
        {"CATALOGUE_CACHE_MODE": "sentinel"},
        {"STAFF_KEYS": ""},
        {"CATALOGUE_HEALTH": "all"},
    ],
)
def test_invalid_setting_is_named(changes: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=next(iter(changes))):
        parse(ENVIRONMENT | changes)


def test_cache_token_is_signed_without_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    token = iam_token("meridian-dev", "catalogue", "eu-west-2")
    assert token.startswith("meridian-dev/?Action=connect&User=catalogue&")
    assert "ResourceType=ServerlessCache" in token
    assert "%2Feu-west-2%2Felasticache%2Faws4_request" in token
