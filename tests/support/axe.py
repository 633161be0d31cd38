"""Accessibility rules of axe-core, run on a page in Chromium.

axe-core is an npm package, which no other part of the project needs: it is installed on first use.
"""

import os
import subprocess
from functools import cache
from typing import Any, Final

from playwright.sync_api import Page

from tests.support.paths import ROOT
from tests.support.running import exclusive

INSTALLED: Final = ROOT / ".meridian" / "axe"
PACKAGE: Final = "axe-core@4.10.3"
#: Node.js and npm are installed from PyPI.
_BINARIES: Final = ROOT / ".venv" / "bin"
_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@cache
def _script() -> str:
    script = INSTALLED / "node_modules" / "axe-core" / "axe.min.js"
    with exclusive(INSTALLED):
        if not script.exists():
            options = ("--silent", "--no-audit", "--no-fund", "--prefix", str(INSTALLED))
            subprocess.run(
                [_BINARIES / "npm", "install", *options, PACKAGE],
                env={**os.environ, "PATH": f"{_BINARIES}:{os.environ['PATH']}"},
                check=True,
                timeout=240,
            )
    return script.read_text()


def violations(page: Page) -> list[str]:
    """Return the rules of WCAG 2.2 AA and of good practice that a page violates, with elements."""
    # The page's policy forbids foreign script elements; the developer protocol isn't bound by it.
    page.evaluate(_script())
    rules: list[dict[str, Any]] = page.evaluate(
        "tags => axe.run(document, {runOnly: tags}).then(it => it.violations)", _RULES
    )
    return [f"{rule['id']}: {node['html']}" for rule in rules for node in rule["nodes"]]
