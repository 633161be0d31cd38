"""Tests for `cold_start`: collections are off while the modules load, and on for requests."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import gc
assert gc.isenabled()
first = None

class Finder:
    def find_spec(self, name, path=None, target=None):
        global first
        if name.startswith("edge_ingest.") and name != "edge_ingest.handler" and first is None:
            first = name
        if name in ("msgspec", "ssl"):
            print(name, gc.isenabled())

import sys
sys.meta_path.insert(0, Finder())
import edge_ingest.handler
print(first, gc.isenabled(), gc.get_freeze_count() > 10_000)
"""


def test_collections_are_off_only_while_the_modules_load() -> None:
    paths = [str(ROOT / "src"), *(path for path in sys.path if path.endswith("site-packages"))]
    answer = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {paths!r}\n{PROGRAM}"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = answer.stdout.splitlines()
    assert "msgspec False" in lines
    assert lines[-1] == "edge_ingest.cold_start True True"
