"""Render mapping templates, with the variables `$input`, `$util` and `$context`.

Source: "Mapping template and access logging variable reference".
"""

import base64
import functools
import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote_plus, unquote_plus

import airspeed

from aws_emulator.rest_api.errors import GatewayResponseError

_STEP: Final = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]|\['([^']+)'\]")
#: The characters that Java's StringEscapeUtils.escapeJavaScript escapes.
_SPECIAL: Final = re.compile(r"""[^ -\x7f]|["'\\/]""")
_JAVA_ESCAPES: Final = {
    '"': '\\"', "\\": "\\\\", "/": "\\/", "'": "\\'",
    "\b": "\\b", "\n": "\\n", "\t": "\\t", "\f": "\\f", "\r": "\\r",
}  # fmt: skip


class OverrideMap(dict[str, Any]):
    """`$context.responseOverride` and `$context.requestOverride`.

    "An override may only be applied to each parameter once. If you try to override the same
    parameter multiple times, API Gateway returns a 5XX response."
    """

    def __setitem__(self, name: str, value: Any) -> None:
        """Set an override.

        Raises:
            ValueError: The override is already set.
        """
        if name in self:
            raise ValueError(f"{name} is overridden twice")
        super().__setitem__(name, value)


class Input:
    """`$input`: a body, and the parameters of the request."""

    def __init__(self, body: str, parameters: Mapping[str, Mapping[str, str]]) -> None:
        """`parameters` by location: path, querystring, header."""
        #: `$input.body`: "The raw request payload as a string."
        self.body = body
        self._parameters = parameters

    def json(self, path: str = "$") -> str:
        """Evaluate a JSONPath expression; return the result as JSON text.

        Raises:
            ValueError: The body isn't JSON, or the expression isn't supported.
        """
        value = _walk(self._document(), path)
        return '""' if value is None else json.dumps(value, ensure_ascii=False)

    def path(self, path: str = "$") -> Any:
        """Evaluate a JSONPath expression; return the result as a value for the template.

        Raises:
            ValueError: The body isn't JSON, or the expression isn't supported.
        """
        return _walk(self._document(), path)

    def params(self, name: str | None = None) -> Any:
        """Return a parameter "searched for in the path, query string and header, in that order"."""
        if name is None:
            return self._parameters
        for location in ("path", "querystring", "header"):
            values = self._parameters[location]
            key = name.lower() if location == "header" else name
            if key in values:
                return values[key]
        return ""

    def _document(self) -> Any:
        return json.loads(self.body) if self.body.strip() else {}


class Util:
    """`$util`, with the method names of the reference."""

    @staticmethod
    def escapeJavaScript(text: Any) -> str:  # noqa: N802 - the reference's name
        r"""Escape as Java does: also single quotes and slashes, and \uXXXX beyond ASCII."""
        return "null" if text is None else _SPECIAL.sub(_escaped, str(text))

    @staticmethod
    def parseJson(text: str) -> Any:  # noqa: N802 - the reference's name
        """Parse JSON text and return the value."""
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


def render(template: str, template_input: Input, context: dict[str, Any]) -> str:
    """Render a template.

    Raises:
        GatewayResponseError: The template fails (DEFAULT_5XX).
    """
    try:
        compiled = _compiled(template)
        return str(compiled.merge({"input": template_input, "util": Util(), "context": context}))
    except (airspeed.TemplateError, ValueError, TypeError, AttributeError) as error:
        # The reason omits the error's message, because it can quote values of the request.
        raise GatewayResponseError(
            "DEFAULT_5XX", f"a template failed with {type(error).__name__}"
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
        raise ValueError(f"the JSONPath {path} is not supported")
    return node


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character in _JAVA_ESCAPES:
        return _JAVA_ESCAPES[character]
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02X}{units[i + 1]:02X}" for i in range(0, len(units), 2))
