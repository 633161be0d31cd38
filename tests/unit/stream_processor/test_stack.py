"""Tests that stacks/stream.yaml has the settings that the code relies on."""

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from stream_processor import settings
from stream_processor.table import publish
from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import load, of_type, resources
from tests.unit.stream_processor.test_handlers import ENVIRONMENT

STACK: Final = ROOT / "stacks" / "stream.yaml"
CATALOG: Final = ROOT / "stacks" / "lake-catalog.yaml"
ALARMS: Final = ROOT / "stacks" / "stream-alarms.yaml"
KAFKA: Final = ROOT / "stacks" / "stream-kafka.yaml"
MAPPINGS: Final = ["EventsMapping", "ChangesMapping"]


def properties(name: str, stack: Path = STACK) -> dict[str, Any]:
    return dict(resources(stack)[name]["Properties"])


@pytest.mark.parametrize("name", MAPPINGS)
def test_mapping_has_one_writer_per_shard_and_keeps_discarded_batches(name: str) -> None:
    mapping = properties(name)
    assert mapping["ParallelizationFactor"] == 1
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    destination = mapping["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination == {"Fn::GetAtt": "FailuresBucket.Arn"}
    # Lambda filters records of Kinesis by their data only, which are compressed.
    assert ("FilterCriteria" in mapping) == (name == "ChangesMapping")


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_mapping_of_topic_has_partial_batch_responses_in_provisioned_mode(number: int) -> None:
    """Without provisioned mode Lambda ignores the responses, and records would be lost."""
    mapping = properties(f"Topic{number}Mapping", KAFKA)
    assert mapping["Topics"] == [{"Ref": f"Topic{number}"}]
    assert mapping["EventSourceArn"] == {"Ref": "ClusterArn"}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ProvisionedPollerConfig"]["MinimumPollers"] == 1
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    destination = mapping["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination == {"Ref": "FailuresBucketArn"}
    # The function reports offsets if, and only if, a mapping of this template reads the cluster.
    variables = properties("EventsFunction")["Environment"]["Variables"]
    assert variables["KAFKA_PARTIAL_RESPONSE"] == {"Fn::If": ["HasKafka", "true", "false"]}


def lifecycle(bucket: str) -> dict[str, dict[str, Any]]:
    return {it["Id"]: it for it in properties(bucket)["LifecycleConfiguration"]["Rules"]}


def test_only_a_retention_deletes_events() -> None:
    rules = lifecycle("LakeBucket")
    expiring = {name: rule for name, rule in rules.items() if "ExpirationInDays" in rule}
    prefixes = {
        "events": "events/",
        "compacted": "compacted/",
        "compacted-rest": "compacted_rest/",
    }
    assert expiring.keys() == {*prefixes, "saved-states", "flow-logs"}
    # The flow logs of the catalogue's network aren't events.
    assert rules["flow-logs"]["Prefix"] == "flow-logs/"
    assert rules["flow-logs"]["ExpirationInDays"] == {"Ref": "AccessLogsRetentionDays"}
    for name, prefix in prefixes.items():
        assert rules[name] == {
            "Id": name,
            "Prefix": prefix,
            "Status": {"Fn::If": ["HasEventsRetention", "Enabled", "Disabled"]},
            "ExpirationInDays": {
                "Fn::If": ["HasEventsRetention", {"Ref": "EventsRetentionDays"}, 3650]
            },
        }
    condition = load(STACK)["Conditions"]["HasEventsRetention"]
    assert condition == {"Fn::Not": [{"Fn::Equals": [{"Ref": "EventsRetentionDays"}, 0]}]}


def test_events_are_stored_while_a_redrive_or_the_writer_can_read_them() -> None:
    """A discarded batch has records of the stream's last days, and a redrive looks for them."""
    parameters = load(ROOT / "template.yaml")["Parameters"]
    never, *days = parameters["EventsRetentionDays"]["AllowedValues"]
    assert never == parameters["EventsRetentionDays"]["Default"] == 0
    failures = parameters["FailuresRetentionDays"]["AllowedValues"]
    assert lifecycle("FailuresBucket")["expired"]["ExpirationInDays"] == {
        "Ref": "FailuresRetentionDays"
    }
    variables = load(STACK)["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["EVENTS_RETENTION_DAYS"] == {"Ref": "EventsRetentionDays"}
    stream_days = int(variables["RETENTION_HOURS"]) / 24
    # A batch is discarded within the stream's retention; S3 can delete a day early or late.
    assert min(days) > max(failures) + stream_days + publish.SNAPSHOTS.days + 2
    for number in days:
        read = settings.parse(ENVIRONMENT | {"EVENTS_RETENTION_DAYS": str(number)})
        first = read.first_stored(date(2026, 11, 28))
        assert first == date(2026, 11, 28) - timedelta(days=number)


@pytest.mark.parametrize("topics", ["clicks", "a,b.c,d_e,f-g"])
def test_list_of_topics_is_valid(topics: str) -> None:
    parameters = load(ROOT / "template.yaml")["Parameters"]
    assert re.fullmatch(parameters["KafkaTopics"]["AllowedPattern"], topics)
    for invalid in (f"{topics},", f"{topics},a,b,c,d", f"{topics} "):
        assert not re.fullmatch(parameters["KafkaTopics"]["AllowedPattern"], invalid)
    cluster = "arn:aws:kafka:us-east-1:123456789012:cluster/one/0a1b-2c3d-4"
    assert re.fullmatch(parameters["KafkaClusterArn"]["AllowedPattern"], cluster)


def test_records_are_discarded_before_retention_ends() -> None:
    retention_hours = properties("EventsStream")["RetentionPeriodHours"]
    assert properties("EventsMapping")["MaximumRecordAgeInSeconds"] < retention_hours * 3_600
    # DynamoDB Streams: 24 hours.
    assert properties("ChangesMapping")["MaximumRecordAgeInSeconds"] < 24 * 3_600
    variables = load(STACK)["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["RETENTION_HOURS"] == str(retention_hours)


def test_rows_can_be_queried_within_90_seconds() -> None:
    """The batching window takes most of it; `benchmarks/stream.py` measures the processing."""
    mapping = properties("EventsMapping")
    assert mapping["MaximumBatchingWindowInSeconds"] == {"Ref": "EventsBatchingWindow"}
    polling, slowest_start_and_two_batches = 1, 25
    for template in (STACK, ROOT / "template.yaml"):
        window = load(template)["Parameters"]["EventsBatchingWindow"]["Default"]
        assert polling + window + slowest_start_and_two_batches <= 90
    for table in ("EventsTable", "CompactedTable", "ChangesTable"):
        parameters = properties(table, CATALOG)["TableInput"]["Parameters"]
        assert parameters["projection.enabled"] == "true"
        # Partition dates are UTC; a reader's date can be one day ahead.
        assert parameters["projection.date.range"].endswith(",NOW+1DAYS")


def test_changes_mapping_has_tumbling_window() -> None:
    assert properties("ChangesMapping")["TumblingWindowInSeconds"] > 0


def test_template_environment_is_valid_for_settings() -> None:
    variables = load(STACK)["Globals"]["Function"]["Environment"]["Variables"]
    texts = {"EVENTS_RETENTION_DAYS": "0"}
    ours = {
        name: value if isinstance(value, str) else texts.get(name, "a-name")
        for name, value in variables.items()
        if not name.startswith(("POWERTOOLS_", "ARROW_", "MALLOC_"))
    }
    # Lambda sets AWS_REGION.
    assert settings.parse({**ours, "AWS_REGION": "us-east-1"}).retention_hours == 168
    assert ENVIRONMENT.keys() - {"AWS_REGION"} <= ours.keys()


@pytest.mark.parametrize("function", ["EventsFunction", "ChangesFunction"])
def test_alarms_watch_iterator_age(function: str) -> None:
    hours = {
        alarm["Properties"]["Threshold"] / 3_600_000
        for alarm in of_type(ALARMS, "AWS::CloudWatch::Alarm").values()
        if alarm["Properties"]["MetricName"] == "IteratorAge"
        and alarm["Properties"]["Dimensions"][0]["Value"] == {"Ref": function}
    }
    assert hours == {1, 6, 12}
