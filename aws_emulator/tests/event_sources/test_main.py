"""Tests of the command line's options, messages and exit codes."""

from pathlib import Path

import pytest

from aws_emulator.event_sources.__main__ import Settings, main, parse


def test_parse_splits_regions_at_commas() -> None:
    options = [
        "--endpoint",
        "http://127.0.0.1:1",
        "--regions",
        "us-east-1,eu-west-2",
        "--state",
        "d",
    ]
    assert parse(options) == Settings("http://127.0.0.1:1", ("us-east-1", "eu-west-2"), Path("d"))


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--endpoint", "127.0.0.1:1", "--regions", "us-east-1", "--state", "d"],
        ["--endpoint", "http://127.0.0.1:1", "--regions", ",", "--state", "d"],
    ],
)
def test_parse_exits_with_2_on_invalid_option(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(options)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_main_reports_state_directory_that_is_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    options = ["--endpoint", "http://127.0.0.1:1", "--regions", "us-east-1"]
    assert main([*options, "--state", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err == (
        f"poller: Can't create the state directory {tmp_path / 'file'}: File exists.\n"
    )
