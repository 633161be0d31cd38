"""The collector gets only streams with a consumer, and a scheduled run reports lost consumers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_settings.consumers import find_consumed, stream_arns
from edge_settings.errors import ConsumerReadError, MissingPropertyError, UnconsumedStreamError
from edge_settings.handler import lambda_handler
from tests.unit.edge_settings.fake_aws import FakeAws, install
from tests.unit.edge_settings.test_handler import (
    EVENT,
    INGEST_SETTINGS,
    empty_package,
    event_with,
    settings_in,
)

REGIONS = ["us-east-1", "eu-west-2", "ap-south-1"]
FUNCTION = str(EVENT["ResourceProperties"]["BuiltVersion"])
ARNS = stream_arns(FUNCTION, "meridian-dev-events", REGIONS)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    aws = FakeAws(packages={FUNCTION: empty_package()})
    install(monkeypatch, aws)
    return aws


def collector_event() -> dict[str, Any]:
    settings = INGEST_SETTINGS | {"regions": REGIONS, "salt": "0" * 16}
    return event_with(Component="edge_ingest", Settings=json.dumps(settings))


@pytest.mark.parametrize("lost", ["without_consumer", "unavailable"])
def test_collector_is_published_without_regions_that_confirm_no_consumer(
    lost: str, fake: FakeAws
) -> None:
    getattr(fake, lost).update({"eu-west-2", "ap-south-1"})
    lambda_handler(collector_event(), None)
    (response,) = fake.responses
    assert response["Status"] == "SUCCESS", response
    data: Any = response["Data"]
    assert data["Regions"] == "us-east-1"
    assert data["StreamArns"] == ARNS[0]
    assert "eu-west-2: " in data["SkippedRegions"]
    assert settings_in(fake.published[0])["regions"] == ["us-east-1"]


def test_collector_keeps_all_regions_with_consumers(fake: FakeAws) -> None:
    lambda_handler(collector_event(), None)
    data: Any = fake.responses[0]["Data"]
    assert (data["Regions"], data["SkippedRegions"]) == (",".join(REGIONS), "none")
    assert settings_in(fake.published[0])["regions"] == REGIONS


def test_deployment_without_any_consumer_fails(fake: FakeAws) -> None:
    fake.without_consumer.update(REGIONS)
    lambda_handler(collector_event(), None)
    assert str(fake.responses[0]["Reason"]).startswith("[unconsumed_stream]")
    assert fake.published == []


def test_scheduled_run_succeeds_while_all_streams_have_consumers(fake: FakeAws) -> None:
    assert lambda_handler({"StreamArns": ",".join(ARNS)}, None) == {"Regions": REGIONS}
    assert fake.responses == []


@pytest.mark.parametrize("lost", ["without_consumer", "unavailable"])
def test_scheduled_run_names_the_region_that_lost_its_consumer(lost: str, fake: FakeAws) -> None:
    getattr(fake, lost).add("eu-west-2")
    with pytest.raises(UnconsumedStreamError, match="eu-west-2"):
        lambda_handler({"StreamArns": ",".join(ARNS)}, None)


@pytest.mark.parametrize("event", [{}, {"StreamArns": ""}, {"StreamArns": ["arn:"]}])
def test_scheduled_run_without_streams_fails(event: dict[str, Any], fake: FakeAws) -> None:
    with pytest.raises(MissingPropertyError, match="StreamArns"):
        lambda_handler(event, None)


@given(st.sets(st.sampled_from(REGIONS)), st.sets(st.sampled_from(REGIONS)))
def test_each_region_is_either_consumed_or_skipped_with_a_reason(
    missing: set[str], unavailable: set[str]
) -> None:
    def has_consumer(arn: str) -> bool:
        region = arn.split(":")[3]
        if region in unavailable:
            raise ConsumerReadError(region)
        return region not in missing

    streams = find_consumed(ARNS, has_consumer)
    assert set(streams.regions) == set(REGIONS) - missing - unavailable
    assert set(streams.skipped) == missing | unavailable
    assert all(streams.skipped.values())
