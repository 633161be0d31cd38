"""Hypothesis strategies for record sets and their health."""

from hypothesis import strategies as st

from aws_emulator.route53.locations import CITIES, REGIONS
from aws_emulator.route53.model import RecordSet

NAME = "api.example.com."

region_sets = st.lists(st.sampled_from(sorted(REGIONS)), min_size=1, max_size=8, unique=True)
client_locations = st.sampled_from(sorted({*REGIONS, *CITIES}))
draws = st.floats(0, 1, exclude_max=True)


def latency_records(regions: list[str]) -> tuple[RecordSet, ...]:
    """Return a latency record for each Region, each with a check named as the Region."""
    return tuple(
        RecordSet(
            NAME,
            "A",
            ttl_s=60,
            values=(f"192.0.2.{number}",),
            identifier=region,
            region=region,
            health_check=region,
        )
        for number, region in enumerate(regions)
    )


@st.composite
def health_of(draw: st.DrawFn, regions: list[str]) -> dict[str, bool]:
    """Generate the statuses of the Regions' checks."""
    return {it: draw(st.booleans()) for it in regions}


@st.composite
def weighted_records(draw: st.DrawFn) -> tuple[RecordSet, ...]:
    """Generate weighted records, each with a check named as its identifier."""
    weights = draw(st.lists(st.integers(0, 255), min_size=1, max_size=6))
    return tuple(
        RecordSet(
            NAME,
            "A",
            ttl_s=60,
            values=(f"192.0.2.{number}",),
            identifier=str(number),
            weight=weight,
            health_check=str(number),
        )
        for number, weight in enumerate(weights)
    )
