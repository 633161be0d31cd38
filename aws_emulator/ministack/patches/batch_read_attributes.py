"""Let policies compare the attributes that a BatchGetItem names.

Gap: the condition keys dynamodb:Attributes and dynamodb:Select come from the members of GetItem and
Query, so a BatchGetItem, whose tables have their own ProjectionExpression, counts as a read of all
attributes.
Seen in: ministack 1.5.33, core/iam_actions.py, dynamodb_service_context.
Delete when: dynamodb_service_context reads the tables of RequestItems.

Source: Amazon DynamoDB developer guide, "Using IAM policy conditions for fine-grained access
control", whose examples have both keys for BatchGetItem.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_ATTRIBUTES: Final = "dynamodb:Attributes"
_SELECT: Final = "dynamodb:Select"
_ALL: Final = "ALL_ATTRIBUTES"


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Join the keys of a batch's tables."""
    actions = Symbols("ministack.core.iam_actions", "dynamodb_service_context")

    def wrapped(original: Callable[[bytes], dict[str, Any]]) -> Callable[[bytes], dict[str, Any]]:
        def context(body: bytes) -> dict[str, Any]:
            reads = _reads(body)
            if not reads:
                return original(body)
            keys = [original(json.dumps(read).encode()) for read in reads]
            selected = {it[_SELECT] for it in keys}
            attributes = sorted({name for it in keys for name in it.get(_ATTRIBUTES, ())})
            joined = {_SELECT: _ALL if _ALL in selected else selected.pop()}
            return joined | ({_ATTRIBUTES: attributes} if attributes else {})

        return context

    actions.wrap("dynamodb_service_context", wrapped)


def _reads(body: bytes) -> list[dict[str, Any]]:
    """Return the read of each table of a BatchGetItem; none of another request."""
    try:
        tables = json.loads(body or b"{}").get("RequestItems", {})
    except (ValueError, AttributeError):
        return []
    reads = list(tables.values()) if isinstance(tables, dict) else []
    # Those of a BatchWriteItem are lists.
    return reads if all(isinstance(read, dict) for read in reads) else []
