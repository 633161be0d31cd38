"""Tests of the Parquet reader: what it does to the process."""

import subprocess
import sys

from tests.support.paths import ROOT

#: Prints the number of threads before and after a read. The file has several columns because Arrow
#: decodes each in a thread if it may.
READING = """
import psutil
import pyarrow as pa
from stream_processor.storage import parquet

body = parquet.write(pa.table({f"column_{n}": ["text"] * 1000 for n in range(20)}))
before = psutil.Process().num_threads()
assert parquet.read(body).num_columns == 20
print(before, psutil.Process().num_threads())
"""


def test_read_starts_no_thread() -> None:
    """A thread of Arrow's pool can abort an operator's command while it exits."""
    done = subprocess.run(
        [sys.executable, "-c", READING],
        cwd=ROOT / "src",
        capture_output=True,
        text=True,
        check=True,
    )
    before, after = done.stdout.split()
    assert before == after
