"""The bytecode of src/bytecode.py runs, and its exceptions can be formatted."""

import importlib
import sys
import traceback
from pathlib import Path
from types import CodeType

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bytecode
from tests.support.paths import ROOT

SOURCE = '''"""Docstring."""
from typing import Final

LIMIT: Final = 3


def outer(value: int) -> int:
    """Docstring."""
    assert value != 1

    def inner(number: int) -> int:
        if number > LIMIT:
            raise RuntimeError("too large")
        return number

    return inner(value)
'''


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that exists as bytecode only."""
    package = tmp_path / "sample_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "sample.py").write_text(SOURCE)
    bytecode.main(str(tmp_path))
    assert sorted(path.suffix for path in package.iterdir()) == [".pyc", ".pyc"]
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("sample_package", "sample_package.sample"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return "sample_package.sample"


def test_module_runs_without_its_source(compiled: str) -> None:
    module = importlib.import_module(compiled)
    assert module.outer(2) == 2
    # Assertions and docstrings are removed.
    assert module.outer(1) == 1
    assert module.outer.__doc__ is None


def test_traceback_is_formatted_with_file_and_function(compiled: str) -> None:
    module = importlib.import_module(compiled)
    with pytest.raises(RuntimeError) as caught:
        module.outer(4)
    frames = traceback.extract_tb(caught.value.__traceback__)[-2:]
    file = "sample_package/sample.py"
    assert [(it.filename, it.name, it.lineno) for it in frames] == [
        (file, "outer", 7),
        (file, "inner", 11),
    ]
    assert "RuntimeError: too large" in "".join(traceback.format_exception(caught.value))


def code_objects(code: CodeType) -> list[CodeType]:
    nested = [it for it in code.co_consts if isinstance(it, CodeType)]
    return [code, *(inner for it in nested for inner in code_objects(it))]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "src" / "edge_auth").glob("*.py")), ids=lambda path: path.name
)
def test_every_instruction_of_edge_auth_has_a_location(path: Path) -> None:
    code = bytecode.strip_line_numbers(compile(path.read_text(), "x", "exec"))
    for code_object in code_objects(code):
        positions = list(code_object.co_positions())
        assert len(positions) == len(code_object.co_code) // 2
        assert {line for line, *_ in positions} == {code_object.co_firstlineno}


@given(st.integers(0, 2_000))
def test_location_table_covers_any_number_of_code_units(units: int) -> None:
    table = bytecode._first_line_only(units)
    assert sum((byte & 0b111) + 1 for byte in table[::2]) == units


def test_archived_modules_are_imported_like_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "archived_package"
    package.mkdir()
    (package / "__init__.py").write_text('__path__.append(f"{__path__[0]}/modules.zip")\n')
    (package / "sample.py").write_text(SOURCE)
    (package / "other.py").write_text(
        "from archived_package.sample import outer\nRESULT = outer(2)\n"
    )
    bytecode.main(str(tmp_path), "archived_package/modules.zip", "sample")
    assert {it.name for it in package.iterdir()} == {"__init__.pyc", "modules.zip", "other.pyc"}
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("archived_package", "archived_package.sample", "archived_package.other"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert importlib.import_module("archived_package.other").RESULT == 2


def test_equal_sources_give_equal_bytes() -> None:
    first, second = (bytecode.compile_source(SOURCE.encode(), "a.py") for _ in range(2))
    assert first == second
