"""The view over the lakes of several Regions has each good event once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_processor.compaction.compact import Compaction
from stream_processor.handlers.events import EventsHandler
from tests.support.examples import at_most
from tests.unit.lake.tables import copy_objects
from tests.unit.stream_processor.fakes import FakeAws
from tests.unit.stream_processor.sample_records import accepted, header, kinesis_event, packed
from tools.lake_sql.tables import open_lake, open_regions

REGIONS: Final = ("ap-south-1", "eu-west-2")
DAY: Final = datetime(2026, 11, 21, tzinfo=UTC)
#: Region, hour of arrival, number of the event.
ARRIVALS: Final = st.lists(
    st.tuples(st.sampled_from(REGIONS), st.integers(0, 47), st.integers(0, 5)),
    min_size=1,
    max_size=12,
)


def always() -> bool:
    return True


def store(aws: FakeAws, arrivals: list[tuple[int, int]]) -> None:
    """Store one record for each arrival: its hour, and the number of its event."""
    for position, (hour, number) in enumerate(arrivals, 1):
        arrived = (DAY + timedelta(hours=hour)).timestamp()
        record = packed(header(f"r{position}"), [accepted(f"m{number}", "/", anonymousId="v")], [])
        event = kinesis_event([record], first=position, arrived=arrived)
        EventsHandler(aws.app()).handle(event, always)


def once(folder: Path, lakes: dict[str, FakeAws]) -> list[tuple[Any, ...]]:
    """Return Region, date, hour and ID of the view's rows."""
    for region, aws in lakes.items():
        copy_objects(aws, folder / region)
    with open_lake(folder / REGIONS[0]) as connection:
        open_regions(connection, {region: folder / region for region in lakes})
        return connection.execute(
            "SELECT lake_region, date, hour, message_id FROM events_once_all_regions "
            "ORDER BY message_id"
        ).fetchall()


@pytest.mark.slow
@settings(max_examples=at_most(15), deadline=None)
@given(arrivals=ARRIVALS, compacted=st.sets(st.sampled_from(REGIONS)))
def test_each_event_is_counted_once_where_it_arrived_first(
    arrivals: list[tuple[str, int, int]], compacted: set[str]
) -> None:
    lakes = {region: FakeAws() for region in REGIONS}
    first: dict[int, tuple[int, str]] = {}
    for region, aws in lakes.items():
        # A shard's records arrive in order.
        own = sorted((hour, number) for name, hour, number in arrivals if name == region)
        store(aws, own)
        if region in compacted:
            Compaction(aws.app()).run(DAY, DAY + timedelta(days=2), always)
        for hour, number in own:
            first[number] = min(first.get(number, (hour, region)), (hour, region))
    expected = []
    for number, (hour, region) in sorted(first.items()):
        at = DAY + timedelta(hours=hour)
        expected.append((region, f"{at:%Y-%m-%d}", f"{at:%H}", f"m{number}"))
    with TemporaryDirectory() as folder:
        assert once(Path(folder), lakes) == expected


def test_copy_that_arrives_days_later_in_another_region_is_not_counted(tmp_path: Path) -> None:
    home, further = FakeAws(), FakeAws()
    store(home, [(1, 1)])
    store(further, [(24 * 10, 1)])
    rows = once(tmp_path, {"eu-west-2": home, "ap-south-1": further})
    assert rows == [("eu-west-2", "2026-11-21", "01", "m1")]


def test_lake_without_objects_has_no_rows(tmp_path: Path) -> None:
    assert once(tmp_path, {region: FakeAws() for region in REGIONS}) == []
