"""Wait for something that another thread or process does."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

INTERVAL_S: Final = 0.02
TIMEOUT_S: Final = 60.0
_longest_s: ContextVar[float] = ContextVar("longest_s", default=float("inf"))


@contextmanager
def expected_to_fail(longest_s: float) -> Iterator[None]:
    """Let each `wait_until` give up after `longest_s`: the test expects that the wait fails."""
    token = _longest_s.set(longest_s)
    try:
        yield
    finally:
        _longest_s.reset(token)


def wait_until[T](
    probe: Callable[[], T | None],
    subject: str = "the condition",
    timeout_s: float = TIMEOUT_S,
    *,
    interval_s: float = INTERVAL_S,
    check: Callable[[], object] | None = None,
) -> T:
    """Call `probe` until its result is truthy, and return the result.

    The limit is a number of probes, not a deadline: on a busy machine the probes take longer, and
    the test still makes all of them. `check` runs before each probe; it raises when waiting longer
    is pointless, for example because the process has ended.

    Raises:
        AssertionError: The last probe of `timeout_s` seconds was still falsy.
    """
    timeout_s = min(timeout_s, _longest_s.get())
    for _ in range(max(1, round(timeout_s / interval_s))):
        if check is not None:
            check()
        if result := probe():
            return result
        time.sleep(interval_s)
    raise AssertionError(f"Timed out after {timeout_s:g} s waiting for {subject}.")
