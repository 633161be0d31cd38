"""Only changes of content count, whatever an editor does to save them."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.reload.file_tree import FileTree, is_source, summary


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text("old")
    (tmp_path / "package" / "other.py").write_text("other")
    return tmp_path


@pytest.fixture
def tree(root: Path) -> FileTree:
    tree = FileTree([root])
    tree.scan()
    return tree


def test_written_file_is_a_change_once(root: Path, tree: FileTree) -> None:
    path = root / "package" / "module.py"
    path.write_text("new")
    assert tree.changes([path]) == {path: b"new"}
    assert tree.changes([path]) == {}


def test_touched_file_is_no_change(root: Path, tree: FileTree) -> None:
    os.utime(root / "package" / "module.py", (1, 1))
    assert tree.changes([root / "package" / "module.py"]) == {}


def test_atomic_save_is_a_change_of_the_target_only(root: Path, tree: FileTree) -> None:
    path, temporary = root / "package" / "module.py", root / "package" / ".module.py.tmp1"
    temporary.write_text("new")
    temporary.rename(path)
    assert tree.changes([temporary, path]) == {path: b"new"}


def test_deleted_file_has_no_content(root: Path, tree: FileTree) -> None:
    path = root / "package" / "module.py"
    path.unlink()
    assert tree.changes([path]) == {path: None}


def test_renamed_file_is_a_deletion_and_an_addition(root: Path, tree: FileTree) -> None:
    old, new = root / "package" / "module.py", root / "package" / "renamed.py"
    old.rename(new)
    assert tree.changes([old, new]) == {old: None, new: b"old"}


def test_renamed_folder_stands_for_its_files(root: Path, tree: FileTree) -> None:
    old, new = root / "package", root / "renamed"
    old.rename(new)
    changes = tree.changes([old, new])
    assert set(changes) == {it / name for it in (old, new) for name in ("module.py", "other.py")}
    assert {path.parent: content is None for path, content in changes.items()} == {
        old: True,
        new: False,
    }


def test_deleted_root_is_a_deletion_of_its_files(root: Path, tree: FileTree) -> None:
    shutil.rmtree(root)
    assert set(tree.changes([root]).values()) == {None}


def test_root_may_be_a_file(root: Path) -> None:
    path = root / "template.yaml"
    path.write_text("1")
    tree = FileTree([path])
    tree.scan()
    path.write_text("2")
    assert tree.changes([path, root / "package" / "module.py"]) == {path: b"2"}


@pytest.mark.parametrize(
    "name",
    [
        "__pycache__/module.cpython-313.pyc",
        ".git/index",
        "package/.module.py.swp",
        "package/module.py~",
        "package/.#module.py",
        "package/#module.py#",
        "package/module.pyc",
        ".DS_Store",
    ],
)
def test_cache_or_temporary_file_is_not_a_source(name: str) -> None:
    assert not is_source(Path("/app", name), Path("/app"))


def test_summary_counts_the_paths_that_it_does_not_show() -> None:
    paths = [Path(f"/app/{number}.py") for number in range(5)]
    assert summary(paths, Path("/app")) == "0.py, 1.py, 2.py and 2 more"
    assert summary(paths[:1], Path("/app")) == "0.py"


_NAMES = st.sampled_from(["a.py", "b.py", "c/d.py", "c/e.py"])
_STATES = st.dictionaries(_NAMES, st.binary(max_size=3))


@given(st.lists(_STATES, min_size=1, max_size=5))
def test_changes_lead_from_each_state_of_a_folder_to_the_next(
    states: list[dict[str, bytes]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        tree, known = FileTree([root]), dict[str, bytes]()
        tree.scan()
        for state in states:
            _write(root, state)
            for path, content in tree.all_changes().items():
                name = path.relative_to(root).as_posix()
                assert known.get(name) != content
                if content is None:
                    del known[name]
                else:
                    known[name] = content
            assert known == state


def _write(root: Path, state: dict[str, bytes]) -> None:
    for path in root.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for name, content in state.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
