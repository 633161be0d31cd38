"""From a request to an answer: paths, methods, headers and errors, without a transport."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from catalogue.changes import REQUEST_ID, Caller, Changes
from catalogue.courses import Answer, Courses
from catalogue.errors import (
    CatalogueError,
    MethodError,
    PrimaryLostError,
    RequestError,
    UnavailableError,
    UnknownPathError,
)
from catalogue.http import Request, Response, decode, json_response, matches, parse_query
from catalogue.model import ID, parse_course, parse_search

#: Seconds after which a caller may try again: a failover takes about a minute.
RETRY_AFTER_S: Final = 5
RETRY_CHANGE_AFTER_S: Final = 30
#: CloudFront may serve an answer for this time while it asks again, and if all Regions are lost.
STALE_WHILE_REVALIDATE_S: Final = 30
STALE_IF_ERROR_S: Final = 3_600
#: A course that doesn't exist, for the same time as CloudFront's default.
MISSING_S: Final = 10
SEARCH_PARAMETERS: Final = frozenset({"q", "language", "subject", "after", "limit"})
NONE: Final[frozenset[str]] = frozenset()
NO_STORE: Final = {"Cache-Control": "no-store"}


class Tokens(Protocol):
    """Verify the access token of a request."""

    def verify(self, headers: Mapping[str, str]) -> str:
        """Return the `sub` of the member of the staff who sent the request."""


class Router:
    """Answer the catalogue's requests."""

    def __init__(
        self,
        courses: Courses,
        changes: Changes,
        tokens: Callable[[], Tokens],
        region: str,
        *,
        checks_database: bool = True,
        log: Callable[[str], None] = print,
    ) -> None:
        """`tokens` is called at the first change only; `region` is the header X-Region.

        Without `checks_database`, a health check opens no connection, so that the database can
        pause.
        """
        self._courses = courses
        self._changes = changes
        self._tokens = tokens
        self._region = region
        self._checks_database = checks_database
        self._log = log

    def close(self) -> None:
        """Close the connections; the next request opens others."""
        self._courses.close()

    def respond(self, request: Request) -> Response:
        """Return the answer to a request, also for refusals."""
        started = time.perf_counter()
        try:
            response = self._route(request)
            code = ""
        except CatalogueError as error:
            code, response = error.code, refusal(error)
        headers = dict(response.headers) | {"X-Region": self._region}
        response = Response(response.status, headers, response.body)
        self._log(
            json.dumps(
                {
                    "level": "INFO" if response.status < 500 else "ERROR",
                    "message": "catalogue",
                    "status": response.status,
                    "code": code,
                    "age": headers.get("Age", ""),
                    "stale": headers.get("X-Cache-State", ""),
                    "duration_ms": round((time.perf_counter() - started) * 1000, 1),
                    "trace": request.headers.get("x-amzn-trace-id", ""),
                }
            )
        )
        if request.method == "HEAD":
            return Response(response.status, response.headers, "")
        return response

    def _route(self, request: Request) -> Response:
        segments = [decode(segment) for segment in request.path.split("/")]
        match segments:
            case ["", "catalogue", "health"]:
                _allow(request, "GET", "HEAD")
                document = {"generation": self._courses.check()} if self._checks_database else {}
                return json_response(200, document, NO_STORE)
            case ["", "catalogue", "subjects"]:
                _allow(request, "GET", "HEAD")
                parse_query(request.query, NONE)
                return _cached(request, self._courses.subjects())
            case ["", "catalogue", "teachers"]:
                _allow(request, "GET", "HEAD")
                parse_query(request.query, NONE)
                return _cached(request, self._courses.teachers())
            case ["", "catalogue", "courses"]:
                _allow(request, "GET", "HEAD")
                search = parse_search(parse_query(request.query, SEARCH_PARAMETERS))
                return _cached(request, self._courses.search(search))
            case ["", "catalogue", "courses", identity]:
                _allow(request, "GET", "HEAD")
                parse_query(request.query, NONE)
                return _cached(request, self._courses.course(_identity(identity)))
            case ["", "catalogue", "staff", "courses", *rest] if len(rest) <= 1:
                return self._staff(request, rest)
        raise UnknownPathError("The catalogue has no such path.")

    def _staff(self, request: Request, rest: list[str]) -> Response:
        staff = self._tokens().verify(request.headers)
        if request.method in {"GET", "HEAD"}:
            return self._newest(request, rest)
        if not rest:
            _allow(request, "GET", "HEAD", "POST")
            document = _body(request)
            identity = _identity(str(document.pop("id", "")))
            course = parse_course(identity, json.dumps(document).encode())
            result = self._changes.create(_caller(request, staff), course)
            return json_response(result.status, result.document, NO_STORE)
        identity = _identity(rest[0])
        _allow(request, "GET", "HEAD", "PUT", "DELETE")
        caller = _caller(request, staff)
        if request.method == "DELETE":
            result = self._changes.archive(caller, identity)
        else:
            result = self._changes.change(caller, parse_course(identity, request.body))
        return json_response(result.status, result.document, NO_STORE)

    def _newest(self, request: Request, rest: list[str]) -> Response:
        if rest:
            parse_query(request.query, NONE)
            answer = self._courses.course(_identity(rest[0]), newest=True)
        else:
            search = parse_search(parse_query(request.query, SEARCH_PARAMETERS))
            answer = self._courses.search(search, newest=True)
        return json_response(200, answer.document, NO_STORE)


def refusal(error: CatalogueError) -> Response:
    """Return the answer for an error: its code and message."""
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, PrimaryLostError):
        headers["Retry-After"] = str(RETRY_CHANGE_AFTER_S)
    elif isinstance(error, UnavailableError):
        headers["Retry-After"] = str(RETRY_AFTER_S)
    elif isinstance(error, MethodError):
        headers["Allow"] = error.allowed
    elif error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    elif error.status == 404:
        headers["Cache-Control"] = f"public, max-age={MISSING_S}"
    return json_response(error.status, {"code": error.code, "detail": str(error)}, headers)


def _cached(request: Request, answer: Answer) -> Response:
    headers = {
        "Cache-Control": f"public, max-age={answer.age_s + answer.fresh_for_s}, "
        f"stale-while-revalidate={STALE_WHILE_REVALIDATE_S}, stale-if-error={STALE_IF_ERROR_S}",
        # An answer's age counts from its loading (RFC 9111, section 5.1).
        "Age": str(answer.age_s),
    }
    if answer.is_stale:
        headers["X-Cache-State"] = "stale"
    response = json_response(200, answer.document, headers)
    if matches(request.headers.get("if-none-match", ""), response.headers["ETag"]):
        validators = {name: response.headers[name] for name in ("Cache-Control", "Age", "ETag")}
        return Response(304, validators, "")
    return response


def _identity(text: str) -> str:
    if not ID.fullmatch(text):
        raise RequestError("id_malformed", "An id is a name such as algebra-1.")
    return text


def _body(request: Request) -> dict[str, Any]:
    try:
        document = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise RequestError("body_malformed", "The body isn't JSON.") from error
    if not isinstance(document, dict):
        raise RequestError("body_malformed", "The body isn't a JSON object.")
    return document


def _caller(request: Request, staff: str) -> Caller:
    identity = request.headers.get("idempotency-key", "")
    if not REQUEST_ID.fullmatch(identity):
        raise RequestError(
            "request_id_malformed",
            "A change needs the header Idempotency-Key: 8 to 128 characters.",
        )
    return Caller(staff, identity)


def _allow(request: Request, *methods: str) -> None:
    if request.method not in methods:
        raise MethodError(", ".join(methods))
