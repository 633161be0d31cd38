"""Tracking plans: violations are marked or refused, and never lost."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ingest import settings
from edge_ingest.errors import SettingsError
from edge_ingest.json_schema import MAX_DEPTH, check_schema, find_violation
from tests import strategies
from tests.unit.edge_ingest import harness

ORDER: dict[str, Any] = {
    "type": "object",
    "required": ["total"],
    "properties": {
        "total": {"type": "number", "minimum": 0},
        "currency": {"enum": ["EUR", "INR"]},
        "items": {"type": "array", "items": {"type": "string", "maxLength": 5}},
    },
    "additionalProperties": False,
}
PLAN: dict[str, Any] = {"events": {"Order": ORDER}}
CANARY = "canary-4711"


def order(**properties: object) -> dict[str, object]:
    return harness.track(event="Order", properties=properties)


def send(plan: dict[str, Any], *events: object) -> tuple[harness.Harness, dict[str, Any]]:
    collector = harness.Harness(harness.settings_document(plan=plan))
    return collector, collector.send_ok(body={"batch": list(events)})


VIOLATIONS: list[tuple[dict[str, object], str]] = [
    ({}, "properties.total is missing"),
    ({"total": CANARY}, "properties.total must have the type number"),
    ({"total": True}, "properties.total must have the type number"),
    ({"total": -1}, "properties.total is less than minimum"),
    ({"total": 1, "currency": CANARY}, "properties.currency must be one of the values of enum"),
    ({"total": 1, "items": [CANARY]}, "properties.items[] is longer than maxLength"),
    ({"total": 1, CANARY: 1}, "properties has a property that the plan doesn't name"),
]


@pytest.mark.parametrize(("properties", "problem"), VIOLATIONS)
def test_violation_is_marked_and_stored(properties: dict[str, object], problem: str) -> None:
    event = order(**properties)
    collector, response = send(PLAN, event)
    assert response == {
        "success": True,
        "accepted": 1,
        "rejected": [],
        "repaired": [{"index": 0, "code": "plan_violation"}],
    }
    ((accepted,),) = [record.accepted for record in collector.streams.records]
    assert accepted.repair == "plan_violation"
    assert json.loads(bytes(accepted.event)) == event


@pytest.mark.parametrize(("properties", "problem"), VIOLATIONS)
def test_refused_violation_is_stored_whole_as_bad_row(
    properties: dict[str, object], problem: str
) -> None:
    event = order(**properties)
    collector, response = send(PLAN | {"violations": "refuse"}, event, order(total=1))
    assert response["accepted"] == 1
    (refused,) = response["rejected"]
    assert refused == {"index": 0, "code": "plan_violation", "message": problem}
    assert CANARY not in refused["message"]
    (record,) = collector.streams.records
    assert json.loads(record.rejected[0].raw) == event


@pytest.mark.parametrize("violations", ["mark", "refuse"])
@pytest.mark.parametrize(
    "event",
    [
        order(total=1),
        order(total=0.5, currency="EUR", items=["a"]),
        harness.track(event="Another", properties={"any": 1}),
        {"type": "page", "userId": "u", "messageId": "m", "properties": {"total": "x"}},
        {"type": "identify", "userId": "u", "messageId": "m"},
    ],
)
def test_other_events_are_accepted_unmarked(violations: str, event: dict[str, Any]) -> None:
    _, response = send(PLAN | {"violations": violations}, event)
    assert response == {"success": True, "accepted": 1, "rejected": []}


def test_event_that_the_plan_does_not_name_can_be_a_violation() -> None:
    plan = PLAN | {"unplanned": "violation"}
    _, response = send(plan, harness.track(event="Another"), order(total=1))
    assert response["repaired"] == [{"index": 0, "code": "plan_violation"}]
    _, response = send(plan | {"violations": "refuse"}, harness.track(event="Another"))
    assert response["rejected"][0]["message"] == "the plan has no event with this name"


def test_event_without_properties_has_empty_ones() -> None:
    for event in (harness.track(event="Order"), harness.track(event="Order", properties=None)):
        _, response = send(PLAN, event)
        assert response["repaired"] == [{"index": 0, "code": "plan_violation"}]


def test_plan_applies_to_the_type_in_the_path() -> None:
    collector = harness.Harness(harness.settings_document(plan=PLAN))
    event = {"event": "Order", "userId": "u"}
    assert collector.send_ok(uri="/v1/track", body=event)["repaired"][0]["index"] == 0


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        ([], "must be an object with events"),
        ({}, "must be an object with events"),
        ({"events": {}, "version": 1}, "unknown setting: version"),
        ({"events": {}, "violations": "drop"}, "violations must be"),
        ({"events": {}, "unplanned": "refuse"}, "unplanned must be"),
        ({"events": {"Order": []}}, "events.Order must be an object"),
        ({"events": {"Order": {"pattern": "x"}}}, "unsupported keyword: pattern"),
        ({"events": {"Order": {"$ref": "#"}}}, "unsupported keyword: \\$ref"),
        ({"events": {"Order": {"type": "text"}}}, "type must be one of"),
        ({"events": {"Order": {"enum": 1}}}, "enum must be a list"),
        ({"events": {"Order": {"required": [1]}}}, "required must be a list of names"),
        ({"events": {"Order": {"properties": {"a": {"minLength": -1}}}}}, "must be a number"),
        ({"events": {"Order": {"maximum": "1"}}}, "must be a number"),
        ({"events": {"Order": {"additionalProperties": {}}}}, "must be true or false"),
        ({"events": {str(n): {} for n in range(501)}}, "more than 500 events"),
    ],
)
def test_invalid_plan_is_refused(plan: Any, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        settings.parse(harness.settings_document(plan=plan))


def test_deep_schema_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(MAX_DEPTH):
        schema = {"items": schema}
    check_schema(schema)
    with pytest.raises(ValueError, match="nested deeper"):
        check_schema({"items": schema})


_NAMES = st.sampled_from(["a", "b", "c"])
_VALUES = strategies.json_values()
_LEAVES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "number", "boolean", "null", "object"])
        | st.lists(st.sampled_from(["string", "integer", "array"]), min_size=1, unique=True),
        "enum": st.lists(st.sampled_from([1, True, "a", None, [1], {"a": False}]), min_size=1),
        "const": st.sampled_from([0, False, "a", [True]]),
        "minimum": st.integers(-3, 3),
        "maximum": st.integers(-3, 3),
        "minLength": st.integers(0, 3),
        "maxLength": st.integers(0, 3),
        "minItems": st.integers(0, 2),
        "maxItems": st.integers(0, 2),
        "required": st.lists(_NAMES, unique=True, max_size=2),
        "additionalProperties": st.booleans(),
    },
)
_SCHEMAS = st.recursive(
    _LEAVES,
    lambda inner: st.tuples(_LEAVES, st.dictionaries(_NAMES, inner, max_size=2), inner).map(
        lambda parts: parts[0] | {"properties": parts[1], "items": parts[2]}
    ),
    max_leaves=4,
)
_INSTANCES = st.recursive(
    st.sampled_from([0, 1, 1.0, 1.5, -2, True, False, None, "", "a", "abcd"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=6,
)


@given(_SCHEMAS, _INSTANCES | _VALUES)
def test_verdict_is_that_of_a_complete_validator(schema: dict[str, Any], value: Any) -> None:
    check_schema(schema)
    expected = jsonschema.Draft202012Validator(schema).is_valid(value)
    assert (find_violation(schema, value, "value") is None) is expected


@pytest.mark.parametrize("character", ["a", "😀"])
def test_response_with_5000_violations_of_long_paths_fits_the_quota(character: str) -> None:
    name = character * 50_000
    plan = {"events": {"Order": {"required": [name]}}, "violations": "refuse"}
    document = harness.settings_document(plan=plan, limits={"batch_events": 5000})
    collector = harness.Harness(document)
    body = {"batch": [order()] * 5000}
    response = collector.send(body=body)
    harness.assert_valid_response(response)
    rejected = json.loads(response["body"])["rejected"]
    assert [(one["index"], one["code"]) for one in rejected] == [
        (n, "plan_violation") for n in range(5000)
    ]
    stored = [one for record in collector.streams.records for one in record.rejected]
    assert len(stored) == 5000
    assert {len(one.message) for one in stored} == {200}
    assert all(one.message.endswith(" is missing") for one in stored)
