"""Whether the output of `sam build` is current: each change of an input or of the output counts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tools.dev import build_inputs
from tools.dev.build_inputs import INPUTS, OUTPUT
from tools.paths import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with every input and a recorded build."""
    for name in ("template.yaml", "samconfig.toml", "uv.lock", "stacks/edge.yaml", "src/a/b.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    output = tmp_path / OUTPUT / "Function"
    output.mkdir(parents=True)
    (output.parent / "template.yaml").write_text("built")
    (output / "b.pyc").write_text("built")
    build_inputs.record(tmp_path, build_inputs.hash_inputs(tmp_path))
    return tmp_path


def is_current(checkout: Path) -> bool:
    return build_inputs.is_current(checkout, build_inputs.hash_inputs(checkout))


def add_function(checkout: Path) -> None:
    (checkout / "src" / "new.py").touch()


def rename_module(checkout: Path) -> None:
    (checkout / "src/a/b.py").rename(checkout / "src/a/c.py")


def make_executable(checkout: Path) -> None:
    (checkout / "src/a/b.py").chmod(0o755)


def edit_output(checkout: Path) -> None:
    (checkout / OUTPUT / "Function" / "b.pyc").write_text("other!")


def delete_packaged_file(checkout: Path) -> None:
    (checkout / OUTPUT / "Function" / "b.pyc").unlink()


def delete_output(checkout: Path) -> None:
    (checkout / OUTPUT / "template.yaml").unlink()


def start_other_build(checkout: Path) -> None:
    build_inputs.forget(checkout)


def test_recorded_build_is_current(checkout: Path) -> None:
    assert is_current(checkout)


@pytest.mark.parametrize(
    "change",
    [
        add_function,
        rename_module,
        make_executable,
        edit_output,
        delete_packaged_file,
        delete_output,
        start_other_build,
    ],
)
def test_build_is_not_current_after_change(checkout: Path, change: Callable[[Path], None]) -> None:
    change(checkout)
    assert not is_current(checkout)


@pytest.mark.parametrize("name", INPUTS)
def test_build_is_not_current_after_change_of_input(checkout: Path, name: str) -> None:
    changed = checkout / name
    if changed.is_dir():
        changed = next(path for path in changed.rglob("*") if path.is_file())
    changed.write_text("changed")
    assert not is_current(checkout)


def test_build_is_not_current_for_other_architecture(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHITECTURE", "arm64")
    assert not is_current(checkout)


def test_build_is_not_current_after_change_during_build(checkout: Path) -> None:
    inputs = build_inputs.hash_inputs(checkout)
    (checkout / "template.yaml").write_text("changed")
    build_inputs.record(checkout, inputs)
    assert not is_current(checkout)


def test_bytecode_cache_does_not_count(checkout: Path) -> None:
    (checkout / "src/a/__pycache__").mkdir()
    (checkout / "src/a/__pycache__/b.cpython-313.pyc").touch()
    assert is_current(checkout)


def test_all_inputs_are_in_checkout() -> None:
    assert [name for name in INPUTS if not (ROOT / name).exists()] == []
