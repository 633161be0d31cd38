"""The command line, and how it ends."""

from pathlib import Path

import pytest

from aws_emulator.event_sources.__main__ import Settings, main, parse


def test_the_regions_are_a_list() -> None:
    given = ["--endpoint", "http://127.0.0.1:1", "--regions", "us-east-1,eu-west-2", "--state", "d"]
    assert parse(given) == Settings("http://127.0.0.1:1", ("us-east-1", "eu-west-2"), Path("d"))


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["--endpoint", "127.0.0.1:1", "--regions", "us-east-1", "--state", "d"],
        ["--endpoint", "http://127.0.0.1:1", "--regions", ",", "--state", "d"],
    ],
)
def test_a_wrong_command_line_is_told(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(given)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_state_directory_that_is_a_file_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    given = ["--endpoint", "http://127.0.0.1:1", "--regions", "us-east-1"]
    assert main([*given, "--state", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err == f"poller: {tmp_path / 'file'} cannot be made: File exists\n"
