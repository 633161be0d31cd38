"""Calculate what a stage can carry, how near it is to people, and what a month costs.

    make capacity EVENTS=100M PER_REQUEST=10 REGIONS=eu-west-2,ap-south-1

Prints the latency of reads and writes by city, and what each further Region would gain and cost;
the quotas in the order in which a growing stage reaches them; and the charges of a month by
component. The settings come from the templates, the sizes from measured requests, the prices from
`cost_prices.py` with their month. All is a model: nothing is measured on AWS.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from aws_emulator.errors import CommandError  # noqa: E402 - needs the path above
from aws_emulator.route53.locations import REGIONS  # noqa: E402
from benchmarks import capacity_latency as latency  # noqa: E402
from benchmarks import cost  # noqa: E402
from benchmarks.capacity_charges import (  # noqa: E402
    Layout,
    event_dollars,
    measured_request,
    monthly_dollars,
    total,
)
from benchmarks.capacity_quotas import Traffic, quotas, required_shards  # noqa: E402
from benchmarks.cost_prices import MILLION, MONTH_HOURS, PRICES  # noqa: E402
from tools.cli import exit_code  # noqa: E402
from tools.deployment.environments import environments_of_stage  # noqa: E402
from tools.stack import EDGE_REGION  # noqa: E402

SUFFIXES: Final = {"K": 1e3, "M": 1e6, "B": 1e9}
SCALES: Final = (1e6, 100e6, 10e9)
#: The busiest second of a month has ten times the average.
PEAK: Final = 10.0
MAX_REGIONS: Final = 8
#: A page needs some requests in a row, so that a person notices less than a tenth of a second.
NOTICED_MS: Final = 20.0


def number_of(text: str) -> float:
    """Return a number of events, as in "100M" or "10_000_000".

    Raises:
        CommandError: The text isn't a positive number.
    """
    digits, factor = text.strip(), 1.0
    if digits[-1:].upper() in SUFFIXES:
        digits, factor = digits[:-1], SUFFIXES[digits[-1].upper()]
    try:
        number = float(digits) * factor
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise CommandError(
            f"EVENTS={text!r} isn't a number of events for a month. Use, for example, EVENTS=100M."
        )
    return number


def layout_of(text: str) -> Layout:
    """Return the layout of a list of Regions, the home first; of stage prod for an empty text.

    Raises:
        CommandError: A Region is unknown.
    """
    names = [it.strip() for it in text.split(",") if it.strip()]
    if not names:
        serving = [it for it in environments_of_stage("prod") if it.is_serving]
        names = [it.region for it in sorted(serving, key=lambda it: not it.is_home)]
    for name in names:
        if name not in REGIONS:
            raise CommandError(
                f"REGIONS has {name!r}, whose location isn't known. Use Regions such as "
                "eu-west-2,ap-south-1, the home first."
            )
    return Layout([*dict.fromkeys(names)])


def requests_of(text: str) -> int:
    """Return the events of a request.

    Raises:
        CommandError: The text isn't a number from 1 to 500.
    """
    if not text.isdecimal() or not 1 <= int(text) <= 500:
        raise CommandError(f"PER_REQUEST={text!r} isn't a number of events from 1 to 500.")
    return int(text)


def peak_of(events: float) -> float:
    """Return the events of the busiest second of a month."""
    return PEAK * events / (MONTH_HOURS * 3600)


def traffic_of(per_request: int) -> Traffic:
    """Return a request of the collector, measured."""
    return Traffic(per_request, measured_request(per_request).record_bytes, cost.EDGE_S)


def latency_lines(layout: Layout) -> list[str]:
    """Return the latency over all people, by city, and of each further Region."""
    reads, writes = latency.reads(layout.serving), latency.writes(layout.home)
    lines = [
        f"LATENCY with {', '.join(layout.serving)}; home {layout.home} (model)",
        f"  reads   p50 {reads.p50:>4.0f} ms   p95 {reads.p95:>4.0f} ms   from the nearest Region",
        f"  writes  p50 {writes.p50:>4.0f} ms   p95 {writes.p95:>4.0f} ms   in the home",
        "",
        f"  {'city':<14}{'people':>8}{'nearest':>17}{'read':>8}{'write':>8}",
    ]
    for city, location in latency.CITIES.items():
        nearest = min(layout.serving, key=lambda region: latency.read_ms(city, [region]))
        lines.append(
            f"  {city:<14}{location.millions:>6} M{nearest:>17}"
            f"{latency.read_ms(city, layout.serving):>5.0f} ms"
            f"{latency.write_ms(city, layout.home):>5.0f} ms"
        )
    return lines


def region_lines(layout: Layout) -> list[str]:
    """Return what each further Region gains for reads, and costs before its first event."""
    lines = [
        "FURTHER REGIONS, each the one that lowers the mean of reads most. Writes go to the home.",
        f"  {'Region':<20}{'p50':>12}{'p95':>14}{'faster by 20 ms':>17}{'dollars a month':>17}",
    ]
    regions = list(layout.serving)
    before, cost_before = latency.reads(regions), total(monthly_dollars(layout))
    while len(regions) < MAX_REGIONS:
        added = latency.best_addition(regions)
        people = latency.nearer_millions(regions, added, NOTICED_MS)
        regions.append(added)
        after, cost_after = latency.reads(regions), total(monthly_dollars(Layout(regions)))
        dollars = cost_after - cost_before
        lines.append(
            f"  {len(regions)}. {added:<17}{before.p50:>4.0f} → {after.p50:>3.0f} ms"
            f"{before.p95:>5.0f} → {after.p95:>3.0f} ms{people:>14} M{dollars:>15.2f}"
        )
        before, cost_before = after, cost_after
    return lines


def quota_lines(layout: Layout, events: float, per_request: int) -> list[str]:
    """Return the quotas in order, with those that the month's busiest second exceeds."""
    traffic, peak = traffic_of(per_request), peak_of(events)
    lines = [
        f"QUOTAS by the events per second that reach them, with {per_request} events per request.",
        f"  {events:,.0f} events a month: {peak / PEAK:,.0f} a second, at the peak {peak:,.0f}",
        f"  {'events/s':>12}  quota",
    ]
    for quota in quotas(traffic, len(layout.serving)):
        mark = (
            "  EXCEEDED at the peak" if quota.is_of_stage and quota.events_per_second < peak else ""
        )
        lines.append(
            f"  {quota.events_per_second:>12,.0f}  {quota.name}, of {quota.scope}"
            f" [{quota.source}]{mark}"
        )
    return lines


def charge_lines(layout: Layout, events: float, per_request: int) -> list[str]:
    """Return the charges of a month by component, for three scales and for `events`."""
    scales = [*dict.fromkeys([*SCALES, events])]
    fixed = monthly_dollars(layout)
    columns = [event_dollars(it, per_request) | fixed for it in scales]
    header = "".join(f"{it:>18,.0f}" for it in scales)
    lines = [f"DOLLARS A MONTH, with {per_request} events per request", f"  {'events':<34}{header}"]
    for name in columns[0]:
        if any(it[name] for it in columns):
            cells = "".join(f"{it[name]:>18,.2f}" for it in columns)
            lines.append(f"  {name:<34}{cells}")
    cells = "".join(f"{total(it):>18,.2f}" for it in columns)
    lines.append(f"  {'sum':<34}{cells}")
    traffic = traffic_of(per_request)
    shards = [required_shards(traffic, peak_of(it), len(layout.serving)) for it in scales]
    sums = [
        total(event_dollars(it, per_request, is_provisioned=True))
        + total(monthly_dollars(layout, shards=number))
        for it, number in zip(scales, shards, strict=True)
    ]
    cells = "".join(f"{it:>18,.2f}" for it in sums)
    lines.append(f"  {'sum with StreamMode=PROVISIONED':<34}{cells}")
    cells = "".join(f"{it:>18,}" for it in shards)
    lines.append(f"  {'  and StreamShards for the peak':<34}{cells}")
    checks = monthly_dollars(layout, has_domain=True)["health checks"]
    months = sorted({it.month for it in PRICES.values()})
    lines += [
        f"  With Domain, health checks add {checks:.2f} a month.",
        f"  List prices of {EDGE_REGION} ({', '.join(months)}), viewers in North America",
        "  Not counted: free tiers, pages and videos, queries, replication, accounts and emails",
        "  (benchmarks/school.py), and parameters that are off by default",
    ]
    return lines


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Print the model for EVENTS, PER_REQUEST and REGIONS.

    Raises:
        CommandError: A value is invalid.
    """
    events = number_of(environment.get("EVENTS") or f"{MILLION * 100}")
    per_request = requests_of(environment.get("PER_REQUEST") or "10")
    layout = layout_of(environment.get("REGIONS", ""))
    parts: Sequence[list[str]] = (
        latency_lines(layout),
        region_lines(layout),
        quota_lines(layout, events, per_request),
        charge_lines(layout, events, per_request),
    )
    print("\n\n".join("\n".join(it) for it in parts))
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
