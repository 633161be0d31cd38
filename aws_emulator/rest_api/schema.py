"""Bodies are checked by JSON schema draft 4, without what API Gateway's import leaves out."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema

from aws_emulator.rest_api.errors import DefinitionError, NotJsonError

#: "The maxItems and minItems tags are not included in simple request validation", and the others
#: are not supported (API Gateway important notes).
_LEFT_OUT = frozenset(
    {"minItems", "maxItems", "exclusiveMinimum", "nullable", "example", "readOnly", "discriminator"}
)
_REFERENCE = "#/components/schemas/"
#: As deep as a body may be nested; deeper ones would end the parser rather than the request.
_MAX_DEPTH = 200


class Schema:
    """One model, with the models that it refers to."""

    def __init__(self, schema: Mapping[str, Any], others: Mapping[str, Any]) -> None:
        """Read a schema. Raises DefinitionError for one that is none."""
        document = {**_imported(schema), "definitions": _imported(others)}
        try:
            jsonschema.Draft4Validator.check_schema(document)
        except jsonschema.SchemaError as error:
            raise DefinitionError(f"A model is no JSON schema: {error.message}") from error
        self._validator = _Validator(document)

    def accepts(self, document: Any) -> bool:
        """Return whether a body, already parsed, is what the model says."""
        try:
            return bool(self._validator.is_valid(document))
        except RecursionError:
            return False


def parse_json(body: bytes) -> Any:
    """Parse a body. Raises NotJsonError."""
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise NotJsonError(type(error).__name__) from error
    if _deeper(document, _MAX_DEPTH):
        raise NotJsonError("nested too deeply")
    return document


def _refuse(constant: str) -> Any:
    # NaN and Infinity are JavaScript, not JSON (RFC 8259, section 6).
    raise ValueError(f"{constant} is no JSON")


def _deeper(document: Any, limit: int) -> bool:
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
        kept = {}
        for name, value in schema.items():
            if name in _LEFT_OUT and not isinstance(value, dict):
                continue
            if name == "$ref" and isinstance(value, str):
                kept[name] = value.replace(_REFERENCE, "#/definitions/")
            else:
                kept[name] = _imported(value)
        return kept
    return [_imported(one) for one in schema] if isinstance(schema, list) else schema


def _ecma(pattern: str) -> re.Pattern[str]:
    # ECMA 262 regular expressions: "$" is the very end, where Python's also matches before a last
    # line break; \d and \w are ASCII.
    return re.compile(re.sub(r"(?<!\\)\$", r"\\Z", pattern), re.ASCII)


def _pattern(
    _validator: Any, pattern: str, instance: Any, _schema: Any
) -> Iterator[jsonschema.ValidationError]:
    if isinstance(instance, str) and not _ecma(pattern).search(instance):
        yield jsonschema.ValidationError("the text does not match its pattern")


_Validator: Any = jsonschema.validators.extend(jsonschema.Draft4Validator, {"pattern": _pattern})
