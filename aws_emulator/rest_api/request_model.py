"""Validate request bodies against models.

Models use JSON schema draft 4. The keywords that API Gateway ignores have no effect.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import jsonschema

from aws_emulator.rest_api.errors import DefinitionError, InvalidJsonError

#: "The maxItems and minItems tags are not included in simple request validation", and the others
#: are not supported (API Gateway important notes).
_IGNORED_KEYWORDS: Final = frozenset(
    {"minItems", "maxItems", "exclusiveMinimum", "nullable", "example", "readOnly", "discriminator"}
)
_REFERENCE: Final = "#/components/schemas/"
#: Deeper nesting would exhaust Python's recursion limit.
_MAX_DEPTH: Final = 200


class Models:
    """An API's models by name, which the schemas of its methods can reference."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        """Compile the models once for all methods of an API.

        Raises:
            DefinitionError: One isn't a valid JSON schema.
        """
        self.definitions: Final = _imported(schemas)
        _check({"definitions": self.definitions})


class RequestModel:
    """The model of a method's request, with the models that it references."""

    def __init__(self, schema: Mapping[str, Any], others: Models) -> None:
        """Compile a schema; `others` are the API's models.

        Raises:
            DefinitionError: It isn't a valid JSON schema.
        """
        document = _imported(schema)
        # `others` are checked already: their check takes most of the time.
        _check(document)
        self._validator = _Validator({**document, "definitions": others.definitions})

    def accepts(self, document: Any) -> bool:
        """Return whether a parsed body matches the model."""
        try:
            return bool(self._validator.is_valid(document))
        except RecursionError:
            return False


def parse_json(body: bytes) -> Any:
    """Parse a body.

    Raises:
        InvalidJsonError: The body isn't JSON, or is nested too deeply.
    """
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidJsonError(type(error).__name__) from error
    if _is_deeper(document, _MAX_DEPTH):
        raise InvalidJsonError("nested too deeply")
    return document


def _check(schema: Any) -> None:
    try:
        jsonschema.Draft4Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise DefinitionError(f"A model isn't a valid JSON schema: {error.message}") from error


def _reject_constant(constant: str) -> Any:
    # RFC 8259 §6: NaN and Infinity aren't JSON.
    raise ValueError(f"{constant} isn't JSON")


def _is_deeper(document: Any, limit: int) -> bool:
    level = [document]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


def _imported(schema: Any) -> Any:
    if isinstance(schema, dict):
        converted = {}
        for name, value in schema.items():
            if name in _IGNORED_KEYWORDS and not isinstance(value, dict):
                continue
            if name == "$ref" and isinstance(value, str):
                converted[name] = value.replace(_REFERENCE, "#/definitions/")
            else:
                converted[name] = _imported(value)
        return converted
    return [_imported(one) for one in schema] if isinstance(schema, list) else schema


def _ecma(pattern: str) -> re.Pattern[str]:
    # ECMA 262 regular expressions: "$" matches only the end of the text (Python's also matches
    # before a final line break), and \d and \w are ASCII.
    return re.compile(re.sub(r"(?<!\\)\$", r"\\Z", pattern), re.ASCII)


def _pattern(
    _validator: Any, pattern: str, instance: Any, _schema: Any
) -> Iterator[jsonschema.ValidationError]:
    if isinstance(instance, str) and not _ecma(pattern).search(instance):
        yield jsonschema.ValidationError("the text doesn't match the pattern")


_Validator: Any = jsonschema.validators.extend(jsonschema.Draft4Validator, {"pattern": _pattern})
