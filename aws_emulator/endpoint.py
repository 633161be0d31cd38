"""The emulated AWS endpoint as its clients see it: address, Region, environment, boto3 clients."""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config


@dataclass(frozen=True)
class Endpoint:
    """The emulator's URL, and the Region in which a client works."""

    url: str
    region: str = "us-east-1"

    def environment(self, path: Sequence[Path] = ()) -> dict[str, str]:
        """Return the environment of a program that calls the emulator and never AWS.

        It is this process's environment without AWS and SAM settings. `path` and the folder of this
        interpreter, which has the SAM CLI, come first on PATH.
        """
        inherited = {
            name: it for name, it in os.environ.items() if not name.startswith(("AWS_", "SAM_"))
        }
        folders = [*map(str, path), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
        return inherited | {
            "PATH": ":".join(folders),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            # The user's credentials must not reach the emulator, nor its requests AWS.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            # The SDK would send StartSyncExecution to "sync-127.0.0.1".
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "SAM_CLI_TELEMETRY": "0",
            # Seconds between two polls of a deployment. The default of 5 is meant for AWS.
            "SAM_CLI_POLL_DELAY": "0.5",
            "PYTHONUNBUFFERED": "1",
        }

    def client(self, service: str) -> Any:
        """Return a boto3 client of the emulated service."""
        return boto3.client(  # type: ignore[call-overload]  # any service, by name
            service,
            region_name=self.region,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the emulator's
            config=Config(
                retries={"max_attempts": 3, "mode": "standard"},
                inject_host_prefix=False,
                s3={"addressing_style": "path"},
            ),
        )


def responds(url: str, timeout_s: float = 2) -> bool:
    """Return whether a GET of `url` answers 200 within the time limit, in seconds."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False
