"""The model of latency of `capacity.py`: people in cities, Regions, and the time between them.

A read goes from CloudFront's location near the person to the nearest Region; a write of an account
or an appointment goes to the home Region. The round trip is that of `aws_emulator/route53`: 1.5 ms
for each 100 km of the great circle and 5 ms for the ends. It gives 94 ms from Virginia to London,
113 ms from London to Mumbai and 198 ms from Virginia to Mumbai; published measurements of these
three are about 76, 120 and 195 ms.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from aws_emulator.route53.locations import REGIONS, Point, round_trip_ms

# Assumptions, not measured.
EDGE_MS: Final = 12.0  # from the person to CloudFront's location
SERVICE_MS: Final = 15.0  # the API with its table


class City(NamedTuple):
    """A city, and how many millions of people online it stands for."""

    point: Point
    millions: int


# People online by country or group of neighbours, rounded to ten millions: the share of people
# who use the Internet (ITU, 2023) times the population. Mainland China isn't served by the global
# network of CloudFront.
CITIES: Final = {
    "Delhi": City((28.6, 77.2), 360),
    "Mumbai": City((19.1, 72.9), 270),
    "Chennai": City((13.1, 80.3), 220),
    "Jakarta": City((-6.2, 106.8), 200),
    "New York": City((40.7, -74.0), 140),
    "São Paulo": City((-23.5, -46.6), 140),
    "Moscow": City((55.8, 37.6), 130),
    "Karachi": City((24.9, 67.0), 110),
    "Tokyo": City((35.7, 139.7), 100),
    "Lagos": City((6.5, 3.4), 100),
    "Mexico City": City((19.4, -99.1), 100),
    "Dallas": City((32.8, -96.8), 90),
    "Manila": City((14.6, 121.0), 90),
    "Cairo": City((30.0, 31.2), 80),
    "Hanoi": City((21.0, 105.8), 80),
    "Dhaka": City((23.8, 90.4), 80),
    "Los Angeles": City((34.1, -118.2), 80),
    "Frankfurt": City((50.1, 8.7), 80),
    "Istanbul": City((41.0, 29.0), 70),
    "Tehran": City((35.7, 51.4), 70),
    "London": City((51.5, -0.1), 70),
    "Paris": City((48.9, 2.4), 60),
    "Bangkok": City((13.8, 100.5), 60),
    "Milan": City((45.5, 9.2), 50),
    "Seoul": City((37.6, 127.0), 50),
    "Madrid": City((40.4, -3.7), 50),
    "Nairobi": City((-1.3, 36.8), 50),
    "Johannesburg": City((-26.2, 28.0), 50),
    "Bogotá": City((4.7, -74.1), 40),
    "Buenos Aires": City((-34.6, -58.4), 40),
    "Toronto": City((43.7, -79.4), 40),
    "Riyadh": City((24.7, 46.7), 40),
    "Warsaw": City((52.2, 21.0), 40),
    "Kuala Lumpur": City((3.1, 101.7), 30),
    "Sydney": City((-33.9, 151.2), 20),
}


class Latency(NamedTuple):
    """Milliseconds from a request to its response, for half of the people, and for 95%."""

    p50: float
    p95: float


def read_ms(city: str, regions: Iterable[str]) -> float:
    """Return the milliseconds of a read from the nearest Region."""
    point = CITIES[city].point
    return EDGE_MS + SERVICE_MS + min(round_trip_ms(point, REGIONS[it]) for it in regions)


def write_ms(city: str, home: str) -> float:
    """Return the milliseconds of a write to the home Region."""
    return read_ms(city, [home])


def reads(regions: Sequence[str]) -> Latency:
    """Return the latency of reads, over all people."""
    return _latency({city: read_ms(city, regions) for city in CITIES})


def writes(home: str) -> Latency:
    """Return the latency of writes, over all people."""
    return reads([home])


def mean_ms(regions: Sequence[str]) -> float:
    """Return the mean latency of reads, over all people."""
    people = sum(it.millions for it in CITIES.values())
    return sum(it.millions * read_ms(city, regions) for city, it in CITIES.items()) / people


def nearer_millions(regions: Sequence[str], added: str, gain_ms: float) -> int:
    """Return the millions of people whose reads a further Region makes faster by `gain_ms`."""
    return sum(
        it.millions
        for city, it in CITIES.items()
        if read_ms(city, regions) - read_ms(city, [*regions, added]) >= gain_ms
    )


def best_addition(regions: Sequence[str], candidates: Iterable[str] = REGIONS) -> str:
    """Return the Region with which the mean latency of reads is lowest."""
    return min(set(candidates) - set(regions), key=lambda it: (mean_ms([*regions, it]), it))


def _latency(by_city: dict[str, float]) -> Latency:
    return Latency(_percentile(by_city, 0.5), _percentile(by_city, 0.95))


def _percentile(by_city: dict[str, float], share: float) -> float:
    """Return the least number of milliseconds within which a share of the people has a response."""
    people = sum(it.millions for it in CITIES.values())
    reached = 0
    for city, milliseconds in sorted(by_city.items(), key=lambda it: it[1]):
        reached += CITIES[city].millions
        if reached >= share * people:
            return milliseconds
    raise AssertionError("the share exceeds 1")
