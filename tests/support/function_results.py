"""The result of a function as its caller gets it."""

import json
from typing import Any


def as_sent(result: Any) -> Any:
    """Return a result after JSON; refuse types that Lambda's runtime changes.

    The runtime encodes with simplejson, whose default makes an object of a named tuple.
    """
    _check(result, "result")
    return json.loads(json.dumps(result))


def _check(value: Any, where: str) -> None:
    if type(value) is dict:
        for key, item in value.items():
            assert type(key) is str, f"{where} has the key {key!r}"
            _check(item, f"{where}.{key}")
    elif type(value) in {list, tuple}:
        for number, item in enumerate(value):
            _check(item, f"{where}[{number}]")
    else:
        allowed = {str, int, float, bool, type(None)}
        assert type(value) in allowed, f"{where} is a {type(value).__name__}"
