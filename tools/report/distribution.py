"""The distribution of a duration: percentiles by the nearest-rank method."""

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

#: The percentiles that the report prints.
PERCENTILES: Final = (50, 90, 95, 99, 100)


@dataclass(frozen=True)
class Distribution:
    """The percentiles 1 to 100 of `count` durations in milliseconds; empty without durations."""

    count: int = 0
    curve: tuple[int, ...] = field(default=())

    def percentile(self, number: int) -> int:
        """Return a percentile from 1 to 100 in milliseconds; 100 is the maximum.

        Raises:
            IndexError: The distribution is empty.
        """
        return self.curve[number - 1]


def distribution(counts: Mapping[int, int]) -> Distribution:
    """Return the distribution of durations, given as counts by milliseconds."""
    ordered = sorted(value for value, count in counts.items() if count)
    sums = list(accumulate(counts[value] for value in ordered))
    if not sums:
        return Distribution()
    # Nearest rank: the smallest value that is at least as large as this share of all values.
    ranks = (math.ceil(sums[-1] * number / 100) for number in range(1, 101))
    return Distribution(sums[-1], tuple(ordered[bisect_left(sums, rank)] for rank in ranks))
