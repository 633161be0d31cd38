"""The collector writes only to streams with a consumer; a Region is removed without lost events."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from aws_emulator.errors import CommandError
from tests.support.waiting import wait_until
from tests.system.conftest import EDGE, LONDON, MUMBAI
from tests.system.test_journey import event, post, rows
from tests.system.test_regions import operated_regions, operator_token
from tools.deployment import collector, region_values, replicas
from tools.deployment.destroy import release
from tools.deployment.environments import Environment
from tools.dev import system
from tools.dev.region import change_regions
from tools.stack import StackTarget, client, outputs_of, parameters_of

pytestmark = pytest.mark.integration

#: Regions without a stack.
FRANKFURT, PARIS, IRELAND = "eu-central-1", "eu-west-3", "eu-west-1"


def environment(regions: system.System, region: str) -> Environment:
    stage = regions.target.stage
    overrides = {"Stage": stage, "HomeRegion": LONDON}
    return Environment(region, region, stage, f"meridian-{stage}-{region}", overrides)


def clients_of(regions: system.System) -> collector.Clients:
    return lambda service, region: client(service, StackTarget(regions.target.endpoint, region))


def records(regions: system.System, region: str) -> int:
    """Return the number of records in a Region's event stream."""
    kinesis = client("kinesis", StackTarget(regions.target.endpoint, region))
    stream = regions.deployed.outputs["StreamName"]
    total = 0
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        total += len(kinesis.get_records(ShardIterator=iterator, Limit=10_000)["Records"])
    return total


def wait_until_collector_writes_to(regions: system.System, region: str) -> None:
    """Send events until one is in the Region's stream: CloudFront serves an update in seconds."""
    before = records(regions, region)

    def is_written() -> bool:
        assert post(regions, "/v1/track", event("track", "regions")).status_code == 200
        return records(regions, region) > before

    wait_until(is_written, f"an event in {region}")


def monitored(regions: system.System) -> list[str]:
    """Return the Regions whose health check has an alarm."""
    cloudwatch = client("cloudwatch", StackTarget(regions.target.endpoint, EDGE))
    pages = cloudwatch.get_paginator("describe_alarms").paginate()
    texts = [it["AlarmDescription"] for page in pages for it in page["MetricAlarms"]]
    rules = [it for it in texts if "region-not-serving" in it]
    return [it for it in (LONDON, MUMBAI) if any(it in text for text in rules)]


def test_removed_region_keeps_no_event_in_its_stream(
    regions: system.System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make destroy` of a Region: the collector stops, the lake gets the rest, then it may go."""
    target = regions.target
    for name, value in StackTarget(target.endpoint, MUMBAI, target.stage).environment().items():
        monkeypatch.setenv(name, value)
    edge, mumbai = environment(regions, EDGE), environment(regions, MUMBAI)
    clients = clients_of(regions)
    assert collector.collector_regions(edge, clients) == [LONDON, MUMBAI]
    collector.set_regions(edge, [MUMBAI], clients)
    wait_until_collector_writes_to(regions, MUMBAI)
    with pytest.raises(CommandError, match="only Region of the collector"):
        release(regions.layout, mumbai, clients, in_flight_s=0)

    collector.set_regions(edge, [MUMBAI, LONDON], clients)
    release(regions.layout, mumbai, clients, in_flight_s=5)
    assert monitored(regions) == [LONDON]
    assert rows(
        regions,
        f"stream_region = '{MUMBAI}'",
        f"meridian-{target.stage}-lake-000000000000-{MUMBAI}",
    )
    assert collector.collector_regions(edge, clients) == [LONDON]
    written = records(regions, MUMBAI)
    wait_until_collector_writes_to(regions, LONDON)
    assert records(regions, MUMBAI) == written
    region_values.pass_on(mumbai, regions.layout, clients)
    assert collector.collector_regions(edge, clients) == [LONDON, MUMBAI]
    assert monitored(regions) == [LONDON, MUMBAI]


def test_region_is_added_and_removed_with_the_replicas_of_the_tables(
    regions: system.System,
) -> None:
    """`make deploy` adds the replicas Region by Region, and `make destroy` removes them."""
    home, clients = regions.layout.home, clients_of(regions)
    listed = {"ReplicaRegions": f"{MUMBAI},{FRANKFURT},{PARIS}"}
    larger = replace(home, overrides={**home.overrides, **listed})
    assert replicas.kept(larger, clients) == {"ReplicaRegions": MUMBAI}
    replicas.add_missing(larger, clients)
    assert replicas.deployed(home, clients) == [MUMBAI, FRANKFURT, PARIS]
    with pytest.raises(CommandError, match=f"replicas in {FRANKFURT}, {PARIS}, which"):
        replicas.kept(home, clients)
    tables = [f"meridian-{regions.target.stage}-{name}" for name in replicas.TABLES]
    for table in tables:
        streams = [
            clients("dynamodb", it).describe_table(TableName=table)["Table"]["LatestStreamArn"]
            for it in (LONDON, MUMBAI, FRANKFURT, PARIS)
        ]
        assert len(set(streams)) == 4

    for region, remaining in ((FRANKFURT, [MUMBAI, PARIS]), (PARIS, [MUMBAI])):
        further = environment(regions, region)
        assert replicas.has_replicas(further, regions.layout, clients)
        replicas.remove(further, regions.layout, clients)
        assert replicas.deployed(home, clients) == remaining
        assert not replicas.has_replicas(further, regions.layout, clients)
        assert clients("dynamodb", region).list_tables()["TableNames"] == []
    for table in tables:
        described = clients("dynamodb", MUMBAI).describe_table(TableName=table)["Table"]
        assert described["DeletionProtectionEnabled"] is True
    assert not replicas.has_replicas(home, regions.layout, clients)


def test_replicas_of_the_accounts_of_an_earlier_version_are_removed_one_by_one(
    regions: system.System,
) -> None:
    """`make deploy` of a stage whose accounts table was replicated."""
    home, clients = regions.layout.home, clients_of(regions)
    table = f"meridian-{regions.target.stage}-{replicas.ACCOUNTS}"

    def present() -> set[str]:
        described = clients("dynamodb", LONDON).describe_table(TableName=table)["Table"]
        return {str(it["RegionName"]) for it in described.get("Replicas", [])} - {LONDON}

    assert present() == set()
    for listed in (FRANKFURT, f"{FRANKFURT},{PARIS}"):
        collector.update_parameters(home, {"AccountsReplicaRegions": listed}, clients)
    assert present() == {FRANKFURT, PARIS}
    with pytest.raises(CommandError):
        collector.update_parameters(home, {"AccountsReplicaRegions": ""}, clients)
    assert replicas.kept(home, clients) == {
        "ReplicaRegions": MUMBAI,
        "AccountsReplicaRegions": f"{FRANKFURT},{PARIS}",
    }
    replicas.remove_accounts(home, clients)
    assert present() == set()
    assert replicas.kept(home, clients) == {"ReplicaRegions": MUMBAI}
    assert replicas.deployed(home, clients) == [MUMBAI]


def mark_regions(regions: system.System, *further: str) -> list[str]:
    """Return the Region that has the mark of each further Region, none for the home."""
    marked = []
    for region in further:
        name = environment(regions, region).stack_name
        described = clients_of(regions)("cloudformation", region).describe_stacks(StackName=name)
        marked.append(parameters_of(described["Stacks"][0])["MarkRegion"])
    return marked


@contextmanager
def sending(regions: system.System) -> Iterator[list[str]]:
    """Send an event after the other within the block; yield the IDs of the accepted ones."""
    sent: list[str] = []
    is_over = threading.Event()

    def send() -> None:
        while not is_over.wait(0.1):
            each = event("track", "load", event="Under load")
            if post(regions, "/v1/track", each).status_code == 200:
                sent.append(str(each["messageId"]))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield sent
    finally:
        is_over.set()
        thread.join()


@pytest.mark.nightly
def test_region_is_added_and_removed_while_events_arrive(regions: system.System) -> None:
    """`make region`: each accepted event is in one lake, once, and none is left in the stream."""
    edge, clients = environment(regions, EDGE), clients_of(regions)
    token = operator_token(regions)
    with sending(regions) as sent:
        assert change_regions({"ADD": FRANKFURT}, regions.directory) == 0
        assert mark_regions(regions, MUMBAI, FRANKFURT) == [FRANKFURT, MUMBAI]
        assert collector.collector_regions(edge, clients) == [LONDON, MUMBAI, FRANKFURT]
        for called in (LONDON, MUMBAI, FRANKFURT):
            assert operated_regions(regions, called, token) == [LONDON, MUMBAI, FRANKFURT]
        # Another Region is nearer.
        collector.set_regions(edge, [FRANKFURT], clients)
        wait_until_collector_writes_to(regions, FRANKFURT)
        collector.set_regions(edge, [LONDON, MUMBAI, FRANKFURT], clients)
        assert change_regions({"REMOVE": FRANKFURT}, regions.directory) == 0
        assert mark_regions(regions, MUMBAI) == ["none"]
        for called in (LONDON, MUMBAI):
            assert operated_regions(regions, called, token) == [LONDON, MUMBAI]
        wait_until_collector_writes_to(regions, LONDON)
    assert collector.collector_regions(edge, clients) == [LONDON, MUMBAI]
    assert clients("dynamodb", FRANKFURT).list_tables()["TableNames"] == [
        f"meridian-{regions.target.stage}-checkpoints",
        f"meridian-{regions.target.stage}-live",
    ]
    condition = "event = 'Under load'"
    wait_until(
        lambda: (
            set(sent)
            <= {
                row["message_id"]
                for name in (LONDON, FRANKFURT)
                for row in all_rows(regions, condition, name)
            }
        ),
        "all events in the lakes",
        120,
        interval_s=1,
    )
    stored_ids = [
        row["message_id"]
        for name in (LONDON, FRANKFURT)
        for row in all_rows(regions, condition, name)
    ]
    assert sorted(stored_ids) == sorted(sent)
    assert all_rows(regions, condition, FRANKFURT)


def all_rows(regions: system.System, condition: str, name: str) -> list[dict[str, Any]]:
    """Return the rows of a Region's lake."""
    lake = f"meridian-{regions.target.stage}-lake-000000000000-{name}"
    return rows(regions, condition, lake)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Set one of ADD and REMOVE"),
        ({"ADD": MUMBAI, "REMOVE": MUMBAI}, "Set one of ADD and REMOVE"),
        ({"ADD": MUMBAI}, "has ap-south-1 already"),
        ({"ADD": EDGE}, "has only the edge"),
        ({"ADD": "frankfurt"}, "which AWS doesn't have"),
        ({"REMOVE": LONDON}, "no further Region eu-west-2. Name one of: ap-south-1"),
    ],
)
def test_region_command_refuses_invalid_option(
    regions: system.System, options: dict[str, str], message: str
) -> None:
    with pytest.raises(CommandError, match=re.escape(message)):
        change_regions(options, regions.directory)


def test_region_without_a_consumer_gets_no_events(regions: system.System) -> None:
    """A deleted regional stack leaves its stream; its mapping is gone."""
    edge, ireland = environment(regions, EDGE), environment(regions, IRELAND)
    clients = clients_of(regions)
    stream = regions.deployed.outputs["StreamName"]
    clients("kinesis", IRELAND).create_stream(StreamName=stream, ShardCount=1)
    with pytest.raises(CommandError, match="No enabled event source mapping"):
        collector.add_region(edge, ireland, clients)
    collector.update_parameters(edge, {"Regions": f"{LONDON},{MUMBAI},{IRELAND}"}, clients)
    (stack,) = clients("cloudformation", EDGE).describe_stacks(StackName=edge.stack_name)["Stacks"]
    outputs = outputs_of(stack)
    assert outputs["CollectorRegions"] == f"{LONDON},{MUMBAI}"
    assert outputs["SkippedRegions"].startswith(f"{IRELAND}: no enabled event source mapping")
    clients("kinesis", IRELAND).delete_stream(StreamName=stream)


def test_stream_that_lost_its_consumer_fails_the_scheduled_check(regions: system.System) -> None:
    """The check finds a deleted or disabled mapping of any Region."""
    account = "000000000000"
    stream = regions.deployed.outputs["StreamName"]
    arns = [f"arn:aws:kinesis:{it}:{account}:stream/{stream}" for it in (LONDON, MUMBAI)]

    def check() -> str | None:
        answer = regions.clients("lambda", EDGE).invoke(
            FunctionName=f"meridian-{regions.target.stage}-edge-settings",
            Payload=json.dumps({"StreamArns": ",".join(arns)}),
        )
        return None if "FunctionError" not in answer else answer["Payload"].read().decode()

    assert check() is None
    lambda_ = regions.clients("lambda", MUMBAI)
    (mapping,) = lambda_.list_event_source_mappings(EventSourceArn=arns[1])["EventSourceMappings"]
    lambda_.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    assert f"{MUMBAI}: no enabled event source mapping" in str(check())
    lambda_.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    assert check() is None
