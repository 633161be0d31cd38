"""src/Makefile builds without network after the first build, and in any path."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tools.paths import UV

pytestmark = [pytest.mark.package, pytest.mark.usefixtures("sam_build")]

#: A proxy that refuses every connection: a request to an index would fail.
NO_NETWORK = dict.fromkeys(
    ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"
)


def build(source: Path, artifacts: Path, function: str = "EdgeIngestFunction") -> None:
    """Build a function as `sam build` does, without network."""
    artifacts.mkdir()
    environment = {**os.environ, **NO_NETWORK, "NO_PROXY": "", "no_proxy": ""}
    environment["PATH"] = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    environment |= {"ARTIFACTS_DIR": str(artifacts), "MERIDIAN_UV": str(UV)}
    done = subprocess.run(
        ["make", "-C", str(source), f"build-{function}"],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]


def python_with_pip() -> Path:
    """Return the folder of a python3.13 with pip. Without one, the test is skipped."""
    folders = [Path(it) for it in os.environ["PATH"].split(os.pathsep)]
    for folder in folders:
        python = folder / "python3.13"
        command = [str(python), "-m", "pip", "--version"]
        if (
            python.exists()
            and subprocess.run(command, capture_output=True, check=False).returncode == 0
        ):
            return folder
    pytest.skip("no python3.13 on the PATH has pip: the build without uv was not compared")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_build_with_pip_equals_build_with_uv(tmp_path: Path) -> None:
    """Equal packages need no new version of an edge function, wherever they are built."""
    build(ROOT / "src", tmp_path / "uv")
    pip = tmp_path / "bin"
    pip.mkdir()
    (pip / "python3.13").symlink_to(python_with_pip() / "python3.13")
    # Without MERIDIAN_UV and without uv on the PATH, src/Makefile uses pip.
    environment = {**os.environ, "PATH": f"{pip}:/usr/bin:/bin", "MERIDIAN_UV": ""}
    environment["ARTIFACTS_DIR"] = str(tmp_path / "pip")
    (tmp_path / "pip").mkdir()
    done = subprocess.run(
        ["make", "-C", str(ROOT / "src"), "build-EdgeIngestFunction"],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if done.returncode and "Could not find a version" in done.stderr + done.stdout:
        pytest.skip("pip can't reach the package index: the build without uv was not compared")
    assert done.returncode == 0, done.stderr[-2_000:]
    with_uv, with_pip = contents(tmp_path / "uv"), contents(tmp_path / "pip")
    assert with_uv.keys() == with_pip.keys()
    assert [name for name, body in with_uv.items() if body != with_pip[name]] == []


def test_second_build_needs_no_network(tmp_path: Path) -> None:
    build(ROOT / "src", tmp_path / "artifacts")
    assert (tmp_path / "artifacts" / "msgspec" / "__init__.py").exists()


@pytest.mark.parametrize("folder", ["with space", "ünïcode नमस्ते", "quote's"])
def test_build_succeeds_in_path_with_other_characters(tmp_path: Path, folder: str) -> None:
    checkout = tmp_path / folder
    shutil.copytree(ROOT / "src", checkout / "src", ignore=shutil.ignore_patterns("__pycache__"))
    build(checkout / "src", checkout / "artifacts")
    assert (checkout / "artifacts" / "edge_ingest" / "handler.py").exists()
    assert (checkout / "artifacts" / "msgspec" / "__init__.py").exists()


def test_edge_auth_package_is_built_in_a_path_with_spaces(tmp_path: Path) -> None:
    checkout = tmp_path / "with space"
    shutil.copytree(ROOT / "src", checkout / "src", ignore=shutil.ignore_patterns("__pycache__"))
    build(checkout / "src", checkout / "artifacts", "EdgeAuthFunction")
    assert (checkout / "artifacts" / "edge_auth" / "handler.pyc").exists()
