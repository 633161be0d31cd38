"""Delete expired items within seconds, and record the deletion on the table's stream.

Gap: MiniStack looks for expired items once a minute, and deletes them without a stream record.
Seen in: ministack 1.5.33, dynamodb.py, _ttl_reaper.
Delete when: the stream has a record with userIdentity for each deletion by Time to Live.
"""

import contextvars
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import Application, ControlApi, Message, Receive, Send
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: DynamoDB deletes "within a few days of their expiration" ("Using time to live (TTL) in
#: DynamoDB"). A short interval suits tests and demonstrations.
INTERVAL_S: Final = 1.0
#: A scan blocks all requests. It may take this share of the time at most.
MAX_SCAN_SHARE: Final = 0.02
_REAPER: Final = "dynamodb-ttl-reaper"
#: The userIdentity of a TTL deletion ("DynamoDB Streams and Time to Live").
_BY_TTL: Final = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}


def install(_settings: Settings, _control: ControlApi, application: Application) -> Application:
    """Delete expired items between two requests, while none is in progress."""
    tables = Symbols(
        "ministack.services.dynamodb",
        *("_build_change_record", "_emit_stream_event", "_extract_key_val", "_remove_item"),
        *("_tables", "_ttl_settings"),
    )
    scope_of = Symbols("ministack.core.responses", "set_request_account_id", "set_request_region")
    by_ttl: contextvars.ContextVar[bool] = contextvars.ContextVar("by_ttl", default=False)
    remove, value_of = tables["_remove_item"], tables["_extract_key_val"]
    next_scan = time.monotonic() + INTERVAL_S

    def signed(build: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def record(*of: Any) -> dict[str, Any]:
            record = build(*of)
            return record | {"userIdentity": _BY_TTL} if by_ttl.get() else record

        return record

    def unless_reaper(table: Any, *key: Any) -> Any:
        # MiniStack's thread would delete without a stream record.
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
        nonlocal next_scan
        began = time.monotonic()
        if began >= next_scan:
            for key, setting in list(tables["_ttl_settings"].all_items()):
                if setting.get("TimeToLiveStatus") == "ENABLED":
                    account, region, name = key
                    context, attribute = contextvars.copy_context(), setting["AttributeName"]
                    context.run(expire, account, region, name, attribute)
            next_scan = began + max(INTERVAL_S, (time.monotonic() - began) / MAX_SCAN_SHARE)
        await application(scope, receive, send)

    tables.wrap("_build_change_record", signed)
    tables["_remove_item"] = unless_reaper
    return with_expiry


def _expired(value: Any, now: float) -> bool:
    try:
        return float(value) <= now
    except (TypeError, ValueError):
        return False
