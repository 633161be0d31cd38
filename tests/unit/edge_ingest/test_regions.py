"""The nearest stream first, from wherever the function runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ingest.regions import _PLACES, nearest_first

ALL = ["us-east-1", "eu-west-2", "ap-south-1"]


@pytest.mark.parametrize(
    ("here", "order"),
    [
        ("us-east-1", ["us-east-1", "eu-west-2", "ap-south-1"]),
        ("eu-west-2", ["eu-west-2", "us-east-1", "ap-south-1"]),
        ("ap-south-1", ["ap-south-1", "eu-west-2", "us-east-1"]),
        ("eu-central-1", ["eu-west-2", "us-east-1", "ap-south-1"]),
        ("ap-southeast-1", ["ap-south-1", "eu-west-2", "us-east-1"]),
        ("sa-east-1", ["us-east-1", "eu-west-2", "ap-south-1"]),
        ("us-west-2", ["us-east-1", "eu-west-2", "ap-south-1"]),
        ("unknown-1", ALL),
        ("", ALL),
    ],
)
def test_the_order_of_the_map(here: str, order: list[str]) -> None:
    assert list(nearest_first(here, ALL)) == order


@given(st.sampled_from(sorted(_PLACES)), st.permutations(sorted(_PLACES)))
def test_here_is_first_and_none_is_lost(here: str, regions: list[str]) -> None:
    order = nearest_first(here, regions)
    assert order[0] == here
    assert sorted(order) == sorted(regions)


def test_an_unknown_region_is_last_and_itself_first() -> None:
    assert nearest_first("eu-west-2", ["xx-new-1", "us-east-1"]) == ("us-east-1", "xx-new-1")
    assert nearest_first("xx-new-1", ["us-east-1", "xx-new-1"])[0] == "xx-new-1"
