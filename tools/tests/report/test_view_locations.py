"""The locations of views: country codes, or the registries of addresses."""

from ipaddress import ip_network
from itertools import pairwise
from typing import Any

import pytest

from tools.report.view_locations import AREAS, UNKNOWN, _blocks, count_view_locations, registry


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        # "IANA IPv4 Address Space Registry", column WHOIS.
        ("1.1.1.0", "APNIC"),
        ("8.8.8.0", "ARIN"),
        ("41.0.0.0", "AFRINIC"),
        ("193.0.0.0/24", "RIPE NCC"),
        ("200.1.2.0", "LACNIC"),
        # "IPv6 Global Unicast Address Assignments".
        ("2001:200::/48", "APNIC"),
        ("2600::", "ARIN"),
        ("2a00:1::", "RIPE NCC"),
        ("2800::", "LACNIC"),
        ("2c00::", "AFRINIC"),
        ("10.0.0.0", UNKNOWN),
        ("127.0.0.1", UNKNOWN),
        ("3f2a9c", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_registry_is_that_of_the_address_block(address: str, expected: str) -> None:
    assert registry(address) == expected


def test_blocks_are_disjoint_and_name_known_registries() -> None:
    for version in (4, 6):
        blocks = sorted(
            (int(block.network_address), int(block.broadcast_address))
            for block, _ in _blocks()
            if block.version == version
        )
        assert blocks
        assert all(first[1] < second[0] for first, second in pairwise(blocks))
    assert {name for _, name in _blocks()} == set(AREAS)


def test_blocks_contain_each_unicast_ipv4_block_except_the_reserved_ones() -> None:
    # 0/8, 10/8 and 127/8 are the only reserved blocks below 224/8 in IANA's registry.
    covered = sum(block.num_addresses for block, _ in _blocks() if block.version == 4)
    assert covered == (224 - 3) * ip_network("0.0.0.0/8").num_addresses


def test_views_are_counted_by_country_if_one_has_a_country() -> None:
    rows: list[dict[str, Any]] = [
        {"country": "IN", "ip": "1.1.1.0", "views": 2},
        {"country": "IN", "ip": "8.8.8.0", "views": 1},
        {"country": "<b>", "ip": "8.8.8.0", "views": 4},
        {"country": None, "ip": None, "views": 1},
    ]
    assert count_view_locations(rows) == ("country", {UNKNOWN: 5, "IN": 3})


def test_views_are_counted_by_registry_if_none_has_a_country() -> None:
    rows: list[dict[str, Any]] = [
        {"country": None, "ip": "1.1.1.0", "views": 2},
        {"country": None, "ip": "8.8.8.0", "views": 3},
        {"country": None, "ip": None, "views": 1},
    ]
    by, locations = count_view_locations(rows)
    assert by == "registry"
    assert locations == {"North America (ARIN)": 3, "Asia-Pacific (APNIC)": 2, UNKNOWN: 1}
