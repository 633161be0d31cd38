"""Messages about code that can't start name the file and the line."""

from pathlib import Path

import pytest

from aws_emulator.function_controls import StartFailure
from aws_emulator.reload.code_update import import_location, syntax_message

FILES = {
    Path("deleted.py"): None,
    Path("broken.py"): b"def (:\n",
    Path("a.py"): b"import os\nimport other.part\n\ndef f():\n    from missing import x\n",
    Path("b.py"): b"from other import name, lost\nfrom package import gone\n",
}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("No module named 'missing'", (Path("a.py"), 5)),
        ("Unable to import module 'a': No module named 'other.part'", (Path("a.py"), 2)),
        ("cannot import name 'lost' from 'other' (/var/task/other.py)", (Path("b.py"), 1)),
        ("No module named 'package.gone'", (Path("b.py"), 2)),
        ("No module named 'absent'", None),
        ("name 'x' is not defined", None),
    ],
)
def test_import_error_has_location_of_import(
    message: str, expected: tuple[Path, int] | None
) -> None:
    assert import_location(message, FILES) == expected


def test_syntax_error_has_file_line_and_text() -> None:
    with pytest.raises(SyntaxError) as caught:
        compile("x = 1\ny = (\n", "<source>", "exec")
    message = syntax_message(caught.value, "src/a.py")
    assert message.splitlines() == ["src/a.py:2: SyntaxError: '(' was never closed", "    y = ("]


def test_start_failure_shows_own_frames_with_paths_of_sources() -> None:
    log = (
        "[WARNING] 2026 LAMBDA_WARNING: Unhandled exception. The most likely cause is ...\n"
        "[ERROR] NameError: name 'x' is not defined\n"
        "Traceback (most recent call last):\n"
        '  File "/tmp/state/packages/0a1b/task/auth/handler.py", line 7, in <module>\n'
        "    x\n"
        '  File "/usr/lib/python3.13/importlib/__init__.py", line 88, in import_module\n'
        "    return _bootstrap._gcd_import(name[level:], package, level)\n"
    )
    failure = StartFailure("access", "NameError", "name 'x' is not defined", log)
    assert failure.text("src/").splitlines() == [
        "access can't start: NameError: name 'x' is not defined",
        "    [ERROR] NameError: name 'x' is not defined",
        "    Traceback (most recent call last):",
        '      File "src/auth/handler.py", line 7, in <module>',
        "        x",
    ]


def test_start_failure_without_log_is_one_line() -> None:
    failure = StartFailure("access", "Runtime.ImportModuleError", "No module named 'x'", "")
    assert failure.text() == "access can't start: Runtime.ImportModuleError: No module named 'x'"
