"""Tests for `regions`: the order of Regions by distance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ingest.regions import _COORDINATES_DEGREES, nearest_first

ALL = ["us-east-1", "eu-west-2", "ap-south-1"]


@pytest.mark.parametrize(
    ("edge_region", "order"),
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
def test_regions_are_sorted_by_distance(edge_region: str, order: list[str]) -> None:
    assert list(nearest_first(edge_region, ALL)) == order


@given(st.sampled_from(sorted(_COORDINATES_DEGREES)), st.permutations(sorted(_COORDINATES_DEGREES)))
def test_own_region_is_first_and_all_are_kept(edge_region: str, regions: list[str]) -> None:
    order = nearest_first(edge_region, regions)
    assert order[0] == edge_region
    assert sorted(order) == sorted(regions)


def test_unknown_region_is_last_except_for_itself() -> None:
    assert nearest_first("eu-west-2", ["xx-new-1", "us-east-1"]) == ("us-east-1", "xx-new-1")
    assert nearest_first("xx-new-1", ["us-east-1", "xx-new-1"])[0] == "xx-new-1"
