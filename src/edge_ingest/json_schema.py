"""A part of JSON Schema (draft 2020-12) for tracking plans: the keywords in `KEYWORDS`.

Without `pattern`, a value can't make a check slow, and without `$ref` a schema is as deep as it is
written. `settings` refuses schemas with other keywords, so that no rule is ignored silently.
"""

from typing import Any, Final

TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")
MAX_DEPTH: Final = 10
#: Keywords that describe a schema, and check nothing.
ANNOTATIONS: Final = frozenset({"$schema", "$comment", "title", "description", "examples"})
_COUNTS: Final = ("minLength", "maxLength", "minItems", "maxItems")
_NUMBERS: Final = ("minimum", "maximum")
KEYWORDS: Final = frozenset(
    {
        *("type", "enum", "const", "required", "properties", "additionalProperties", "items"),
        *_COUNTS,
        *_NUMBERS,
    }
)


class SchemaError(ValueError):
    """Raised when a schema is invalid, or has a keyword that this module doesn't support."""


def check_schema(schema: object, where: str = "the schema", depth: int = 0) -> None:
    """Check a schema. `where` names it in the message of an error.

    Raises:
        SchemaError: The schema is invalid, unsupported or too deep.
    """
    if not isinstance(schema, dict):
        raise SchemaError(f"{where} must be an object")
    if depth > MAX_DEPTH:
        raise SchemaError(f"{where} is nested deeper than {MAX_DEPTH} levels")
    if unknown := sorted(schema.keys() - KEYWORDS - ANNOTATIONS):
        raise SchemaError(f"{where} has an unsupported keyword: {unknown[0]}")
    _check_values(schema, where)
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        raise SchemaError(f"{where}.properties must be an object")
    for name, inner in properties.items():
        check_schema(inner, f"{where}.properties.{name}", depth + 1)
    if "items" in schema:
        check_schema(schema["items"], f"{where}.items", depth + 1)


def _check_values(schema: dict[str, Any], where: str) -> None:
    """Check the values of the keywords without inner schemas.

    Raises:
        SchemaError: A value is invalid.
    """
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if not all(kind in TYPES for kind in kinds):
        raise SchemaError(f"{where}.type must be one of {', '.join(TYPES)}, or a list of them")
    for keyword in ("enum", "required"):
        if not isinstance(schema.get(keyword, []), list):
            raise SchemaError(f"{where}.{keyword} must be a list")
    if not all(isinstance(name, str) for name in schema.get("required", [])):
        raise SchemaError(f"{where}.required must be a list of names")
    if not isinstance(schema.get("additionalProperties", True), bool):
        raise SchemaError(f"{where}.additionalProperties must be true or false")
    for keyword in (*_COUNTS, *_NUMBERS):
        value = schema.get(keyword, 0)
        if not _is(value, "number") or (keyword in _COUNTS and (value < 0 or value % 1)):
            raise SchemaError(f"{where}.{keyword} must be a number")


def find_violation(schema: dict[str, Any], value: object, where: str) -> str | None:
    """Return what is wrong with a decoded JSON value, or None. The text has no part of the value.

    `where` names the value, such as `properties`. `schema` has passed check_schema.
    """
    kinds = schema.get("type")
    if kinds is not None:
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if not any(_is(value, kind) for kind in kinds):
            return f"{where} must have the type {' or '.join(kinds)}"
    if "const" in schema and not _equal(value, schema["const"]):
        return f"{where} must have the value of const"
    if "enum" in schema and not any(_equal(value, one) for one in schema["enum"]):
        return f"{where} must be one of the values of enum"
    if isinstance(value, dict):
        return _violation_of_object(schema, value, where)
    if isinstance(value, list):
        return _violation_of_array(schema, value, where)
    return _violation_of_scalar(schema, value, where)


def _violation_of_object(schema: dict[str, Any], value: dict[str, Any], where: str) -> str | None:
    for name in schema.get("required", ()):
        if name not in value:
            return f"{where}.{name} is missing"
    properties = schema.get("properties", {})
    if schema.get("additionalProperties") is False and not value.keys() <= properties.keys():
        return f"{where} has a property that the plan doesn't name"
    for name, inner in properties.items():
        if name in value and (violation := find_violation(inner, value[name], f"{where}.{name}")):
            return violation
    return None


def _violation_of_array(schema: dict[str, Any], value: list[Any], where: str) -> str | None:
    if len(value) < schema.get("minItems", 0):
        return f"{where} has fewer items than minItems"
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        return f"{where} has more items than maxItems"
    if "items" in schema:
        for item in value:
            if violation := find_violation(schema["items"], item, f"{where}[]"):
                return violation
    return None


def _violation_of_scalar(schema: dict[str, Any], value: object, where: str) -> str | None:
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            return f"{where} is shorter than minLength"
        if "maxLength" in schema and len(value) > schema["maxLength"]:
            return f"{where} is longer than maxLength"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if "minimum" in schema and value < schema["minimum"]:
            return f"{where} is less than minimum"
        if "maximum" in schema and value > schema["maximum"]:
            return f"{where} is greater than maximum"
    return None


def _is(value: object, kind: str) -> bool:
    """Return whether a value has a type. A number without a fraction is an integer (6.1.1)."""
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, int | float):
        return kind == "number" or (kind == "integer" and value % 1 == 0)
    names = {str: "string", list: "array", dict: "object", type(None): "null"}
    return kind == names[type(value)]


def _equal(one: object, other: object) -> bool:
    """Return whether two JSON values are equal. In Python, True equals 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other
