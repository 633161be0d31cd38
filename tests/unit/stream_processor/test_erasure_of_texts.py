"""Tests of the erasure: ids of the person are found in texts and bytes of any form."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_processor.erasure.person import Person
from tests.unit.stream_processor.sample_records import header, packed, rejected
from tests.unit.stream_processor.test_erasure import OTHER, USER, Lake, visit


@pytest.fixture
def lake() -> Lake:
    return Lake()


def test_address_is_found_in_any_case_and_escaped() -> None:
    person = Person(frozenset({"Student@school.example"}))
    assert person.is_named_in('{"email":"STUDENT@SCHOOL.example"}')
    assert person.is_named_in('{"email":"\\u0073tudent@school.example"}')
    assert not person.is_named_in('{"email":"another@school.example"}')


@pytest.mark.parametrize(
    "text",
    [
        "https://x.example/?e=Student%40school.example",
        '{"url":"/?e=\\u0073tudent%40school.example"}',
        # The text of a bad row can be cut off, and nest deeper than Python's stack.
        '{"email":"\\u0073tudent@school.exam',
        "[" * 3_000 + '"\\u0073tudent@school.example"' + "]" * 3_000,
    ],
)
def test_address_is_found_in_urls_and_in_json_that_no_parser_reads(text: str) -> None:
    assert Person(frozenset({"student@school.exam"})).is_named_in(text)


@given(st.text(min_size=1), st.lists(st.booleans(), min_size=1))
def test_id_is_found_however_json_escapes_its_characters(known: str, escapes: list[bool]) -> None:
    def written(number: int, character: str) -> str:
        text = json.dumps(character, ensure_ascii=False)[1:-1]
        if not escapes[number % len(escapes)]:
            return text
        units = character.encode("utf-16-be").hex()
        return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))

    value = "".join(written(number, it) for number, it in enumerate(known))
    assert json.loads(f'"{value}"') == known
    assert Person(frozenset({known})).is_named_in(f'{{"userId":"{value}"}}')


def test_short_id_is_no_part_of_another_value() -> None:
    person = Person(frozenset({"17"}))
    assert person.is_named_in('{"userId":"17"}')
    assert not person.is_named_in('{"price":"1799","at":"2017"}')


def bad_rows_after_erasure(lake: Lake, *records: bytes) -> list[str]:
    lake.write(visit("m1", userId=USER, anonymousId="v1"), *records)
    assert lake.erase(USER, visitors=("v1",)).complete
    return [row["verdict"] for row in lake.rows()][1:]


@pytest.mark.parametrize(
    ("event", "verdict"),
    [
        ({"anonymousId": "v1"}, "erased"),
        ({"anonymousId": "v1", "userId": ""}, "erased"),
        ({"anonymousId": "v1", "userId": OTHER}, "bad"),
        ({"anonymousId": "v10"}, "bad"),
    ],
)
def test_bad_row_of_a_browser_is_erased_like_a_good_one(
    lake: Lake, event: dict[str, str], verdict: str
) -> None:
    raw = json.dumps({"type": "?", "messageId": "b1", **event})
    assert bad_rows_after_erasure(lake, packed(header(), [], [rejected(raw=raw)])) == [verdict]


@pytest.mark.parametrize("event", [{"userId": USER}, {"anonymousId": "v1"}])
def test_person_is_found_in_compressed_bytes_of_a_bad_row(
    lake: Lake, event: dict[str, str]
) -> None:
    record = visit("m2", **event)
    other = gzip.compress(json.dumps([{"messageId": 7, **event}]).encode(), mtime=0)
    records = [record[:-6], record + b"?", other]
    assert bad_rows_after_erasure(lake, *records) == ["erased"] * 3
