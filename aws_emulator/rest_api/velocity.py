"""Mapping templates: the variables that API Gateway gives a template, and the engine.

The rules are those of "Mapping template and access logging variable reference".
"""

import base64
import functools
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, unquote_plus

import airspeed

from aws_emulator.rest_api.errors import RefusedError

_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]|\['([^']+)'\]")
#: What Java's StringEscapeUtils.escapeJavaScript does not leave alone.
_SPECIAL = re.compile(r"""[^ -\x7f]|["'\\/]""")
_JAVA_ESCAPES = {
    '"': '\\"', "\\": "\\\\", "/": "\\/", "'": "\\'",
    "\b": "\\b", "\n": "\\n", "\t": "\\t", "\f": "\\f", "\r": "\\r",
}  # fmt: skip


class Once(dict[str, Any]):
    """Overrides. "An override may only be applied to each parameter once. If you try to override
    the same parameter multiple times, API Gateway returns a 5XX response."
    """

    def __setitem__(self, name: str, value: Any) -> None:
        """Set what was not set before."""
        if name in self:
            raise ValueError(f"{name} is overridden twice")
        super().__setitem__(name, value)


class Input:
    """$input: a body, and the parameters of the request."""

    def __init__(self, body: str, parameters: Mapping[str, Mapping[str, str]]) -> None:
        """`parameters` by place: path, querystring, header."""
        self._body = body
        self._parameters = parameters

    def json(self, path: str = "$") -> str:
        """Evaluate a JSONPath expression; the result as a JSON string."""
        found = _walk(self._document(), path)
        return '""' if found is None else json.dumps(found, ensure_ascii=False)

    def path(self, path: str = "$") -> Any:
        """Evaluate a JSONPath expression; the result as a value that the template can use."""
        return _walk(self._document(), path)

    def params(self, name: str | None = None) -> Any:
        """Return a parameter "searched for in the path, query string and header, in that order"."""
        if name is None:
            return self._parameters
        for place in ("path", "querystring", "header"):
            values = self._parameters[place]
            wanted = name.lower() if place == "header" else name
            if wanted in values:
                return values[wanted]
        return ""

    def _document(self) -> Any:
        return json.loads(self._body) if self._body.strip() else {}


class Util:
    """$util. Names are those of the reference."""

    @staticmethod
    def escapeJavaScript(text: Any) -> str:  # noqa: N802 - the reference's name
        """Escape for JavaScript: single quotes and slashes too, and \\uXXXX beyond ASCII."""
        return "null" if text is None else _SPECIAL.sub(_escaped, str(text))

    @staticmethod
    def parseJson(text: str) -> Any:  # noqa: N802 - the reference's name
        """Take "stringified" JSON and return an object representation of the result."""
        return json.loads(text)

    @staticmethod
    def urlEncode(text: Any) -> str:  # noqa: N802 - the reference's name
        """Convert a string into "application/x-www-form-urlencoded" format."""
        return quote_plus(str(text), safe="*", errors="replace").replace("~", "%7E")

    @staticmethod
    def urlDecode(text: Any) -> str:  # noqa: N802 - the reference's name
        """Decode an "application/x-www-form-urlencoded" string."""
        return unquote_plus(str(text), errors="replace")

    @staticmethod
    def base64Encode(text: Any) -> str:  # noqa: N802 - the reference's name
        """Encode the data into a base64-encoded string."""
        return base64.b64encode(str(text).encode()).decode()

    @staticmethod
    def base64Decode(text: Any) -> str:  # noqa: N802 - the reference's name
        """Decode the data from a base64-encoded string."""
        return base64.b64decode(str(text)).decode(errors="replace")


def render(template: str, given: Input, context: dict[str, Any]) -> str:
    """Render a template. Raises RefusedError (a 5XX) where the engine would end."""
    try:
        compiled = _compiled(template)
        return str(compiled.merge({"input": given, "util": Util(), "context": context}))
    except (airspeed.TemplateError, ValueError, TypeError, AttributeError) as error:
        # Not the error's own words: they quote values.
        raise RefusedError(
            "DEFAULT_5XX", f"a template ended with {type(error).__name__}"
        ) from error


@functools.lru_cache(256)
def _compiled(template: str) -> Any:
    return airspeed.Template(template)


def _walk(document: Any, path: str) -> Any:
    rest = path.removeprefix("$")
    node, end = document, 0
    for step in _STEP.finditer(rest):
        if step.start() != end:
            break
        end = step.end()
        key = step[1] or step[3]
        if key is not None:
            node = node.get(key) if isinstance(node, dict) else None
        else:
            index = int(step[2])
            node = node[index] if isinstance(node, list) and index < len(node) else None
        if node is None:
            return None
    if end != len(rest):
        raise ValueError(f"{path} is more than the JSONPath that is served here")
    return node


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character in _JAVA_ESCAPES:
        return _JAVA_ESCAPES[character]
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02X}{units[i + 1]:02X}" for i in range(0, len(units), 2))
