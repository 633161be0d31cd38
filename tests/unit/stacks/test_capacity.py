"""Tests of the model of `make capacity`."""

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from aws_emulator.route53.locations import REGIONS, latency_ms
from benchmarks import capacity, capacity_charges, capacity_latency, cost, cost_page
from benchmarks.capacity_charges import Layout, event_dollars, monthly_dollars, total
from benchmarks.capacity_quotas import Traffic, quotas, required_shards
from benchmarks.cost_prices import CLOUDFRONT, MILLION, PRICES, REFERENCE
from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import load
from tools.replay import log_source

CACHES = (capacity_charges.measured_request, capacity_charges.stored_bytes)


@pytest.fixture(scope="module", autouse=True)
def modelled_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Measure requests of a modelled log, instead of the public one, which is downloaded."""
    log = log_source.modelled_log(requests=3_000, cache=tmp_path_factory.mktemp("log"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_source, "find_log", lambda: log)
        for cached in CACHES:
            cached.cache_clear()
        yield
    for cached in CACHES:
        cached.cache_clear()


SETS = st.lists(st.sampled_from(sorted(REGIONS)), min_size=1, max_size=6, unique=True)
TRAFFIC = st.builds(
    Traffic, st.integers(1, 500), st.floats(100, 900_000), st.floats(0.001, 15, allow_nan=False)
)


@given(SETS, st.sampled_from(sorted(REGIONS)))
def test_further_region_makes_no_read_slower(regions: list[str], added: str) -> None:
    for city in capacity_latency.CITIES:
        alone = capacity_latency.read_ms(city, [added])
        together = capacity_latency.read_ms(city, [*regions, added])
        assert together == min(alone, capacity_latency.read_ms(city, regions))


@given(SETS)
def test_shares_of_people_have_their_response_within_the_percentiles(regions: list[str]) -> None:
    result = capacity_latency.reads(regions)
    people = sum(it.millions for it in capacity_latency.CITIES.values())
    for share, milliseconds in ((0.5, result.p50), (0.95, result.p95)):
        times = [
            (capacity_latency.read_ms(city, regions), it.millions)
            for city, it in capacity_latency.CITIES.items()
        ]
        assert sum(millions for it, millions in times if it <= milliseconds) >= share * people
        assert sum(millions for it, millions in times if it < milliseconds) < share * people


@given(SETS)
def test_best_addition_has_the_lowest_mean(regions: list[str]) -> None:
    best = capacity_latency.mean_ms([*regions, capacity_latency.best_addition(regions)])
    assert best == min(capacity_latency.mean_ms([*regions, it]) for it in REGIONS)


@given(SETS, st.sampled_from(sorted(REGIONS)))
def test_region_that_the_stage_has_makes_no_read_faster(regions: list[str], added: str) -> None:
    assert capacity_latency.nearer_millions(regions, regions[0], 1.0) == 0
    everybody = sum(it.millions for it in capacity_latency.CITIES.values())
    assert capacity_latency.nearer_millions(regions, added, 0.0) == everybody


@pytest.mark.parametrize(
    ("one", "other", "measured_ms"),
    [
        ("us-east-1", "eu-west-2", 76),
        ("eu-west-2", "ap-south-1", 120),
        ("us-east-1", "ap-south-1", 195),
    ],
)
def test_model_is_near_published_round_trips(one: str, other: str, measured_ms: float) -> None:
    assert latency_ms(one, other) == pytest.approx(measured_ms, rel=0.25)


@given(TRAFFIC, st.integers(1, 8))
def test_quotas_are_in_order_and_more_regions_lower_none(traffic: Traffic, regions: int) -> None:
    few, more = quotas(traffic, regions), quotas(traffic, regions + 1)
    for known in (few, more):
        assert known == sorted(known, key=lambda it: it.events_per_second)
    later = {it.name: it.events_per_second for it in more}
    assert all(later[it.name] >= it.events_per_second for it in few)


@given(TRAFFIC, st.floats(0.1, 1e6), st.integers(1, 8))
def test_required_shards_carry_the_events_and_one_less_does_not(
    traffic: Traffic, events: float, regions: int
) -> None:
    (shard,) = (it for it in quotas(traffic, regions) if "PROVISIONED" in it.name)
    number = required_shards(traffic, events, regions)
    assert number * shard.events_per_second >= events * (1 - 1e-9)
    assert number == 1 or (number - 1) * shard.events_per_second < events


def test_charges_of_events_are_proportional() -> None:
    one, ten = event_dollars(1e6, 10), event_dollars(1e7, 10)
    assert ten == pytest.approx({name: 10 * it for name, it in one.items()})
    assert all(it > 0 for it in one.values())


def test_further_region_costs_a_stream_and_its_alarms() -> None:
    one, two = (monthly_dollars(Layout(["us-east-1", "eu-west-2"][:it])) for it in (1, 2))
    assert two["event streams"] == 2 * one["event streams"]
    assert two["alarms"] > one["alarms"]
    assert two["metrics of the functions"] == 2 * one["metrics of the functions"]
    assert all(two[name] >= it for name, it in one.items())


def test_home_outside_the_edge_costs_a_stack_there() -> None:
    assert Layout(["us-east-1"]).stacks == ["us-east-1"]
    assert Layout(["eu-west-2"]).stacks == ["eu-west-2", "us-east-1"]
    assert monthly_dollars(Layout(["eu-west-2"]))["event streams"] == pytest.approx(29.2)


def test_health_checks_cost_only_with_a_domain() -> None:
    layout = Layout(["eu-west-2", "ap-south-1"])
    without, with_domain = (monthly_dollars(layout, has_domain=it) for it in (False, True))
    assert without["health checks"] == 0
    resources = load(ROOT / "stacks" / "names.yaml")["Resources"].values()
    checks = [
        it["Properties"]["HealthCheckConfig"]
        for it in resources
        if it["Type"] == "AWS::Route53::HealthCheck"
    ]
    each = sum(map(capacity_charges.health_check_dollars, checks))
    assert with_domain["health checks"] >= 2 * each > 0


@pytest.mark.parametrize(
    ("config", "dollars"),
    [
        ({"Type": "CALCULATED"}, 0.5),
        ({"Type": "HTTP"}, 0.5),
        ({"Type": "HTTPS", "RequestInterval": 10}, 2.5),
        ({"Type": "HTTPS_STR_MATCH", "RequestInterval": 30}, 2.5),
    ],
)
def test_features_of_a_health_check_have_a_price(config: dict[str, object], dollars: float) -> None:
    assert capacity_charges.health_check_dollars(config) == dollars


def test_metrics_of_functions_include_those_of_loops() -> None:
    assert {"ObjectsWritten", "RowsGood", "ArrivalToLake"} <= capacity_charges.custom_metrics()


def test_event_in_the_lake_is_smaller_than_in_the_stream() -> None:
    assert 10 < capacity_charges.stored_bytes(10) < capacity.traffic_of(10).record_bytes / 10


@pytest.mark.parametrize(
    ("text", "number"), [("100M", 1e8), ("10b", 1e10), ("1_000_000", 1e6), ("2.5K", 2500)]
)
def test_number_of_events_has_a_suffix(text: str, number: float) -> None:
    assert capacity.number_of(text) == number


@pytest.mark.parametrize("text", ["", "M", "-1", "0", "many", "1e999", "nan"])
def test_invalid_number_of_events_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="EVENTS"):
        capacity.number_of(text)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"EVENTS": "x"}, "EVENTS"),
        ({"PER_REQUEST": "0"}, "PER_REQUEST"),
        ({"PER_REQUEST": "501"}, "PER_REQUEST"),
        ({"REGIONS": "moon-1"}, "moon-1"),
    ],
)
def test_command_refuses_invalid_values(variables: dict[str, str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        capacity.main(variables)


def test_default_regions_are_those_of_production() -> None:
    assert list(capacity.layout_of("").serving) == ["eu-west-2", "ap-south-1"]


def test_command_prints_each_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert capacity.main({"EVENTS": "10B", "REGIONS": "eu-west-2,ap-south-1"}) == 0
    output = capsys.readouterr().out
    for city in capacity_latency.CITIES:
        assert city in output
    for part in ("LATENCY", "FURTHER REGIONS", "QUOTAS", "DOLLARS A MONTH"):
        assert part in output
    assert "EXCEEDED at the peak" in output
    charges = event_dollars(1e10, 10) | monthly_dollars(Layout(["eu-west-2", "ap-south-1"]))
    assert f"{total(charges):,.2f}" in output


def test_small_school_exceeds_no_quota_of_an_old_account() -> None:
    lines = capacity.quota_lines(Layout(["us-east-1"]), 1e6, 10)
    assert not any("EXCEEDED" in it for it in lines)
    assert math.isclose(capacity.peak_of(1e6), 10 * 1e6 / (730 * 3600))


def test_processor_is_charged_for_its_memory_in_the_template_and_for_its_trace() -> None:
    deployed = cost.components()
    function = load(ROOT / "stacks" / "stream.yaml")["Resources"]["EventsFunction"]["Properties"]
    assert deployed.processor_gb * 1024 == function["MemorySize"]
    measured, delivery = capacity_charges.measured_request(10), CLOUDFRONT[REFERENCE]

    def charge(gigabytes: float) -> float:
        parts = cost.dollars(10, measured, deployed._replace(processor_gb=gigabytes), delivery)
        return parts["processor and S3"] / MILLION * cost.EVENTS_PER_INVOCATION

    busy_s = cost.PROCESSOR_S + cost.EVENTS_PER_INVOCATION * cost.PROCESSOR_EVENT_S
    assert charge(3) - charge(1) == pytest.approx(2 * busy_s * PRICES["lambda_gb_second"].dollars)
    others = ("lambda_request", "xray_trace", "s3_put")
    assert charge(0) > sum(PRICES[name].dollars for name in others)


def flat(prices: Any, *names: str) -> Iterator[tuple[tuple[str, ...], float]]:
    if isinstance(prices, dict):
        for name, value in prices.items():
            yield from flat(value, *names, name)
    elif isinstance(prices, int | float):
        yield names, prices


def test_prices_of_the_operators_page_are_those_of_the_model() -> None:
    """An alarm more costs $0.10 a month: the file is made again when a price differs by a tenth."""
    stored, modelled = json.loads(cost_page.PAGE.read_text()), cost_page.prices()
    assert stored["months"] == modelled["months"]
    rates = dict(flat(stored))
    for names, rate in flat(modelled):
        # The writes depend on the pages of the log: the file's is the public one.
        tolerance = 0.6 if "Live counters" in names else 0.1
        assert rates.pop(names) == pytest.approx(rate, rel=tolerance), "Run `make reference`."
    assert not rates, "Run `make reference`."
