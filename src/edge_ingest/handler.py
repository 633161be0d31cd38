"""The function at origin-request: CloudFront's event in, CloudFront's result out."""

import os
from contextlib import suppress
from functools import lru_cache
from typing import Any, Protocol

from edge_ingest import agents, answers, tls
from edge_ingest import settings as settings_module
from edge_ingest.collector import Collector
from edge_ingest.delivery import Delivery
from edge_ingest.errors import SettingsError
from edge_ingest.kinesis import Kinesis, endpoint_of

# Lambda@Edge has no environment variables of its own: what a deployment decides is in the package.
_SETTINGS_FILE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "settings.json")  # noqa: PTH118, PTH120 - pathlib would cost a cold start 8 ms


class Context(Protocol):
    """What the runtime tells of the invocation."""

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the function may still run."""


@lru_cache(maxsize=1)
def collector() -> Collector:
    """Make the collector of this deployment, once.

    Raises:
        SettingsError: the package has no usable `settings.json`.
    """
    try:
        with open(_SETTINGS_FILE, encoding="utf-8") as file:  # noqa: PTH123 - see above
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError("settings.json", "cannot be read") from error
    settings = settings_module.load(text)
    here = os.environ.get("AWS_REGION", "")
    delivery = Delivery(Kinesis(tls.Dialler()), settings.stream, settings.regions, here)
    return Collector(settings, delivery, here)


def lambda_handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Take the events of one request, and answer when a stream has them."""
    try:
        ready = collector()
    except SettingsError as error:
        return answers.misconfigured(error)
    return ready.answer(event, context.get_remaining_time_in_millis() / 1000)


def _warm() -> None:
    """Do what costs CPU while the runtime starts the function.

    Lambda runs a module's import with the full CPU and the handler with a share by its memory: a
    TLS context takes 45 ms here, and a second there at 128 MB. Anywhere else but in the runtime
    an import stays an import.
    """
    with suppress(SettingsError):  # each request is told so
        collector()
    agents.load()
    if endpoint_of("us-east-1").tls:
        tls.context(all_roots=False)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _warm()
