"""Tests of which Region exports a change, and of removals by Time to Live."""

import json
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.event_sources import filters
from stream_processor.handlers.changes import ChangesHandler
from stream_processor.rows import change_rows
from tests.unit.stream_processor.fakes import REGION, SETTINGS, FakeAws
from tests.unit.stream_processor.test_handlers import always, rows
from tests.unit.stream_processor.test_repairs import appointment, reconcile
from tests.unit.stream_processor.test_stack import properties

ANY_REGIONS: Final = ["us-east-1", "eu-west-2", "ap-south-1", "sa-east-1", "eu-central-1"]
T: Final = 1_795_258_800
BY_TTL: Final = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


def change(op: str, old: Any = None, new: Any = None, **more: Any) -> dict[str, Any]:
    keys = {"pk": {"S": "A"}, "sk": {"S": "x"}}
    images = {"OldImage": old, "NewImage": new}
    return {
        "eventName": op,
        "eventSourceARN": f"arn:aws:dynamodb:{REGION}:0:table/appointments/stream/label",
        "dynamodb": {
            "Keys": keys,
            **{name: keys | image for name, image in images.items() if image is not None},
            "SequenceNumber": "1",
            "ApproximateCreationDateTime": T,
        },
        **more,
    }


def filter_text(pattern: Any, adopted: str) -> str:
    """Return a pattern of the mapping with the values of its references."""
    if isinstance(pattern, str):
        return pattern
    text, values = pattern["Fn::Sub"]
    condition, if_adopted, otherwise = values["Regions"]["Fn::If"]
    assert (condition, otherwise) == ("HasAdoptedRegion", {"Ref": "AWS::Region"})
    regions = if_adopted["Fn::Sub"].replace("${AdoptedRegion}", adopted) if adopted else REGION
    return str(text).replace("${Regions}", regions.replace("${AWS::Region}", REGION))


def handle(change_record: dict[str, Any], adopted: str = "") -> list[dict[str, Any]]:
    """Return the rows that a change makes, if the mapping's filter lets it pass."""
    mapping = properties("ChangesMapping")
    filter_criteria = mapping["FilterCriteria"]["Filters"]
    texts = [filter_text(it["Pattern"], adopted) for it in filter_criteria]
    aws = FakeAws(settings=replace(SETTINGS, adopted_region=adopted))
    if any(filters.matches(json.loads(text), change_record) for text in texts):
        event = {"Records": [change_record], "shardId": "s"}
        ChangesHandler(aws.app()).handle(event, always)
    return rows(aws, "changes/")


@pytest.mark.parametrize("origin", [{"N": "1"}, {"L": []}, {"NULL": True}, None, {"S": REGION}])
@pytest.mark.parametrize("before", [{"N": "1"}, None, {"S": REGION}, {"S": "eu-west-2"}])
def test_change_is_exported_unless_origin_names_another_region(
    origin: dict[str, Any] | None, before: dict[str, Any] | None
) -> None:
    new, old = ({} if it is None else {"origin_region": it} for it in (origin, before))
    for changed in (
        change("INSERT", new=new),
        change("MODIFY", old=old, new=new),
        change("REMOVE", old=new),
    ):
        assert len(handle(changed)) == 1


def test_change_of_another_region_is_left_to_it() -> None:
    other = {"origin_region": {"S": "eu-west-2"}}
    for old in (other, {}, {"origin_region": {"S": REGION}}, {"origin_region": {"N": "1"}}):
        assert not handle(change("MODIFY", old=old, new=other))
    assert not handle(change("INSERT", new=other))
    assert not handle(change("REMOVE", old=other))


def test_change_of_an_adopted_region_is_exported() -> None:
    """A home that never returns exports no appointment: the Region that adopted it does."""
    lost = {"origin_region": {"S": "eu-west-2"}}
    for record in (
        change("INSERT", new=lost),
        change("MODIFY", old={}, new=lost),
        change("REMOVE", old=lost),
    ):
        assert len(handle(record, adopted="eu-west-2")) == 1
        assert not handle(record, adopted="ap-south-1")
    own = change("INSERT", new={"origin_region": {"S": REGION}})
    assert len(handle(own, adopted="eu-west-2")) == 1


@given(st.lists(st.sampled_from(ANY_REGIONS), min_size=2, unique=True), st.data())
def test_each_item_has_one_exporter_after_the_loss_of_a_region(
    regions: list[str], data: st.DataObject
) -> None:
    lost, adopter = regions[0], data.draw(st.sampled_from(regions[1:]))
    settings = [
        replace(SETTINGS, region=it, adopted_region=lost if it == adopter else "")
        for it in regions[1:]
    ]
    for origin in regions:
        item = {"origin_region": {"S": origin}}
        exporters = [
            it.region for it in settings if change_rows.exported(item, it.exported_regions)
        ]
        assert exporters == [adopter if origin == lost else origin]


def test_reconciliation_exports_the_items_of_an_adopted_region() -> None:
    aws = FakeAws()
    item = appointment(1, 1, origin_region={"S": "eu-west-2"})
    aws.dynamodb.items["appointments"] = {("A#1", "meeting"): item}
    assert reconcile(aws).missing == 0
    aws.settings = replace(SETTINGS, adopted_region="eu-west-2")
    assert reconcile(aws, "adoption").missing == 1
    (row,) = rows(aws, "changes/")
    assert (row["origin_region"], row["source"]) == ("eu-west-2", "reconciler")


def test_reconciliation_compares_item_with_numeric_origin() -> None:
    aws = FakeAws()
    item = appointment(1, 1, origin_region={"N": "1"})
    aws.dynamodb.items["appointments"] = {("A#1", "meeting"): item}
    assert reconcile(aws).missing == 1


@pytest.mark.parametrize(
    ("identity", "item", "by_ttl"),
    [
        (BY_TTL, {}, True),
        (BY_TTL, {"origin_region": {"S": REGION}}, True),
        # A table with one Region: its stream names every removal by Time to Live.
        (None, {}, False),
        (None, {"expires_at": {"N": str(T - 10)}}, False),
        # Another Region's DynamoDB can have removed it.
        (None, {"origin_region": {"S": REGION}}, None),
        (None, {"origin_region": {"S": REGION}, "expires_at": {"N": str(T - 10)}}, None),
        (None, {"origin_region": {"S": REGION}, "expires_at": {"N": str(T + 10)}}, False),
    ],
)
def test_removal_on_replica_is_by_ttl_only_if_that_is_known(
    identity: dict[str, str] | None, item: dict[str, Any], by_ttl: bool | None
) -> None:
    more = {} if identity is None else {"userIdentity": identity}
    (row,) = handle(change("REMOVE", old=item, **more))
    assert row["by_ttl"] is by_ttl
    (row,) = handle(change("MODIFY", old=item, new=item))
    assert row["by_ttl"] is False
