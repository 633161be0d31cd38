"""Filter criteria of a mapping: EventBridge patterns that select stream records.

"For filter rules, Lambda supports the same set of syntax and rules as Amazon EventBridge"
(invocation-eventfiltering). The operators are those of eb-create-pattern-operators. `validate`
rejects other operators when the mapping starts.
"""

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from aws_emulator.event_sources.errors import InvalidMappingError
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.records import Record

#: The value of an absent field, which differs from null.
_ABSENT: Final = object()
#: Data that isn't JSON. No pattern on data matches it.
_NOT_JSON: Final = object()

_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


def accepts(config: EventSourceMapping, record: Record) -> bool:
    """Tell whether the function receives the record. Lambda skips other records silently.

    "Once your filter criteria processes a Kinesis or DynamoDB record, the streams iterator
    advances past this record." (invocation-eventfiltering)
    """
    if not config.filters:
        return True
    document = _filter_document(config, record)
    # "If an event satisfies any one of these filters, Lambda sends the event to your function.
    # Otherwise, Lambda discards the event." (invocation-eventfiltering)
    return any(matches(pattern, document) for pattern in config.filters)


def _filter_document(config: EventSourceMapping, record: Record) -> dict[str, Any]:
    document = record.event
    if config.source_kind == "dynamodb":
        return document
    kinesis: dict[str, Any] = dict(document["kinesis"])
    try:
        kinesis["data"] = json.loads(base64.b64decode(kinesis["data"], validate=True))
    except (binascii.Error, ValueError):
        # "Incoming data format: Non-JSON. Filter pattern format: Valid JSON. Lambda drops the
        # record. … No filter pattern for data properties: Lambda filters (on the other metadata
        # properties only)" (invocation-eventfiltering)
        kinesis["data"] = _NOT_JSON
    return kinesis


def matches(pattern: Mapping[str, Any], document: Any) -> bool:
    """Tell whether the document matches every field of the pattern; other fields are ignored."""
    for name, rules in pattern.items():
        if name == "$or":
            # "$or": [ { … }, { … } ] matches if any of its patterns does.
            if not any(matches(option, document) for option in rules):
                return False
        elif not _matches_field(rules, _get(document, name)):
            return False
    return True


def _get(document: Any, name: str) -> Any:
    return document.get(name, _ABSENT) if isinstance(document, Mapping) else _ABSENT


def _matches_field(rules: Any, value: Any) -> bool:
    if value is _NOT_JSON:
        return False
    if isinstance(rules, Mapping):
        # A nested pattern matches a list of objects if it matches any of them.
        if isinstance(value, list):
            return any(matches(rules, item) for item in value)
        return matches(rules, value if isinstance(value, Mapping) else {})
    return any(_matches_value(rule, value) for rule in rules)


def _matches_value(rule: Any, value: Any) -> bool:
    if isinstance(rule, Mapping) and "exists" in rule:
        # eb-create-pattern-operators: "Exists matching only works on leaf nodes."
        leaf = value is not _ABSENT and not isinstance(value, Mapping)
        return leaf is bool(rule["exists"])
    # "If the value in the event is an array, then the event pattern matches if the intersection of
    # the event pattern array and the event array is non-empty." (eb-event-patterns-arrays)
    if isinstance(value, list):
        return any(_matches_value(rule, item) for item in value)
    if value is _ABSENT or isinstance(value, Mapping):
        return False
    if isinstance(rule, Mapping):
        ((name, argument),) = rule.items()
        return _OPERATORS[name](argument, value)
    return _equal(rule, value)


def _equal(rule: Any, value: Any) -> bool:
    # Python has True == 1; JSON distinguishes them.
    return type(rule) is type(value) and bool(rule == value)


def _prefix(argument: Any, value: Any) -> bool:
    if isinstance(argument, Mapping):
        return _casefold(value).startswith(_casefold(argument["equals-ignore-case"]))
    return isinstance(value, str) and value.startswith(argument)


def _suffix(argument: Any, value: Any) -> bool:
    if isinstance(argument, Mapping):
        return _casefold(value).endswith(_casefold(argument["equals-ignore-case"]))
    return isinstance(value, str) and value.endswith(argument)


def _casefold(value: Any) -> str:
    return value.casefold() if isinstance(value, str) else "\0"


def _equals_ignore_case(argument: Any, value: Any) -> bool:
    return isinstance(value, str) and value.casefold() == str(argument).casefold()


def _wildcard(argument: Any, value: Any) -> bool:
    parts = (re.escape(part) for part in re.split(r"(?<!\\)\*", argument))
    text = ".*".join(part.replace(r"\\\*", r"\*") for part in parts)
    return isinstance(value, str) and re.fullmatch(text, value, re.DOTALL) is not None


def _anything_but(argument: Any, value: Any) -> bool:
    if isinstance(argument, Mapping):
        ((name, inner),) = argument.items()
        options = inner if isinstance(inner, list) else [inner]
        return not any(_OPERATORS[name](option, value) for option in options)
    options = argument if isinstance(argument, list) else [argument]
    return not any(_equal(option, value) for option in options)


def _numeric(argument: Sequence[Any], value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    pairs = zip(argument[::2], argument[1::2], strict=True)
    return all(_COMPARE[operator](value, bound) for operator, bound in pairs)


def _cidr(argument: str, value: Any) -> bool:
    network = ipaddress.ip_network(argument)
    try:
        return ipaddress.ip_address(value) in network
    except ValueError:
        return False


_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "cidr": _cidr,
}


def validate(config: EventSourceMapping) -> None:
    """Reject patterns that AWS rejects when the mapping is created.

    "Lambda throws an exception at the time of the event source mapping creation or update. The
    filter pattern for data properties must be in a valid JSON format." (invocation-eventfiltering)
    "Kinesis event source mappings only support filtering on the data key." (with-kinesis-filtering)

    Raises:
        InvalidMappingError: A pattern is invalid.
    """
    for pattern in config.filters:
        data = pattern.get("data" if config.source_kind == "kinesis" else "dynamodb", {})
        if not isinstance(data, Mapping):
            raise InvalidMappingError(
                f"Mapping {config.uuid}: the filter on data must be an object."
            )
        _validate_level(config, pattern)
        if config.source_kind == "kinesis" and (others := _keys(pattern) - {"data"}):
            raise InvalidMappingError(
                f"Mapping {config.uuid}: the filter of a Kinesis stream has the keys "
                f"{sorted(others)}. Lambda filters on data only."
            )


def _keys(pattern: Mapping[str, Any]) -> set[str]:
    options = pattern.get("$or", [])
    return (pattern.keys() - {"$or"}).union(*map(_keys, options))


def _validate_level(config: EventSourceMapping, pattern: Mapping[str, Any]) -> None:
    for name, rules in pattern.items():
        if isinstance(rules, Mapping):
            _validate_level(config, rules)
        elif not isinstance(rules, list) or not rules:
            raise InvalidMappingError(
                f"Mapping {config.uuid}: {name!r} in its filter must be a non-empty list."
            )
        elif name == "$or":
            for option in rules:
                _validate_level(config, option)
        else:
            for rule in rules:
                if not _is_valid_rule(rule):
                    raise InvalidMappingError(
                        f"Mapping {config.uuid}: {name!r} in its filter has an invalid rule."
                    )


def _is_valid_rule(rule: Any) -> bool:
    """Tell whether a rule can be evaluated for a string and a number without an error."""
    try:
        for value in ("127.0.0.1", 1.5):
            _matches_value(rule, value)
    except (KeyError, ValueError, TypeError, AttributeError):
        return False
    return not isinstance(rule, list)
