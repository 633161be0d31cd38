"""Items that expire are deleted within seconds, and their table's stream says by whom.

Gap: MiniStack looks for expired items once a minute, and deletes them without a record on the
table's stream.
Seen in: ministack 1.5.33, dynamodb.py, _ttl_reaper.
Delete when: a deletion by Time to Live is on the table's stream, with its userIdentity.
"""

import contextvars
import threading
import time
from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control import Application, Control, Message, Receive, Send
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

#: "within a few days of their expiration" ("Using time to live (TTL) in DynamoDB"): any pace is
#: right, and who looks at a laptop does not want to wait.
INTERVAL_S = 1.0
#: A look goes through every item and holds up every request: no more than this of the time.
SHARE = 0.02
_REAPER = "dynamodb-ttl-reaper"
#: The record of such a deletion ("DynamoDB Streams and Time to Live").
_BY_TTL = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}


def install(_settings: Settings, _control: Control, application: Application) -> Application:
    """Look for expired items between requests: then no request is half done."""
    tables = Part(
        "ministack.services.dynamodb",
        *("_build_change_record", "_emit_stream_event", "_extract_key_val", "_remove_item"),
        *("_tables", "_ttl_settings"),
    )
    scope_of = Part("ministack.core.responses", "set_request_account_id", "set_request_region")
    by_ttl: contextvars.ContextVar[bool] = contextvars.ContextVar("by_ttl", default=False)
    remove, value_of = tables["_remove_item"], tables["_extract_key_val"]
    following = time.monotonic() + INTERVAL_S

    def signed(build: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def record(*of: Any) -> dict[str, Any]:
            made = build(*of)
            return made | {"userIdentity": _BY_TTL} if by_ttl.get() else made

        return record

    def unless_reaper(table: Any, *key: Any) -> Any:
        # Its own thread would take them away in silence.
        return None if threading.current_thread().name == _REAPER else remove(table, *key)

    def expire(account: str, region: str, name: str, attribute: str) -> None:
        scope_of["set_request_account_id"](account)
        scope_of["set_request_region"](region)
        by_ttl.set(True)
        table, now = tables["_tables"].get(name), time.time()
        for pk, items in list(table["items"].items()) if table else ():
            for sk, item in list(items.items()):
                if attribute in item and _expired(value_of(item[attribute]), now):
                    remove(table, pk, sk)
                    tables["_emit_stream_event"](name, "REMOVE", item, None)

    async def with_expiry(scope: Message, receive: Receive, send: Send) -> None:
        nonlocal following
        began = time.monotonic()
        if began >= following:
            for place, setting in list(tables["_ttl_settings"].all_items()):
                if setting.get("TimeToLiveStatus") == "ENABLED":
                    account, region, name = place
                    context, attribute = contextvars.copy_context(), setting["AttributeName"]
                    context.run(expire, account, region, name, attribute)
            following = began + max(INTERVAL_S, (time.monotonic() - began) / SHARE)
        await application(scope, receive, send)

    tables.wrap("_build_change_record", signed)
    tables["_remove_item"] = unless_reaper
    return with_expiry


def _expired(value: Any, now: float) -> bool:
    try:
        return float(value) <= now
    except (TypeError, ValueError):
        return False
