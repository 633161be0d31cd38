"""Tests of the routing policies, over any set of Regions, weights and statuses."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.route53.locations import latency_ms, service_address
from aws_emulator.route53.model import Alias, Deployed, HostedZone, RecordSet
from aws_emulator.route53.routing import MAX_VALUES, Answer, Client, resolve
from aws_emulator.tests.route53.strategies import (
    NAME,
    client_locations,
    draws,
    health_of,
    latency_records,
    region_sets,
    weighted_records,
)

ZONE = "example.com."


def deployed(*records: RecordSet) -> Deployed:
    grouped: dict[tuple[str, str], tuple[RecordSet, ...]] = {}
    for record in records:
        key = record.name, record.type
        grouped[key] = (*grouped.get(key, ()), record)
    return Deployed((HostedZone(ZONE, grouped),))


def ask(
    records: tuple[RecordSet, ...],
    health: Mapping[str, bool],
    location: str = "eu-west-2",
    draw: float = 0.0,
    name: str = NAME,
    kind: str = "A",
) -> Answer:
    return resolve(deployed(*records), health, name, kind, Client(location, lambda: draw))


@given(st.data(), region_sets, client_locations)
def test_latency_answers_the_nearest_healthy_region(
    data: st.DataObject, regions: list[str], location: str
) -> None:
    records = latency_records(regions)
    health = data.draw(health_of(regions))
    # Without a healthy Region, all count as healthy.
    candidates = [it for it in regions if health[it]] or regions
    (answer,) = ask(records, health, location).records
    chosen = next(it for it in records if it.values == (answer.value,))
    assert chosen.region in candidates
    assert latency_ms(location, str(chosen.region)) == min(
        latency_ms(location, it) for it in candidates
    )


@given(st.data(), region_sets, client_locations)
def test_loss_of_one_region_changes_only_the_answers_of_its_clients(
    data: st.DataObject, regions: list[str], location: str
) -> None:
    records = latency_records(regions)
    lost = data.draw(st.sampled_from(regions))
    before = ask(records, {}, location).records
    during = ask(records, {lost: False}, location).records
    lost_values = next(it.values for it in records if it.region == lost)
    if before[0].value in lost_values and len(regions) > 1:
        assert during[0].value not in lost_values
    else:
        assert during == before
    assert ask(records, {lost: True}, location).records == before


@given(region_sets, client_locations)
def test_order_of_the_records_does_not_matter(regions: list[str], location: str) -> None:
    records = latency_records(regions)
    assert ask(records, {}, location).records == ask(records[::-1], {}, location).records


@given(st.data(), weighted_records(), draws)
def test_weighted_record_is_healthy_and_has_a_weight_if_one_has(
    data: st.DataObject, records: tuple[RecordSet, ...], draw: float
) -> None:
    health = data.draw(health_of([it.identifier for it in records]))
    (answer,) = ask(records, health, draw=draw).records
    chosen = next(it for it in records if it.values == (answer.value,))
    healthy = [it for it in records if health[it.identifier]]
    pool = healthy or list(records)
    assert chosen in pool
    assert bool(chosen.weight) == any(it.weight for it in pool)


@given(weighted_records())
def test_weights_are_the_shares_of_the_answers(records: tuple[RecordSet, ...]) -> None:
    total = sum(it.weight or 0 for it in records)
    if total == 0:
        return
    answers = [
        ask(records, {}, draw=(step + 0.5) / total).records[0].value for step in range(total)
    ]
    for record in records:
        assert answers.count(record.values[0]) == (record.weight or 0)


@pytest.mark.parametrize(
    ("primary", "secondary", "expected"),
    [
        (True, True, "192.0.2.1"),
        (False, True, "192.0.2.2"),
        (False, False, "192.0.2.1"),
        (True, False, "192.0.2.1"),
    ],
)
def test_failover_answers_the_secondary_only_if_it_alone_is_healthy(
    primary: bool, secondary: bool, expected: str
) -> None:
    first = RecordSet(
        NAME, "A", 60, ("192.0.2.1",), identifier="1", failover="PRIMARY", health_check="1"
    )
    second = replace(
        first, values=("192.0.2.2",), identifier="2", failover="SECONDARY", health_check="2"
    )
    (answer,) = ask((second, first), {"1": primary, "2": secondary}).records
    assert answer.value == expected


@given(st.data(), st.integers(1, 20), draws)
def test_multivalue_answers_up_to_eight_healthy_records(
    data: st.DataObject, count: int, draw: float
) -> None:
    records = tuple(
        RecordSet(
            NAME,
            "A",
            60,
            (f"192.0.2.{it}",),
            identifier=str(it),
            is_multivalue=True,
            health_check=str(it),
        )
        for it in range(count)
    )
    health = data.draw(health_of([it.identifier for it in records]))
    values = [it.value for it in ask(records, health, draw=draw).records]
    healthy = {it.values[0] for it in records if health[it.identifier]}
    pool = healthy or {it.values[0] for it in records}
    assert set(values) <= pool
    assert len(values) == len(set(values)) == min(len(pool), MAX_VALUES)


def test_alias_answers_under_its_own_name_with_the_ttl_of_its_target() -> None:
    alias = RecordSet(ZONE, "A", alias=Alias(NAME, evaluates_target_health=False))
    target = RecordSet(NAME, "A", 300, ("192.0.2.1",))
    (answer,) = ask((alias, target), {}, name=ZONE).records
    assert (answer.name, answer.ttl_s, answer.value) == (ZONE, 300, "192.0.2.1")


@given(region_sets)
def test_alias_to_a_regional_api_answers_the_address_of_its_region(regions: list[str]) -> None:
    for region in regions:
        target = Alias(f"d-abc.execute-api.{region}.amazonaws.com.", evaluates_target_health=False)
        (answer,) = ask((RecordSet(NAME, "A", alias=target),), {}).records
        assert (answer.ttl_s, answer.value) == (60, service_address(region))


@pytest.mark.parametrize(("kind", "address"), [("A", "127.0.0.1"), ("AAAA", "::1")])
def test_alias_to_a_distribution_answers_both_address_types(kind: str, address: str) -> None:
    alias = RecordSet(ZONE, kind, alias=Alias("d1.cloudfront.net.", evaluates_target_health=False))
    (answer,) = ask((alias,), {}, name=ZONE, kind=kind).records
    assert answer.value == address


def test_alias_that_evaluates_its_target_is_as_healthy_as_the_target() -> None:
    targets = tuple(
        RecordSet(f"{it}.{ZONE}", "A", 60, (f"192.0.2.{number}",), health_check=it)
        for number, it in enumerate(("near", "far"))
    )
    aliases = tuple(
        RecordSet(
            NAME,
            "A",
            alias=Alias(f"{it}.{ZONE}", evaluates_target_health=True),
            identifier=it,
            region=region,
        )
        for it, region in (("near", "eu-west-2"), ("far", "ap-south-1"))
    )
    assert ask((*targets, *aliases), {}).records[0].value == "192.0.2.0"
    assert ask((*targets, *aliases), {"near": False}).records[0].value == "192.0.2.1"


def test_cname_is_followed_inside_its_zone() -> None:
    link = RecordSet(f"www.{ZONE}", "CNAME", 30, (NAME,))
    target = RecordSet(NAME, "A", 60, ("192.0.2.1",))
    answer = ask((link, target), {}, name=f"www.{ZONE}")
    assert [(it.type, it.value) for it in answer.records] == [("CNAME", NAME), ("A", "192.0.2.1")]


def test_cname_and_alias_loops_end() -> None:
    link = RecordSet(NAME, "CNAME", 30, (NAME,))
    assert all(it.type == "CNAME" for it in ask((link,), {}).records)
    alias = RecordSet(ZONE, "A", alias=Alias(ZONE, evaluates_target_health=True))
    assert ask((alias,), {}, name=ZONE).records == ()


def test_wildcard_answers_names_without_records_of_their_own() -> None:
    wildcard = RecordSet(f"*.{ZONE}", "A", 60, ("192.0.2.9",))
    text = RecordSet(NAME, "TXT", 60, ('"x"',))
    (answer,) = ask((wildcard, text), {}, name=f"any.{ZONE}").records
    assert (answer.name, answer.value) == (f"any.{ZONE}", "192.0.2.9")
    # A name with a record of another type has no wildcard (RFC 4592, section 2.2.1).
    assert ask((wildcard, text), {}) == Answer(deployed(wildcard, text).zones[0], exists=True)


def test_name_outside_of_all_zones_has_no_zone() -> None:
    assert ask((), {}, name="example.org.") == Answer(None)


def test_most_specific_zone_answers() -> None:
    outer = HostedZone(ZONE, {(NAME, "A"): (RecordSet(NAME, "A", 60, ("192.0.2.1",)),)})
    inner = HostedZone(NAME, {(NAME, "A"): (RecordSet(NAME, "A", 60, ("192.0.2.2",)),)})
    client = Client("eu-west-2", lambda: 0.0)
    (answer,) = resolve(Deployed((outer, inner)), {}, NAME, "A", client).records
    assert answer.value == "192.0.2.2"
