"""Seeds of tests that draw a random history."""

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

#: Seeds that `make check` runs. The others have the marker `proof` and run in `make test`.
QUICK_SEEDS: Final = 3


def seeds(count: int) -> "list[ParameterSet]":
    """Return the seeds 0 to `count` - 1 as parameters of a test."""
    return [
        pytest.param(seed, marks=[pytest.mark.proof] if seed >= QUICK_SEEDS else [])
        for seed in range(count)
    ]
