"""Tests that README.md agrees with the code: properties, bounds, command and examples."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import botocore.session
import pytest

import aws_emulator.event_sources
from aws_emulator.event_sources.__main__ import parse
from aws_emulator.event_sources.errors import InvalidMappingError
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.simulator.samples import FUNCTION_ARN, STREAM_ARN, mapping

README: Final = (Path(aws_emulator.event_sources.__file__).parent / "README.md").read_text()
NONE: Final = "\N{EN DASH}"
#: Names in ListEventSourceMappings that differ from those of CreateEventSourceMapping.
REQUEST_NAMES: Final = {"FunctionArn": "FunctionName", "State": "Enabled"}


class RecordingDocument(dict[str, Any]):
    """An entry of ListEventSourceMappings that records the names that the code reads."""

    def __init__(self, **entries: Any) -> None:
        super().__init__(entries)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return super().__getitem__(name)


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Yield the cells of the table of properties."""
    table = README.partition("## Properties")[2].partition("\n## ")[0]
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.fullmatch(r"[A-Z]\w+", cells[0]):
            name, supported, refused, ignored = cells
            yield name, supported, refused, ignored


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_readme_lists_every_property_of_the_api() -> None:
    lambda_api = botocore.session.get_session().get_service_model("lambda")
    request = lambda_api.operation_model("CreateEventSourceMapping").input_shape
    assert request
    names = [name for name, *_ in rows()]
    assert names == sorted(request.members)


def test_readme_marks_parsed_properties_as_supported_and_others_as_ignored() -> None:
    document = RecordingDocument(EventSourceArn=STREAM_ARN, FunctionArn=FUNCTION_ARN)
    EventSourceMapping.from_api(document)
    parsed = {REQUEST_NAMES.get(name, name) for name in document.names | {"State"}} - {"UUID"}
    assert {name for name, supported, *_ in rows() if supported != NONE} == parsed
    assert {name for name, *_, ignored in rows() if ignored == "yes"}.isdisjoint(parsed)


def bounds() -> list[tuple[str, int, int]]:
    marked_bounds = []
    for name, _, refused, _ in rows():
        if match := re.fullmatch(r"outside (-?[\d,]+) to ([\d,]+)", refused):
            low, high = (int(number.replace(",", "")) for number in match.groups())
            marked_bounds.append((name, low, high))
    return marked_bounds


@pytest.mark.parametrize(("name", "low", "high"), bounds())
def test_readme_states_bounds_of_property(name: str, low: int, high: int) -> None:
    mapping({name: low})
    mapping({name: high})
    with pytest.raises(InvalidMappingError, match=name):
        mapping({name: high + 1})
    with pytest.raises(InvalidMappingError, match=name):
        mapping({name: min(low, 0) - 1})


def test_readme_states_bounds_of_all_numbers() -> None:
    assert len(bounds()) == 6


def test_mapping_reads_zero_as_absent() -> None:
    config = mapping({"BatchSize": 0, "ParallelizationFactor": 0})
    assert (config.batch_size, config.parallelization_factor) == (100, 1)


def test_readme_command_is_valid() -> None:
    (command,) = blocks("bash")
    assert parse(shlex.split(command)[3:]).regions == ("us-east-1", "eu-west-2")


@pytest.mark.parametrize("source", blocks("python"))
def test_readme_example_runs(source: str) -> None:
    exec(compile(source, "README.md", "exec"), {"__name__": "readme"})
