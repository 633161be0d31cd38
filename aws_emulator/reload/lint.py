"""Check templates with cfn-lint, if it is installed."""

import importlib
import importlib.util
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Final

from aws_emulator.errors import CommandError
from aws_emulator.reload.file_tree import relative

#: The number of matches that a message shows.
MAX_MATCHES: Final = 5


def is_installed() -> bool:
    """Return whether this interpreter has cfn-lint."""
    return importlib.util.find_spec("cfnlint") is not None


class LintError(CommandError):
    """Raised when cfn-lint finds errors. The text has one line for each."""


def check(templates: Collection[Path], base: Path) -> None:
    """Check templates, if cfn-lint is installed. Warnings are ignored.

    Raises:
        LintError: A template has errors: `file:line:column: rule message`.
    """
    if not is_installed():
        return
    # A late import, which takes about a second: cfn-lint is optional.
    config = importlib.import_module("cfnlint.config")
    runner = importlib.import_module("cfnlint.runner")
    problems = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        configuration = config.ConfigMixIn([str(it) for it in sorted(templates)])
        for match in runner.Runner(configuration).run() if templates else ():
            if match.rule.severity == "error":
                path = relative(Path(match.filename), base)
                location = f"{path}:{match.linenumber}:{match.columnnumber}"
                problems.append(f"{location}: {match.rule.id} {match.message}")
    if problems:
        raise LintError("\n".join(problems[:MAX_MATCHES]))
