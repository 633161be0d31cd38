"""Tests of filter criteria."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.event_sources import filters
from aws_emulator.event_sources.errors import InvalidMappingError
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.simulator.samples import (
    TABLE_STREAM_ARN,
    dynamodb_records,
    kinesis_records,
    mapping,
)


def filtering(*patterns: Any, **settings: Any) -> EventSourceMapping:
    chosen = [{"Pattern": json.dumps(pattern)} for pattern in patterns]
    return mapping({"FilterCriteria": {"Filters": chosen}, **settings})


def accepts(data: bytes, *patterns: Any) -> bool:
    (record,) = kinesis_records([data], keys=["one"])
    return filters.accepts(filtering(*patterns), record)


@pytest.mark.parametrize(
    ("rule", "matching", "other"),
    [
        (["a"], "a", "A"),
        ([None], None, ""),
        ([""], "", None),
        ([1], 1, "1"),
        ([True], True, 1),
        (["a", "b"], "b", "c"),
        ([{"prefix": "ab"}], "abc", "bab"),
        ([{"prefix": {"equals-ignore-case": "AB"}}], "abc", "bab"),
        ([{"suffix": "bc"}], "abc", "bca"),
        ([{"suffix": {"equals-ignore-case": "BC"}}], "abc", 5),
        ([{"equals-ignore-case": "Abc"}], "aBC", "abcd"),
        ([{"wildcard": "a*c"}], "a/b\nc", "abcd"),
        ([{"wildcard": "a\\*c"}], "a*c", "abc"),
        ([{"anything-but": "a"}], "b", "a"),
        ([{"anything-but": ["a", 1]}], 2, 1),
        ([{"anything-but": {"prefix": "a"}}], "ba", "ab"),
        ([{"anything-but": {"suffix": ["a", "b"]}}], "bc", "ab"),
        ([{"numeric": ["=", 3]}], 3, 3.1),
        ([{"numeric": [">", 0, "<=", 5]}], 5, 5.01),
        ([{"numeric": [">", 0, "<=", 5]}], 0.01, 0),
        ([{"numeric": ["=", 1]}], 1, True),
        ([{"exists": True}], None, {"leaf": "not"}),
        ([{"cidr": "10.0.0.0/24"}], "10.0.0.255", "10.0.1.0"),
        ([{"cidr": "10.0.0.0/24"}], "10.0.0.1", "not an address"),
        (["a"], ["b", "a"], ["b"]),
        ([{"prefix": "a"}], ["b", "ab"], []),
        ({"inner": ["a"]}, {"inner": "a", "more": 1}, {"inner": "b"}),
        ({"inner": ["a"]}, [{"inner": "b"}, {"inner": "a"}], [{"inner": "b"}]),
        ({"inner": [{"exists": False}]}, {"other": 1}, {"inner": None}),
    ],
)
def test_filter_operator_matches(rule: Any, matching: Any, other: Any) -> None:
    pattern = {"data": {"field": rule}}
    filters.validate(filtering(pattern))
    assert accepts(json.dumps({"field": matching}).encode(), pattern)
    assert not accepts(json.dumps({"field": other}).encode(), pattern)


def test_absent_field_matches_only_exists_false() -> None:
    assert accepts(b'{"other": 1}', {"data": {"field": [{"exists": False}]}})
    assert not accepts(b'{"field": null}', {"data": {"field": [{"exists": False}]}})
    for rule in ([None], [{"anything-but": "a"}], [{"exists": True}], [{"numeric": ["<", 1]}]):
        assert not accepts(b'{"other": 1}', {"data": {"field": rule}})


def test_pattern_matches_all_fields_and_filters_match_any_pattern() -> None:
    both = {"data": {"a": [1], "b": [2]}}
    assert accepts(b'{"a": 1, "b": 2}', both)
    assert not accepts(b'{"a": 1, "b": 3}', both)
    assert accepts(b'{"a": 1, "b": 3}', both, {"data": {"b": [3]}})
    either = {"data": {"$or": [{"a": [1]}, {"b": [2]}], "c": [3]}}
    assert accepts(b'{"b": 2, "c": 3}', either)
    assert not accepts(b'{"b": 2, "c": 4}', either)
    assert not accepts(b'{"b": 3, "c": 3}', either)


def test_filter_matches_record_metadata() -> None:
    assert accepts(b"not json", {"partitionKey": ["one"]})
    assert not accepts(b"not json", {"partitionKey": ["two"]})


@pytest.mark.parametrize("data", [b"not json", b"\xff\xfe", b"", b"7", b'"text"'])
def test_non_object_data_matches_no_field_value(data: bytes) -> None:
    assert not accepts(data, {"data": {"field": ["a"]}})


def test_non_json_data_matches_no_pattern_on_data() -> None:
    absent = {"data": {"field": [{"exists": False}]}}
    assert accepts(b"7", absent)
    assert not accepts(b"not json", absent)
    assert not accepts(b"not json", {"$or": [absent, {"partitionKey": ["two"]}]})
    assert accepts(b"not json", {"$or": [absent, {"partitionKey": ["one"]}]})


def test_mapping_without_filters_accepts_every_record() -> None:
    assert accepts(b"\xff")


def test_filter_matches_table_change() -> None:
    insert, remove = dynamodb_records(
        [
            {"eventName": "INSERT", "Keys": {"id": {"S": "a"}}, "NewImage": {"id": {"S": "a"}}},
            {
                "eventName": "REMOVE",
                "Keys": {"id": {"S": "a"}},
                "userIdentity": {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"},
            },
        ]
    )
    table = {"EventSourceArn": TABLE_STREAM_ARN}
    inserts = filtering({"eventName": ["INSERT"]}, **table)
    assert filters.accepts(inserts, insert)
    assert not filters.accepts(inserts, remove)
    keyed = filtering({"dynamodb": {"Keys": {"id": {"S": ["a"]}}}}, **table)
    assert filters.accepts(keyed, insert)
    # A field of an absent object is absent too.
    no_origin = filtering(
        {"dynamodb": {"NewImage": {"region": {"S": [{"exists": False}]}}}}, **table
    )
    assert filters.accepts(no_origin, insert)
    assert filters.accepts(no_origin, remove)
    # The field names of the TTL examples in services-dynamodb-eventfiltering.
    expired = filtering(
        {"userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]}}, **table
    )
    assert filters.accepts(expired, remove)
    assert not filters.accepts(expired, insert)


@pytest.mark.parametrize(
    "pattern",
    [
        {"data": "text"},
        {"data": {"a": "text"}},
        {"data": {"a": []}},
        {"data": {"a": [{"unknown": 1}]}},
        {"data": {"a": [{"prefix": "a", "suffix": "b"}]}},
        {"data": {"a": [{"prefix": 5}]}},
        {"data": {"a": [{"numeric": [">"]}]}},
        {"data": {"a": [{"numeric": ["~", 1]}]}},
        {"data": {"a": [{"cidr": "everywhere"}]}},
        {"data": {"a": [["nested"]]}},
        {"data": {"$or": [{"a": [{"unknown": 1}]}]}},
        {"partitionKey": ["a"]},
        {"data": {"a": ["b"]}, "partitionKey": [{"anything-but": ["a"]}]},
        {"$or": [{"data": {"a": ["b"]}}, {"partitionKey": ["a"]}]},
    ],
)
def test_validate_rejects_pattern_that_aws_rejects(pattern: Any) -> None:
    with pytest.raises(InvalidMappingError):
        filters.validate(filtering(pattern))


LEAVES: Final = st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=2)
RULES: Final = st.one_of(
    LEAVES,
    st.builds(lambda text: {"prefix": text}, st.text("ab", max_size=2)),
    st.builds(lambda value: {"anything-but": value}, LEAVES),
    st.builds(lambda value: {"exists": value}, st.booleans()),
    st.builds(lambda value: {"numeric": [">", value]}, st.integers(-9, 9)),
)
DOCUMENTS: Final = st.dictionaries(st.sampled_from("abc"), LEAVES | st.lists(LEAVES, max_size=2))


@given(DOCUMENTS, st.dictionaries(st.sampled_from("abc"), st.lists(RULES, min_size=1, max_size=3)))
def test_more_alternatives_never_match_fewer_documents(document: Any, pattern: Any) -> None:
    for name, rules in pattern.items():
        for length in range(1, len(rules)):
            if filters.matches({**pattern, name: rules[:length]}, document):
                assert filters.matches(pattern, document)


@given(DOCUMENTS)
def test_document_matches_its_own_values(document: dict[str, Any]) -> None:
    own = {k: (v if isinstance(v, list) else [v]) for k, v in document.items() if v != []}
    assert filters.matches(own, document)
