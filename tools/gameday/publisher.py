"""Publish pages of the portal all day, as `make deploy` uploads them to the home's bucket."""

import threading
from typing import Any, Final, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tools.dev.system import System
from tools.gameday.answers import Ledger
from tools.gameday.loss import PREFIX, portal_bucket

_INTERVAL_S: Final = 1.0
_CONFIG: Final = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})


class Publisher:
    """Write one page after the other until the end of the context."""

    def __init__(self, running: System, run: str, ledger: Ledger) -> None:
        self._bucket = portal_bucket(running, running.regions[0])
        self._s3: Any = boto3.client(
            "s3",
            region_name=running.regions[0],
            endpoint_url=running.target.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the emulator accepts any key
            config=_CONFIG,
        )
        self._run = run
        self._ledger = ledger
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._publish, name="publisher")

    def __enter__(self) -> Self:
        """Start to publish."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._stopped.set()
        self._thread.join()

    def _publish(self) -> None:
        number = 0
        while not self._stopped.wait(_INTERVAL_S):
            key = f"{PREFIX}{self._run}/{number}.txt"
            try:
                self._s3.put_object(Bucket=self._bucket, Key=key, Body=b"page")
            except (BotoCoreError, ClientError):
                continue
            number += 1
            self._ledger.acknowledge("pages", key)
