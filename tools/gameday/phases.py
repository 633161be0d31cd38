"""How long the phases of a game day took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Phases:
    """The phases of a day in their order. `began` is when the command began, on `clock`."""

    began: float
    clock: Callable[[], float] = time.monotonic
    seconds: dict[str, float] = field(default_factory=dict)

    def end(self, name: str) -> None:
        """End the phase that began when the last one ended."""
        self.seconds[name] = self.clock() - self.began - sum(self.seconds.values())

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """End a phase with the context, also after an error."""
        try:
            yield
        finally:
            self.end(name)

    def table(self) -> list[str]:
        """Return the head with the total, and a line for each phase."""
        total = sum(self.seconds.values())
        return [
            f"Time: {minutes(total)} minutes",
            *(f"  {name:<52}{minutes(it):>6}" for name, it in self.seconds.items()),
        ]


def minutes(seconds: float) -> str:
    """Return a time as minutes and seconds."""
    return f"{round(seconds) // 60}:{round(seconds) % 60:02}"
