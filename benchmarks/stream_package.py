"""Size and cold start of the EventsFunction package that `make build` made."""

import os
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
LAMBDA_PYTHON: Final = ROOT / ".venv-lambda" / "bin" / "python"
BUILT: Final = ROOT / ".aws-sam" / "build"


def cold_start() -> tuple[float, float] | None:
    """Return CPU and wall seconds of the package's import and first use, without AWS."""
    folders = [path for path in BUILT.rglob("EventsFunction") if path.is_dir()]
    if not folders or not LAMBDA_PYTHON.exists():
        return None
    program = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "import telemetry\n"
        "from stream_processor.handlers import events\n"
        "from stream_processor.storage import dynamodb, s3\n"
        "s3.client(); dynamodb.client(); telemetry.instrumented(lambda e, c: e)\n"
        "telemetry._tracer(); telemetry._metrics(); telemetry._logger()\n"
        "print(time.process_time())"
    )
    variables = {
        "PATH": os.environ["PATH"],
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    best: list[tuple[float, float]] = []
    for _ in range(3):
        started = time.perf_counter()
        done = subprocess.run(
            [str(LAMBDA_PYTHON), "-I", "-c", program, str(folders[0])],
            env=variables,
            capture_output=True,
            text=True,
            check=True,
        )
        best.append((float(done.stdout), time.perf_counter() - started))
    return min(best)


def package_size() -> tuple[int, int] | None:
    """Return the bytes of the built package, zipped and unzipped."""
    folders = [path for path in BUILT.rglob("EventsFunction") if path.is_dir()]
    if not folders:
        return None
    files = [path for path in folders[0].rglob("*") if path.is_file()]
    with tempfile.TemporaryFile() as target:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.write(path, path.relative_to(folders[0]))
        return target.tell(), sum(path.stat().st_size for path in files)
