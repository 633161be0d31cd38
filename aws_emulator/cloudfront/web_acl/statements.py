"""Rule statements of AWS WAF, as functions of a request.

AWS WAF developer guide, "Using rule statements in AWS WAF". A statement that the emulator doesn't
support is refused, because a rule without an effect would let requests pass.
"""

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

from aws_emulator.cloudfront.headers import first
from aws_emulator.cloudfront.model import Request
from aws_emulator.errors import CommandError

type Json = dict[str, Any]
type Matcher = Callable[[Request], bool]
type _Reader = Callable[[Request], str]

_TRANSFORMATIONS: Final[dict[str, Callable[[str], str]]] = {
    "NONE": lambda text: text,
    "LOWERCASE": str.lower,
    "URL_DECODE": unquote,
}
_POSITIONS: Final[dict[str, Callable[[str, str], bool]]] = {
    "EXACTLY": lambda text, searched: text == searched,
    "STARTS_WITH": str.startswith,
    "ENDS_WITH": str.endswith,
    "CONTAINS": lambda text, searched: searched in text,
}


def parse_statement(statement: Json) -> Matcher:
    """Return a statement as a function.

    Raises:
        CommandError: The emulator doesn't support the statement.
    """  # noqa: DOC501 - `_unsupported` returns the error
    ((kind, body),) = statement.items()
    match kind:
        case "AndStatement":
            inner = [parse_statement(one) for one in body["Statements"]]
            return lambda request: all(matches(request) for matches in inner)
        case "OrStatement":
            inner = [parse_statement(one) for one in body["Statements"]]
            return lambda request: any(matches(request) for matches in inner)
        case "NotStatement":
            negated = parse_statement(body["Statement"])
            return lambda request: not negated(request)
        case "RegexMatchStatement":
            read, pattern = _reader(body), re.compile(body["RegexString"])
            return lambda request: pattern.search(read(request)) is not None
        case "ByteMatchStatement" if body["PositionalConstraint"] in _POSITIONS:
            read, compare = _reader(body), _POSITIONS[body["PositionalConstraint"]]
            return lambda request: compare(read(request), body["SearchString"])
    raise _unsupported(f"the statement {kind}")


def _reader(body: Json) -> _Reader:
    """Return the function that reads the inspected component and transforms it.

    Raises:
        CommandError: The emulator doesn't support the component or a transformation.
    """  # noqa: DOC501 - `_unsupported` returns the error
    component = _component(body["FieldToMatch"])
    steps = sorted(body["TextTransformations"], key=lambda one: int(one["Priority"]))
    names = [step["Type"] for step in steps]
    for name in names:
        if name not in _TRANSFORMATIONS:
            raise _unsupported(f"the text transformation {name}")

    def read(request: Request) -> str:
        text = component(request)
        for name in names:
            text = _TRANSFORMATIONS[name](text)
        return text

    return read


def _component(field: Json) -> _Reader:
    ((name, options),) = field.items()
    match name:
        case "UriPath":
            return lambda request: request.uri
        case "Method":
            return lambda request: request.method
        case "QueryString":
            return lambda request: request.query
        case "SingleHeader":
            header = options["Name"].lower()
            return lambda request: first(request.headers, header)
    raise _unsupported(f"the component {name}")


def _unsupported(feature: str) -> CommandError:
    return CommandError(
        f"The emulator doesn't support {feature} of AWS WAF. Add it to "
        "aws_emulator/cloudfront/web_acl/statements.py, or use another one."
    )
