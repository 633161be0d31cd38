"""ReprocessingFunction: make the rows of a day again, a slice in each invocation.

The workflow `reprocess` (src/stepfunctions/reprocess.asl.yaml) invokes it with its last answer,
until `done`. An event has `day`, `mode` (run, undo or confirm), `position`, at which the slice
begins, and `counts`, those of the slices before. The last two are null at the beginning.
"""

import os
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from typing import Any, Final

import telemetry
from stream_processor import settings
from stream_processor.reprocessing.reprocess_day import DayReprocessor, Result
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.position import BEGIN, Position

#: A slice begins no further object or hour when less time is left: an hour's compaction needs it,
#: or the commit with the whole day.
RESERVE_S: Final = 600


@telemetry.instrumented
def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Run one slice.

    Raises:
        StreamProcessorError: S3 or Glue failed. The same slice can run again.
    """
    return run(
        _app_context(), event, lambda: context.get_remaining_time_in_millis() > RESERVE_S * 1000
    )


def run(app: AppContext, event: Mapping[str, Any], has_time: Callable[[], bool]) -> dict[str, Any]:
    """Run a slice that begins no further unit of work when its time is over.

    Raises:
        StreamProcessorError: S3 or Glue failed. The same slice can run again.
    """
    day, mode = str(event["day"]), str(event["mode"])
    start = BEGIN if event["position"] is None else Position(*event["position"])
    result = Result(day) if event["counts"] is None else Result.of(event["counts"])
    reprocessor = DayReprocessor(app, date.fromisoformat(day))
    position = reprocessor.run_slice(mode, start, has_time, result)
    telemetry.info("slice", day=day, mode=mode, stage=position.stage if position else "end")
    return {
        "day": day,
        "mode": mode,
        "position": position and position.as_list(),
        "counts": result.counts(),
        "done": position is None,
        "complete": result.complete,
    }


@cache
def _app_context() -> AppContext:
    return AppContext.from_settings(settings.parse(os.environ))
