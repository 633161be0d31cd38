"""The locations of Regions and clients, and the latency between them.

Route 53 measures latencies between networks and Regions. This model uses the length of the great
circle: 1.5 ms for each 100 km, because cables are no great circles, and 5 ms for the ends. It gives
94 ms from Virginia to London and 198 ms from Virginia to Mumbai.
"""

import ipaddress
import math
from typing import Final

from aws_emulator.errors import CommandError

type Point = tuple[float, float]
type Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_EARTH_RADIUS_KM: Final = 6371.0
#: Milliseconds for a kilometre.
_SPEED: Final = 0.015
_ENDS_MS: Final = 5.0
#: Latitude and longitude of a city near each Region. The order numbers the Regions: append only.
REGIONS: Final[dict[str, Point]] = {
    "us-east-1": (38.9, -77.4),
    "us-east-2": (40.0, -83.0),
    "us-west-1": (37.4, -122.0),
    "us-west-2": (45.8, -119.7),
    "ca-central-1": (45.5, -73.6),
    "ca-west-1": (51.0, -114.1),
    "mx-central-1": (20.6, -100.4),
    "sa-east-1": (-23.5, -46.6),
    "eu-west-1": (53.3, -6.3),
    "eu-west-2": (51.5, -0.1),
    "eu-west-3": (48.9, 2.4),
    "eu-central-1": (50.1, 8.7),
    "eu-central-2": (47.4, 8.5),
    "eu-north-1": (59.3, 18.1),
    "eu-south-1": (45.5, 9.2),
    "eu-south-2": (41.6, -0.9),
    "il-central-1": (32.1, 34.8),
    "me-central-1": (24.5, 54.4),
    "me-south-1": (26.1, 50.6),
    "af-south-1": (-33.9, 18.4),
    "ap-south-1": (19.1, 72.9),
    "ap-south-2": (17.4, 78.5),
    "ap-southeast-1": (1.3, 103.8),
    "ap-southeast-2": (-33.9, 151.2),
    "ap-southeast-3": (-6.2, 106.8),
    "ap-southeast-4": (-37.8, 145.0),
    "ap-southeast-5": (3.1, 101.7),
    "ap-southeast-7": (13.8, 100.5),
    "ap-east-1": (22.3, 114.2),
    "ap-east-2": (25.0, 121.6),
    "ap-northeast-1": (35.7, 139.7),
    "ap-northeast-2": (37.6, 127.0),
    "ap-northeast-3": (34.7, 135.5),
}
#: Cities without a Region, after the numbers of Regions.
CITIES: Final[dict[str, Point]] = {
    "nairobi": (-1.3, 36.8),
    "new-york": (40.7, -74.0),
    "lagos": (6.5, 3.4),
    "buenos-aires": (-34.6, -58.4),
    "delhi": (28.6, 77.2),
    "auckland": (-36.8, 174.8),
}
_FIRST_CITY: Final = 101
_NUMBERS: Final = {name: number for number, name in enumerate(REGIONS, start=1)} | {
    name: number for number, name in enumerate(CITIES, start=_FIRST_CITY)
}
_POINTS: Final = REGIONS | CITIES
_BY_NUMBER: Final = {number: name for name, number in _NUMBERS.items()}
_CLIENTS: Final = ipaddress.ip_network("10.0.0.0/8")


def latency_ms(location: str, region: str) -> float:
    """Return the round trip in milliseconds from a Region or city to a Region."""
    return round_trip_ms(_POINTS[location], _POINTS[region])


def round_trip_ms(one: Point, other: Point) -> float:
    """Return the round trip in milliseconds between two points, in degrees."""
    (latitude, longitude), (other_latitude, other_longitude) = (
        tuple(map(math.radians, it)) for it in (one, other)
    )
    cosine = math.sin(latitude) * math.sin(other_latitude) + math.cos(latitude) * math.cos(
        other_latitude
    ) * math.cos(longitude - other_longitude)
    angle = math.acos(max(-1.0, min(1.0, cosine)))
    return _ENDS_MS + _SPEED * _EARTH_RADIUS_KM * angle


def network_of(location: str) -> ipaddress.IPv4Network:
    """Return the client addresses of a Region or city: 10.<number>.0.0/16.

    Raises:
        CommandError: The location is unknown.
    """
    return ipaddress.IPv4Network((f"10.{_number(location)}.0.0", 16))


def service_address(region: str) -> str:
    """Return the loopback address of a Region's public endpoints: 127.0.<number>.1.

    Raises:
        CommandError: The Region is unknown.
    """
    return f"127.0.{_number(region)}.1"


def region_at(address: str) -> str | None:
    """Return the Region whose public endpoints have a loopback address, or None."""
    parts = address.split(".")
    if len(parts) != 4 or parts[:2] != ["127", "0"] or parts[3] != "1":
        return None
    name = _BY_NUMBER.get(int(parts[2]))
    return name if name in REGIONS else None


def location_of(client: Address, default: str) -> str:
    """Return the Region or city of a client's address; `default` for one of no known network."""
    if isinstance(client, ipaddress.IPv6Address) or client not in _CLIENTS:
        return default
    return _BY_NUMBER.get(client.packed[1], default)


def _number(location: str) -> int:
    if location not in _NUMBERS:
        raise CommandError(
            f"The DNS server doesn't know where {location} is. Add it to "
            "aws_emulator/route53/locations.py."
        )
    return _NUMBERS[location]
