"""Distances between AWS Regions, for the order in which `delivery` tries the streams."""

import math
from collections.abc import Iterable
from typing import Final

# Latitude and longitude in degrees of the cities in the Regions' names ("AWS Regions and
# Availability Zones"). A tenth of a degree is precise enough: no two Regions are that close.
_COORDINATES_DEGREES: Final[dict[str, tuple[float, float]]] = {
    "af-south-1": (-33.9, 18.4),
    "ap-east-1": (22.3, 114.2),
    "ap-east-2": (25.0, 121.6),
    "ap-northeast-1": (35.7, 139.7),
    "ap-northeast-2": (37.6, 127.0),
    "ap-northeast-3": (34.7, 135.5),
    "ap-south-1": (19.1, 72.9),
    "ap-south-2": (17.4, 78.5),
    "ap-southeast-1": (1.3, 103.8),
    "ap-southeast-2": (-33.9, 151.2),
    "ap-southeast-3": (-6.2, 106.8),
    "ap-southeast-4": (-37.8, 145.0),
    "ap-southeast-5": (3.1, 101.7),
    "ap-southeast-6": (-36.8, 174.8),
    "ap-southeast-7": (13.8, 100.5),
    "ca-central-1": (45.5, -73.6),
    "ca-west-1": (51.0, -114.1),
    "eu-central-1": (50.1, 8.7),
    "eu-central-2": (47.4, 8.5),
    "eu-north-1": (59.3, 18.1),
    "eu-south-1": (45.5, 9.2),
    "eu-south-2": (41.6, -0.9),
    "eu-west-1": (53.3, -6.3),
    "eu-west-2": (51.5, -0.1),
    "eu-west-3": (48.9, 2.4),
    "il-central-1": (32.1, 34.8),
    "me-central-1": (24.5, 54.4),
    "me-south-1": (26.1, 50.6),
    "mx-central-1": (20.6, -100.4),
    "sa-east-1": (-23.5, -46.6),
    "us-east-1": (38.9, -77.4),
    "us-east-2": (40.0, -83.0),
    "us-west-1": (37.8, -122.4),
    "us-west-2": (45.8, -119.7),
}


def nearest_first(edge_region: str, regions: Iterable[str]) -> tuple[str, ...]:
    """Return the Regions sorted by distance from the one in which the function runs.

    Regions without known coordinates come last, in their given order. If `edge_region` has none,
    all Regions keep their order.
    """
    return tuple(sorted(regions, key=lambda region: _distance(edge_region, region)))


def _distance(one: str, other: str) -> float:
    """Return the angle between two Regions in radians (spherical law of cosines)."""
    if one == other:
        return -1.0
    if one not in _COORDINATES_DEGREES or other not in _COORDINATES_DEGREES:
        return math.inf
    lat1, lon1 = map(math.radians, _COORDINATES_DEGREES[one])
    lat2, lon2 = map(math.radians, _COORDINATES_DEGREES[other])
    cosine = math.sin(lat1) * math.sin(lat2) + math.cos(lat1) * math.cos(lat2) * math.cos(
        lon1 - lon2
    )
    return math.acos(max(-1.0, min(1.0, cosine)))
