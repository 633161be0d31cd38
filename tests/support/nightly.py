"""Cases of a test that run in `make nightly`, because others of the same test stand for them."""

from collections.abc import Container, Iterable
from typing import Any

import pytest


def mark_others(cases: Iterable[Any], representative: Container[Any]) -> list[Any]:
    """Return the cases of a parametrized test, with the mark `nightly` on all but some."""
    return [
        pytest.param(it, marks=() if it in representative else pytest.mark.nightly) for it in cases
    ]
