"""Two regions: the same template in each, and events that find the next stream when one is gone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_socket import enable_socket

from local import sam, system
from local.commands import STATE
from tests.integration.test_journey import event, post, stored

pytestmark = pytest.mark.integration

LONDON = "eu-west-2"


@pytest.fixture(scope="module")
def regions() -> Iterator[system.System]:
    """Home and London, in a folder of their own."""
    enable_socket()
    with system.started(STATE / "test-regions", system.Ports(), ("us-east-1", LONDON)) as running:
        yield running


def test_events_take_the_next_region_when_the_nearest_is_gone(
    regions: system.System, tmp_path: Path
) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    away.mkdir()
    before, after = event("track", "regions", event="Before"), event("track", "regions", event="On")
    assert post(regions, "/v1/track", before).status_code == 200
    (row,) = stored(regions, f"message_id = '{before['messageId']}'", 1, home)
    assert (row["stream_region"], row["failover"]) == ("us-east-1", False)

    sam.client("kinesis", regions.place).delete_stream(
        StreamName=regions.deployed.outputs["StreamName"]
    )
    assert post(regions, "/v1/track", after).status_code == 200
    lake = f"meridian-{regions.place.stage}-lake-000000000000-{LONDON}"
    (row,) = stored(regions, f"message_id = '{after['messageId']}'", 1, away, lake)
    assert (row["stream_region"], row["failover"]) == (LONDON, True)
