"""The access log of a stage: one entry per request, in a log group of CloudWatch Logs.

`pipeline` formats the entries, and `AccessLog` sends them from a thread, so that a request doesn't
wait for its log. Source: "Set up CloudWatch logging for REST APIs", custom access logging.
"""

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import batched
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

#: Any name: API Gateway's streams are named by a hash.
_STREAM: Final = "access"
#: PutLogEvents accepts 10,000 events and 1 MB.
MAX_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class AccessLogSetting:
    """The log group that receives the entries, its Region, and the format with variables."""

    group: str
    region: str
    format: str

    @classmethod
    def parse(cls, setting: dict[str, str]) -> "AccessLogSetting | None":
        """Parse the `accessLogSettings` of GetStage. Returns None for another destination.

        A destination in Amazon Data Firehose isn't emulated.
        """
        parts = setting.get("destinationArn", "").split(":", 6)
        if len(parts) < 7 or parts[2] != "logs" or not setting.get("format"):
            return None
        return cls(parts[6].removesuffix(":*"), parts[3], setting["format"])


@dataclass(frozen=True, slots=True)
class _Entry:
    setting: AccessLogSetting
    time_ms: int
    text: str


class AccessLog:
    """Send entries to CloudWatch Logs. An entry that can't be stored is reported and dropped."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        """`client` returns the CloudWatch Logs client of a Region."""
        self._client = cache(client)
        self._entries: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __call__(self, setting: AccessLogSetting, text: str) -> None:
        """Queue an entry with the current time."""
        self._entries.put(_Entry(setting, round(time.time() * 1000), text))

    def close(self) -> None:
        """Send the queued entries and stop the thread."""
        self._entries.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_ = True
        while open_:
            taken = [self._entries.get()]
            while not self._entries.empty():
                taken.append(self._entries.get())
            open_ = None not in taken
            entries = [entry for entry in taken if entry is not None]
            for setting in dict.fromkeys(entry.setting for entry in entries):
                of_setting = [entry for entry in entries if entry.setting == setting]
                for batch in batched(of_setting, MAX_BATCH, strict=False):
                    self._send(batch)

    def _send(self, batch: Sequence[_Entry]) -> None:
        setting = batch[0].setting
        logs = self._client(setting.region)
        stream = {"logGroupName": setting.group, "logStreamName": _STREAM}
        events = [{"timestamp": it.time_ms, "message": it.text} for it in batch]
        try:
            with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
                logs.create_log_stream(**stream)
            logs.put_log_events(**stream, logEvents=events)
        except (ClientError, BotoCoreError) as error:
            text = f"can't write {len(batch)} entries to {setting.group}: {error}"
            print(f"rest_api: access log: {text}", file=sys.stderr, flush=True)


def logs_client(endpoint: str, region: str) -> Any:
    """Return a CloudWatch Logs client of the emulated AWS."""
    config = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})
    return boto3.client("logs", region_name=region, endpoint_url=endpoint, config=config)
