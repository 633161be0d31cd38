"""Receive from a FIFO queue with thousands of messages as quickly as from a short one.

Gap: each receive completes the fields of every message in the queue. With thousands of waiting
messages this takes most of the time of an event source mapping.
Seen in: ministack 1.5.33, sqs.py, _collect_msgs and _collect_fifo call _ensure_msg_fields.
Delete when: a receive does not visit messages that are complete.
"""

from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Message = dict[str, Any]


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Complete only the new messages, which are at the end of the queue."""
    service = Symbols("ministack.services.sqs", "_collect_fifo", "_ensure_msg_fields")
    ensure = service["_ensure_msg_fields"]

    def wrapper(original: Callable[..., list[Message]]) -> Callable[..., list[Message]]:
        def collect(queue: dict[str, Any], limit: int, timeout: int, now: float) -> list[Message]:
            messages = queue["messages"]
            for message in reversed(messages):
                if message.get("complete"):
                    break
                ensure(message)
                message["complete"] = True
            blocked = {
                it["group_id"]
                for it in messages
                if it["visible_at"] > now and it["receive_count"] > 0 and it["group_id"]
            }
            free: list[Message] = []
            for message in messages:
                if len(free) >= limit:
                    break
                if message["visible_at"] <= now and message["group_id"] not in blocked:
                    free.append(message)
            # MiniStack decides which of these messages it returns.
            return original({**queue, "messages": free}, limit, timeout, now)

        return collect

    service.wrap("_collect_fifo", wrapper)
