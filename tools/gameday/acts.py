"""The acts of a game day: the losses, and the operations they may fail. Drawn by a seed. Pure.

A new kind of act is one more function in `_FAMILIES`.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

#: The layout of production (samconfig.toml): home, further Region, and the edge's control plane.
HOME: Final = "eu-west-2"
FURTHER: Final = "ap-south-1"
EDGE: Final = "us-east-1"
REGIONS: Final = (HOME, FURTHER)

#: Continent -> the Region of its edge location.
CONTINENTS: Final = {"Europe": HOME, "Asia": FURTHER}
CITIES: Final = {HOME: "London", FURTHER: "Mumbai", EDGE: "us-east-1"}
SERVICES: Final = {"kinesis": "Kinesis", "dynamodb": "DynamoDB", "s3": "S3"}
#: Health checks and the TTLs of names pass faster than on AWS by this factor.
CLOCK_SPEED: Final = 20.0
#: Kinds of outages of the emulator -> their words in a name.
KINDS: Final = {
    "unavailable": "answers 503",
    "refused": "refuses connections",
    "hanging": "hangs",
    "slow": "is slow",
}

#: Operations, in the order of the report. Those of the API follow its name; the others don't.
API_OPERATIONS: Final = ("profile", "appointments", "booking", "sign-up", "staff")
OPERATIONS: Final = ("events", "page", "members", *API_OPERATIONS)
#: Operations with an edge function: a public page has one if CloudFront hasn't cached it.
FUNCTION_OPERATIONS: Final = OPERATIONS
#: Written in the home Region only, whichever Region was asked (decision 0023). Sign-ups are, too,
#: but wait for it in the Region that was asked (decision 0098).
HOME_OPERATIONS: Final = ("booking", "staff")


@dataclass(frozen=True, slots=True)
class Outage:
    """A Region, or one service of it, that fails in one way."""

    region: str
    kind: str
    service: str | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """A loss. `excused` are the operations and continents that may refuse while it lasts.

    `lost_api` are the Regions whose API fails: CloudFront itself refuses until the names have
    left them. `lost_functions` is a Region without edge functions: there, CloudFront itself
    refuses until the return. `lost_place` is the Region of an edge location that ends. `seconds`
    is how long the loss lasts: long enough to raise the act's alarms on the fast clock.
    """

    name: str
    outages: tuple[Outage, ...] = ()
    is_replication_held: bool = False
    lost_place: str | None = None
    #: While the home of the bookings is lost, it moves here, and back after the return.
    new_home: str | None = None
    seconds: float = 14.0
    lost_api: frozenset[str] = frozenset()
    lost_functions: str | None = None
    excused: frozenset[tuple[str, str]] = frozenset()


def region_act(region: str, kind: str) -> Act:
    """Return the loss of all services of a Region."""
    role = {HOME: "the home, ", EDGE: "the edge's control plane, "}.get(region, "")
    name = f"{role}{CITIES[region]}, {KINDS[kind]}"
    if region == EDGE:
        return Act(name, (Outage(region, kind),))
    # AWS doesn't say that the functions of a lost Region run in another one, so they don't here.
    near = {(operation, _continent_of(region)) for operation in FUNCTION_OPERATIONS}
    return Act(
        name,
        (Outage(region, kind),),
        lost_api=frozenset({region}),
        lost_functions=region,
        excused=_excused(region) | near,
    )


def move_act(kind: str) -> Act:
    """Return the loss of the home during which the bookings move to the further Region."""
    act = region_act(HOME, kind)
    return replace(act, name=f"{act.name}; the bookings move", new_home=FURTHER)


def service_act(region: str, service: str, kind: str) -> Act:
    """Return the loss of one service of a Region."""
    name = f"{SERVICES[service]} in {CITIES[region]} {KINDS[kind]}"
    outages = (Outage(region, kind, service),)
    if service != "dynamodb":
        return Act(name, outages)
    return Act(name, outages, lost_api=frozenset({region}), excused=_excused(region))


def replication_act() -> Act:
    """Return a partition of the replication between the Regions."""
    return Act("replication of tables is cut", is_replication_held=True, seconds=24.0)


def place_act(region: str) -> Act:
    """Return the loss of an edge location: its visitors reach the next one."""
    return Act(f"edge location in {CITIES[region]} is lost", lost_place=region)


def _continent_of(region: str) -> str:
    return next(it for it, nearest in CONTINENTS.items() if nearest == region)


def _excused(region: str) -> frozenset[tuple[str, str]]:
    """Return who may notice the loss of a Region's API or tables."""
    near = _continent_of(region)
    operations = {(operation, near) for operation in API_OPERATIONS}
    if region == HOME:
        operations |= {
            (operation, continent) for operation in HOME_OPERATIONS for continent in CONTINENTS
        }
    return frozenset(operations)


type Generator = random.Random


def _home_lost(draw: Generator) -> Act:
    return region_act(HOME, draw.choice(list(KINDS)))


def _home_moves(draw: Generator) -> Act:
    # A home that hangs or is slow still answers the command, after its timeouts.
    return move_act(draw.choice(["unavailable", "refused"]))


def _further_lost(draw: Generator) -> Act:
    return region_act(FURTHER, draw.choice(list(KINDS)))


def _edge_lost(draw: Generator) -> Act:
    return region_act(EDGE, draw.choice(list(KINDS)))


def _service_lost(draw: Generator) -> Act:
    return service_act(draw.choice(REGIONS), draw.choice(list(SERVICES)), draw.choice(list(KINDS)))


def _partition(_draw: Generator) -> Act:
    return replication_act()


def _place_lost(draw: Generator) -> Act:
    return place_act(draw.choice(REGIONS))


_FAMILIES: Final[tuple[Callable[[Generator], Act], ...]] = (
    _further_lost,
    _service_lost,
    _partition,
    _edge_lost,
    _place_lost,
    _home_lost,
    _home_moves,
)


def draw_acts(seed: int) -> list[Act]:
    """Return a day's acts: one of each family, in an order that the seed decides."""
    draw = random.Random(seed)  # noqa: S311 - not a secret
    families = list(_FAMILIES)
    draw.shuffle(families)
    return [family(draw) for family in families]
