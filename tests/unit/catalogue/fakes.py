"""Databases, caches and clocks in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from valkey.exceptions import ConnectionError as ValkeyConnectionError

from catalogue.errors import RequestError


def outcome[T](call: Callable[[], T]) -> T | RequestError:
    """Return a call's value, or its refusal."""
    try:
        return call()
    except RequestError as error:
        return error


@dataclass
class Clock:
    now: float = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class FakeValkey:
    """The commands that the adapter uses, with times to live by the same clock."""

    clock: Clock
    values: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    is_lost: bool = False
    commands: int = 0

    def _live(self, key: str) -> bytes | None:
        self.commands += 1
        if self.is_lost:
            raise ValkeyConnectionError("lost")
        value = self.values.get(key)
        return value[0] if value is not None and self.clock() < value[1] else None

    def get(self, key: str) -> bytes | None:
        return self._live(key)

    def set(
        self, key: str, value: bytes, *, px: float = float("inf"), nx: bool = False
    ) -> bool | None:
        if self._live(key) is not None and nx:
            return None
        self.values[key] = (value, self.clock() + px / 1000)
        return True

    def delete(self, key: str) -> None:
        self._live(key)
        self.values.pop(key, None)


@dataclass
class FakeDatabase:
    """A reader or writer that answers by a function of the statement."""

    answer: Callable[[str, dict[str, Any]], Any]
    statements: list[str] = field(default_factory=list)

    def query(self, sql: str, **values: object) -> Any:
        self.statements.append(sql)
        return self.answer(sql, values)
