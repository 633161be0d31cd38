"""The set-up's checks of a finished environment, and its environment for uv."""

import sys
from pathlib import Path

import pytest

from tools.setup import bootstrap


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment with one installed package."""
    site = tmp_path / "lib" / "python3.13" / "site-packages"
    package = site / "sample"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("x = 1\n")
    information = site / "sample-1.0.dist-info"
    information.mkdir()
    (information / "RECORD").write_text(
        "sample/__init__.py,sha256=x,6\nRECORD,,\n".replace("RECORD", "sample-1.0.dist-info/RECORD")
    )
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    return tmp_path


def test_complete_environment_is_accepted(environment: Path) -> None:
    assert bootstrap.damage(environment, ["json"]) == ""


def test_truncated_file_is_reported(environment: Path) -> None:
    next(environment.glob("lib/*/*/sample/__init__.py")).write_text("x")
    assert "sample/__init__.py is incomplete" in bootstrap.damage(environment, ["json"])


def test_missing_file_is_reported(environment: Path) -> None:
    next(environment.glob("lib/*/*/sample/__init__.py")).unlink()
    assert "sample/__init__.py is missing" in bootstrap.damage(environment, ["json"])


def test_package_that_cannot_be_imported_is_reported(environment: Path) -> None:
    assert "No module named" in bootstrap.damage(environment, ["module_that_is_missing"])


def test_empty_environment_is_reported(tmp_path: Path) -> None:
    assert bootstrap.damage(tmp_path, ["json"]) == "no site-packages"


def test_read_only_home_moves_the_cache_into_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "_can_write", lambda _folder: False)
    for name in ("UV_CACHE_DIR", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.delenv(name, raising=False)
    variables = bootstrap.uv_environment()
    assert variables["UV_CACHE_DIR"] == str(bootstrap.STATE / "uv-cache")
    assert variables["UV_PYTHON_INSTALL_DIR"] == str(bootstrap.STATE / "python")


def test_settings_of_other_environments_do_not_reach_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "VIRTUAL_ENV",
        "UV_PYTHON",
        "UV_PROJECT",
        "PYTHONPATH",
        "PYTHONHOME",
        "CONDA_PREFIX",
    ):
        monkeypatch.setenv(name, "/elsewhere")
    assert "/elsewhere" not in bootstrap.uv_environment().values()


def test_little_disk_is_refused_before_the_first_write(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Usage:
        free = bootstrap.NEEDED_BYTES - 1

    monkeypatch.setattr("shutil.disk_usage", lambda _path: Usage)
    with pytest.raises(bootstrap.SetupError, match="needs 1500 MB of free disk"):
        bootstrap._check_free_disk()
