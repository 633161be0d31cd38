"""Numbers of examples of properties that take long, by the profile."""

from typing import Final

from hypothesis import settings

_PROFILE: Final = settings.default.max_examples if settings.default else 10


def at_most(number: int) -> int:
    """Return the number of examples of the profile, or a smaller one."""
    return min(number, _PROFILE)


def one_in(divisor: int) -> int:
    """Return a part of the profile's number of examples, for one that takes seconds."""
    return max(_PROFILE // divisor, 3)
