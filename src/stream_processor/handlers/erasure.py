"""LakeErasureFunction: erase a person from the lake of this Region, a slice in each invocation.

The workflow of an erasure (src/stepfunctions/erasure.py) invokes it until nothing is left to read,
and that of an export (person_export.py) until everything is read.

| action | event | result |
|---|---|---|
| `find` | `ids`, `visitors`, `shared` | both lists with what this slice found |
| `erase` | `ids`, `visitors` | `report` of the slice |
| `export` | `ids`, `visitors` | `rows` of the slice: JSON lines in gzip in base64 |
| `stream` | `ids`, `visitors` | `report`: records on the stream that aren't in the lake |

Each event also has `position`, at which the slice begins, and each result that of the next slice;
null is the beginning, and the end.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import telemetry
from stream_processor import settings
from stream_processor.erasure import export, visitors
from stream_processor.erasure.erase import Eraser, Report
from stream_processor.erasure.person import Person
from stream_processor.erasure.visitors import Visitors
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.position import BEGIN, Position

#: A slice begins no further key after this time. The rest of the function's time is for the files
#: of the hours that it changed.
SLICE_S: Final = 60


@telemetry.instrumented
def lambda_handler(event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
    """Run one slice.

    Raises:
        StreamProcessorError: S3, DynamoDB or a stream failed. The same slice can run again.
    """
    return run(_app_context(), event, SLICE_S)


def run(app: AppContext, event: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Run a slice that begins no further key after some seconds.

    Raises:
        StreamProcessorError: S3, DynamoDB or a stream failed. The same slice can run again.
    """
    end = time.monotonic() + seconds
    start = BEGIN if event["position"] is None else Position(*event["position"])

    def has_time() -> bool:
        return time.monotonic() < end

    if event["action"] == "find":
        known = Visitors(event["visitors"], event["shared"])
        result, position = visitors.find_slice(app.lake, event["ids"], known, start, has_time)
        return {"position": position and position.as_list(), **result._asdict()}
    person = Person(frozenset(event["ids"]), frozenset(event["visitors"]))
    if event["action"] == "export":
        rows, position = export.find_slice(app.lake, person, start, has_time)
        return {"position": position and position.as_list(), "rows": rows}
    report, eraser = Report(app.settings.region), Eraser(app)
    if event["action"] == "erase":
        position = eraser.run_slice(person, start, has_time, report)
    else:
        position = eraser.read_stream(person, start, has_time, report, datetime.now(UTC))
    # Counts and names of objects, no ids of a person.
    telemetry.info("slice", action=str(event["action"]), objects=str(report.objects))
    return {"position": position and position.as_list(), "report": asdict(report)}


@cache
def _app_context() -> AppContext:
    return AppContext.from_settings(settings.parse(os.environ))
