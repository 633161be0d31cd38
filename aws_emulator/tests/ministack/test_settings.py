"""Command line of `python -m aws_emulator.ministack`."""

from pathlib import Path

import pytest

from aws_emulator.ministack import settings

_GIVEN = ["--state", "state", "--lambda-python", "/venv/bin/python"]


def _parse(*more: str) -> settings.Settings:
    return settings.parse([*_GIVEN, *more])


def test_paths_are_absolute() -> None:
    parsed = _parse("--port", "14500")
    assert parsed.state == Path.cwd() / "state"
    assert parsed.temporary.is_relative_to(parsed.state)
    assert parsed.endpoint == "http://127.0.0.1:14500"
    assert (parsed.account, parsed.without) == ("000000000000", frozenset())


def test_link_to_interpreter_is_not_resolved(tmp_path: Path) -> None:
    """The target of the link is another environment, without the packages."""
    link = tmp_path / "python"
    link.symlink_to("/usr/bin/python3")
    parsed = _parse("--port", "0", "--lambda-python", str(link))
    assert parsed.lambda_python == link


@pytest.mark.parametrize("port", ["0", "1", "65535"])
def test_port_is_accepted(port: str) -> None:
    assert _parse("--port", port).port == int(port)


@pytest.mark.parametrize("port", ["-1", "65536", "http", ""])
def test_invalid_port_is_rejected(port: str) -> None:
    with pytest.raises(SystemExit) as caught:
        _parse(f"--port={port}")
    assert caught.value.code == 2


@pytest.mark.parametrize("account", ["1" * 11, "1" * 13, "a" * 12])
def test_invalid_account_is_rejected(account: str) -> None:
    with pytest.raises(SystemExit) as caught:
        _parse("--port", "0", "--account", account)
    assert caught.value.code == 2
