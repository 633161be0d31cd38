"""Locations of the views: countries, or the Internet registries of the viewers' addresses.

CloudFront tells the collector a viewer's country. The emulator has no database of addresses, so a
replay's events have no country unless its requests carry one. The report then groups views by the
regional Internet registry that administers the address, which IANA publishes:
address_blocks.csv is the WHOIS column of "IANA IPv4 Address Space Registry" and "IPv6 Global
Unicast Address Assignments", with adjacent blocks merged.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Final

UNKNOWN: Final = "unknown"
#: The area that each registry serves.
AREAS: Final = {
    "AFRINIC": "Africa",
    "APNIC": "Asia-Pacific",
    "ARIN": "North America",
    "LACNIC": "Latin America",
    "RIPE NCC": "Europe, Middle East",
}
_BLOCKS: Final = Path(__file__).with_name("address_blocks.csv")
_COUNTRY: Final = re.compile("[A-Z]{2}")


def count_view_locations(rows: Iterable[Mapping[str, Any]]) -> tuple[str, dict[str, int]]:
    """Count views by location, most views first.

    Args:
        rows: `country`, `ip` and `views`, as queries/view_locations.sql returns them.

    Returns:
        "country" or "registry", and the views by location.
    """
    countries: Counter[str] = Counter()
    registries: Counter[str] = Counter()
    for row in rows:
        country = row["country"] or ""
        # The lake stores what the request claimed, and the report shows only country codes.
        countries[country if _COUNTRY.fullmatch(country) else UNKNOWN] += row["views"]
        registries[_area(registry(row["ip"] or ""))] += row["views"]
    known = countries.keys() - {UNKNOWN}
    chosen = countries if known else registries
    ordered = sorted(chosen.items(), key=lambda item: (-item[1], item[0]))
    return "country" if known else "registry", dict(ordered)


def registry(address: str) -> str:
    """Return the registry that administers an address or block, or "unknown"."""
    try:
        ip = ip_address(address.partition("/")[0])
    except ValueError:
        return UNKNOWN
    return next((name for block, name in _blocks() if ip in block), UNKNOWN)


def _area(name: str) -> str:
    return f"{AREAS[name]} ({name})" if name in AREAS else name


@cache
def _blocks() -> list[tuple[IPv4Network | IPv6Network, str]]:
    with _BLOCKS.open(encoding="ascii", newline="") as file:
        return [(ip_network(row["block"]), row["registry"]) for row in csv.DictReader(file)]
