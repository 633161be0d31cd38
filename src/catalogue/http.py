"""Requests and responses without a transport. Pure.

An Application Load Balancer decodes neither path nor query ("Lambda functions as targets"), and a
server gets them undecoded too, so decoding is done here, once and strictly.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final
from urllib.parse import unquote_to_bytes

from catalogue.errors import RequestError

#: "The maximum size of the request body that you can send to a Lambda function is 1 MB" (ELB).
MAX_BODY_BYTES: Final = 1_000_000
MAX_QUERY_CHARS: Final = 2_000
_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
#: C0 and C1 controls: PostgreSQL rejects NUL, and no search has another one.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")

type Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `path` and `query` are as sent; header names are in lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: status, headers and the body's text."""

    status: int
    headers: Mapping[str, str]
    body: str


def decode(text: str, *, plus: bool = False) -> str:
    """Return a percent-decoded part of a URL.

    Args:
        text: The part, as sent.
        plus: A plus sign means a space, as in a query.

    Raises:
        RequestError: An escape is incomplete, or the bytes aren't UTF-8 or contain a control
            character.
    """
    if _ESCAPE.search(text):
        raise RequestError("escape_malformed", "A percent sign needs two hexadecimal digits.")
    try:
        decoded = unquote_to_bytes(text.replace("+", " ") if plus else text).decode()
        decoded.encode()
    except UnicodeError as error:
        raise RequestError("not_utf8", "The address must be UTF-8.") from error
    if _CONTROL.search(decoded):
        raise RequestError("control_character", "The address contains a control character.")
    return decoded


def parse_query(text: str, names: frozenset[str]) -> Query:
    """Return the parameters of a query.

    Raises:
        RequestError: The query is too long, or a parameter is unknown, repeated or malformed.
    """
    if len(text) > MAX_QUERY_CHARS:
        raise RequestError("query_too_long", f"A query has at most {MAX_QUERY_CHARS} characters.")
    query: dict[str, str] = {}
    for pair in filter(None, text.split("&")):
        raw_name, _, raw_value = pair.partition("=")
        name = decode(raw_name, plus=True)
        if name not in names:
            raise RequestError(
                "parameter_unknown", f"The parameters are {', '.join(sorted(names))}."
            )
        if name in query:
            raise RequestError("parameter_repeated", f"The parameter {name} may occur once.")
        query[name] = decode(raw_value, plus=True)
    return query


def json_response(status: int, document: object, headers: Mapping[str, str]) -> Response:
    """Return a JSON answer with an ETag of its body."""
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    tag = f'"{sha256(body.encode()).hexdigest()[:32]}"'
    fixed = {"Content-Type": "application/json; charset=utf-8", "X-Content-Type-Options": "nosniff"}
    return Response(status, fixed | {"ETag": tag} | dict(headers), body)


def matches(if_none_match: str, tag: str) -> bool:
    """Return whether a cached answer is current: weak comparison (RFC 9110, section 13.1.2)."""
    tags = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return "*" in tags or tag in tags
