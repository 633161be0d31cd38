"""Times of stream records as milliseconds since 1970, whatever unit the source uses."""

from decimal import Decimal, InvalidOperation
from typing import Final

#: 1973 in milliseconds and the year 5138 in seconds: a smaller number counts seconds, and each
#: further factor of a thousand is the next smaller unit.
_LOWEST_MS: Final = 10**11
#: The first date of the lake's tables: "projection.date.range" in stacks/lake-catalog.yaml.
FIRST_MS: Final = 1_767_225_600_000  # 2026-01-01T00:00:00Z
#: Kafka's timestamps are chosen by producers. A later one isn't a time of this lake.
LAST_MS: Final = 4_102_444_800_000  # 2100-01-01T00:00:00Z


def milliseconds(number: object) -> int:
    """Return a time in seconds, milliseconds, microseconds or nanoseconds in milliseconds.

    Fractions are rounded. The unit follows from the size of the number.

    Raises:
        ValueError: It isn't a number, or too large for a time in nanoseconds.
    """
    try:
        value = Decimal(str(number))
    except InvalidOperation as error:
        raise ValueError(f"{number!r} isn't a time") from error
    if not value.is_finite() or abs(value) >= _LOWEST_MS * 10**9:
        raise ValueError(f"{number!r} isn't a time")
    if abs(value) < _LOWEST_MS:
        value *= 1000
    while abs(value) >= _LOWEST_MS * 1000:
        value /= 1000
    return int(value.to_integral_value())


def of_producer(number: object) -> int:
    """Return a producer's time in milliseconds, as a time at which the lake has a partition.

    A time before the lake's first date, after the year 2099, or none at all (Kafka has -1) becomes
    the first date. The result depends on nothing but the number: each delivery of a record gives
    the same hour, and so the same key.
    """
    try:
        at = milliseconds(number)
    except ValueError:
        return FIRST_MS
    return at if FIRST_MS <= at < LAST_MS else FIRST_MS
