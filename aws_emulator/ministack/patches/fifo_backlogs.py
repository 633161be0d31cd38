"""A FIFO queue with thousands of messages is asked for one as quickly as a queue with ten.

Gap: each receive looks whether every message of the queue has all of its fields, one by one: while
thousands of letters wait, that is most of what the event source mappings do.
Seen in: ministack 1.5.33, sqs.py, _collect_msgs and _collect_fifo call _ensure_msg_fields.
Delete when: a message that was looked at is not looked at again.
"""

from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

type Message = dict[str, Any]


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Look at a queue's new messages only: they are its last ones."""
    service = Part("ministack.services.sqs", "_collect_fifo", "_ensure_msg_fields")
    ensure = service["_ensure_msg_fields"]

    def wrapper(original: Callable[..., list[Message]]) -> Callable[..., list[Message]]:
        def collect(queue: dict[str, Any], most: int, timeout: int, now: float) -> list[Message]:
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
                if len(free) >= most:
                    break
                if message["visible_at"] <= now and message["group_id"] not in blocked:
                    free.append(message)
            # What is taken is MiniStack's own to say, of these alone.
            return original({**queue, "messages": free}, most, timeout, now)

        return collect

    service.wrap("_collect_fifo", wrapper)
