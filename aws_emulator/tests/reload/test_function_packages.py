"""The functions that a source belongs to, and the files of their packages."""

import importlib.util
import marshal
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.reload.function_packages import (
    FunctionPackage,
    affected,
    compile_module,
    importers_first,
    is_build_input,
    read_packages,
)
from aws_emulator.reload.templates import load

SOURCE = Path("/app/src")
SOURCES = frozenset(
    {
        "Makefile",
        "auth/__init__.py",
        "auth/claims.py",
        "auth/keys.pem",
        "auth/rules/__init__.py",
        "mail/__init__.py",
        "mail/send.py",
        "mail/flow.yaml",
    }
)


def package(*names: str, logical_id: str = "Function") -> FunctionPackage:
    return FunctionPackage(logical_id, SOURCE, frozenset(names), SOURCES)


AUTH = package("auth/__init__.py", "auth/claims.py", "auth/keys.pem", "auth/rules/__init__.py")
#: A package with bytecode only.
STRIPPED = package("auth/__init__.pyc", "auth/claims.pyc", "auth/rules/__init__.pyc")
#: A package with a part of a folder.
PARTIAL = package("auth/__init__.py", "mail/__init__.py", "mail/send.py")


#: A package whose source folder has its modules at the root.
FLAT = FunctionPackage("Flat", SOURCE, frozenset({"main.py"}), frozenset({"main.py", "Makefile"}))


@pytest.mark.parametrize(
    ("built", "name", "contained"),
    [
        (AUTH, "auth/claims.py", True),
        (AUTH, "auth/keys.pem", True),
        (AUTH, "mail/send.py", False),
        (AUTH, "Makefile", False),
        # New files.
        (AUTH, "auth/new.py", True),
        (AUTH, "auth/rules/new.py", True),
        (AUTH, "auth/new_package/new.py", True),
        (AUTH, "new/new.py", False),
        (AUTH, "auth/notes.md", False),
        (AUTH, "new.py", False),
        (FLAT, "new.py", True),
        (FLAT, "new/new.py", True),
        (FLAT, "new.yaml", False),
        (FLAT, "Makefile", False),
        (STRIPPED, "auth/claims.py", True),
        (STRIPPED, "auth/new.py", True),
        (PARTIAL, "auth/claims.py", False),
        (PARTIAL, "auth/new.py", False),
        # The folder's YAML file isn't in the package, but its modules are.
        (PARTIAL, "mail/new.py", True),
        (PARTIAL, "mail/new.yaml", False),
    ],
)
def test_source_belongs_to_package(built: FunctionPackage, name: str, contained: bool) -> None:
    assert built.contains(name) == contained


def test_changes_are_divided_by_function() -> None:
    mail = package("mail/__init__.py", "mail/send.py", "auth/claims.py", logical_id="Mail")
    changes = {SOURCE / name: b"" for name in ("auth/claims.py", "mail/send.py")}
    changes |= {Path("/app/web/index.html"): b"", SOURCE / "Makefile": b""}
    assert affected([AUTH, mail], changes) == {
        "Function": {SOURCE / "auth/claims.py": b""},
        "Mail": {SOURCE / "auth/claims.py": b"", SOURCE / "mail/send.py": b""},
    }


@given(st.sets(st.sampled_from(sorted(SOURCES))))
def test_package_contains_exactly_its_sources(names: set[str]) -> None:
    built = package(*names)
    assert {it for it in SOURCES if built.contains(it)} == names


def test_module_replaces_its_source() -> None:
    assert AUTH.files("auth/claims.py", b"x = 1\n", compile_module) == {
        "auth/claims.py": b"x = 1\n"
    }
    assert AUTH.files("auth/claims.py", None, compile_module) == {"auth/claims.py": None}


def test_unchecked_bytecode_beside_a_changed_source_is_removed() -> None:
    cache = "auth/__pycache__/claims.cpython-313.pyc"
    other = "auth/__pycache__/claims_other.cpython-313.pyc"
    built = package(*AUTH.names, cache, other)
    assert built.files("auth/claims.py", b"", compile_module) == {
        "auth/claims.py": b"",
        cache: None,
    }


@pytest.mark.parametrize("name", ["auth/claims.py", "auth/new.py"])
def test_module_of_package_without_sources_is_compiled(name: str) -> None:
    (item,) = STRIPPED.files(name, b"x = 1\n", compile_module).items()
    compiled, content = item
    assert compiled == f"{name}c"
    assert content is not None
    assert content[:4] == importlib.util.MAGIC_NUMBER
    values: dict[str, object] = {}
    exec(marshal.loads(content[16:]), values)
    assert values["x"] == 1
    assert STRIPPED.files(name, None, compile_module) == {f"{name}c": None}


def test_syntax_error_is_found_in_module_that_starts_late() -> None:
    for built in (AUTH, STRIPPED):
        with pytest.raises(SyntaxError) as caught:
            built.files("auth/claims.py", b"\n\ndef broken(:\n", compile_module)
        assert caught.value.lineno == 3


def test_data_file_is_copied_unchanged() -> None:
    assert STRIPPED.files("auth/keys.pem", b"\0", compile_module) == {"auth/keys.pem": b"\0"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("src/Makefile", True),
        ("src/mail/requirements.txt", True),
        ("src/prune-Mail.txt", True),
        ("src/mail/send.py", False),
        ("web/Makefile", False),
        ("src/node_modules/x/Makefile", False),
    ],
)
def test_build_input_is_a_matching_file_below_the_sources(name: str, expected: bool) -> None:
    patterns = ("Makefile", "requirements.txt", "prune-*.txt")
    assert is_build_input(Path("/app", name), [AUTH], patterns) == expected


def test_packages_are_read_from_build_output_of_nested_stacks(tmp_path: Path) -> None:
    function = "{Type: AWS::Serverless::Function, Properties: {CodeUri: %s, Handler: a.b}}"
    nested = "{Type: AWS::Serverless::Application, Properties: {Location: %s}}"
    files = {
        "template.yaml": f"Resources:\n  Child: {nested % 'stacks/child.yaml'}\n",
        "stacks/child.yaml": f"Resources:\n  Inner: {function % '../src/'}\n",
        "src/auth/claims.py": "",
        "src/Makefile": "",
        "build/template.yaml": f"Resources:\n  Child: {nested % 'Child/template.yaml'}\n",
        "build/Child/template.yaml": f"Resources:\n  Inner: {function % 'Inner'}\n",
        "build/Child/Inner/auth/claims.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with zipfile.ZipFile(tmp_path / "build/Child/Inner/auth/modules.zip", "w") as archive:
        archive.writestr("rules.pyc", b"")
    packages = read_packages(load(tmp_path / "template.yaml"), tmp_path / "build" / "template.yaml")
    assert packages == [
        FunctionPackage(
            "Inner",
            tmp_path / "src",
            frozenset({"auth/claims.py", "auth/modules.zip", "auth/rules.pyc"}),
            frozenset({"auth/claims.py", "Makefile"}),
            "a.b",
        )
    ]


def test_functions_that_import_a_changed_module_come_first_the_smallest_of_them_before(
    tmp_path: Path,
) -> None:
    for name, text in {"a.py": "import c", "b.py": "", "c.py": "", "d.py": "import c"}.items():
        (tmp_path / name).write_text(text)
    names = frozenset({"a.py", "b.py", "c.py", "d.py"})
    packages = [
        FunctionPackage("Other", tmp_path, names, names, "b.handle"),
        FunctionPackage("Large", tmp_path, names | {"library.so"}, names, "d.handle"),
        FunctionPackage("Small", tmp_path, names, names, "a.handle"),
    ]
    ordered = importers_first(packages, {tmp_path / "c.py": b""})
    assert [it.logical_id for it in ordered] == ["Small", "Large", "Other"]
    ordered = importers_first(packages, {tmp_path / "data.json": b""})
    assert [it.logical_id for it in ordered] == ["Other", "Small", "Large"]
