"""SignUpsFunction: pass a sign-up on to the home, or keep it until the home answers.

The API of a Region without the accounts invokes it with a request of StartSyncExecution, and gets
the same answer as from Step Functions. While the home is lost, the request is accepted and waits in
the Region's queue, which invokes the function again and again until the home has it.

Guarantee: each accepted request reaches the home at least once, or is in the dead-letter queue. The
home stores a request once, however often it arrives, because its items have the request's ID.
"""

import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from sign_ups.errors import BusyError, UnreachableError
from sign_ups.home import AccountsHome
from sign_ups.request import Request
from sign_ups.settings import settings
from sign_ups.waiting import WaitingRequests

#: (seconds to connect, seconds to read, attempts): together below the API's timeout of 13 seconds.
_HOME: Final = (2, 6, 1)
_QUEUE: Final = (1, 1, 2)
#: The answer about a request that waits is the one about a stored request.
_ACCEPTED: Final = json.dumps({"outcome": "accepted"})

type Event = Mapping[str, Any]


def lambda_handler(event: Event, _context: object) -> dict[str, Any]:
    """Return the answer to a request, or to a batch of the queue the messages that stay in it.

    Raises:
        ClientError: Step Functions refused a call for another reason than its load.
    """
    if "Records" in event:
        return {"batchItemFailures": _delivered(event["Records"])}
    return _answer(Request.of(event))


def _answer(request: Request) -> dict[str, str]:
    began = time.monotonic()
    try:
        try:
            answer, outcome = home().admit(request), "passed on"
        except UnreachableError as error:
            waiting().keep(request)
            answer = {"status": "SUCCEEDED", "input": request.input, "output": _ACCEPTED}
            outcome = f"waits: {error}"
    except BusyError as error:
        # The API refuses it with 503, and the client sends it again.
        answer, outcome = {"status": "FAILED"}, f"refused: {error}"
    _log(request, outcome, began)
    return answer


def _delivered(records: list[Event]) -> list[dict[str, str]]:
    """Pass waiting requests on; return those that stay: from the first one that fails.

    Raises:
        ClientError: Step Functions refused a call for another reason than its load.
    """
    for number, record in enumerate(records):
        request, began = Request.of(json.loads(record["body"])), time.monotonic()
        try:
            home().admit(request)
        except (BusyError, UnreachableError) as error:
            _log(request, f"waits: {error}", began)
            return [{"itemIdentifier": str(it["messageId"])} for it in records[number:]]
        _log(request, "passed on", began)
    return []


def _log(request: Request, outcome: str, began: float) -> None:
    # IDs and fixed words, never personal data.
    line = {
        "level": "INFO",
        "message": outcome,
        "correlation_id": request.name,
        "duration_ms": round((time.monotonic() - began) * 1000),
    }
    print(json.dumps(line))


@cache
def home() -> AccountsHome:
    """Return the adapter of the home's state machine.

    Raises:
        SettingsError: An environment variable is missing.
    """
    import boto3

    region = settings().home_region
    states = boto3.client("stepfunctions", region_name=region, config=_config(*_HOME))
    return AccountsHome(states, settings().machine)


@cache
def waiting() -> WaitingRequests:
    """Return the adapter of the queue.

    Raises:
        SettingsError: An environment variable is missing.
    """
    import boto3

    sqs = boto3.client("sqs", region_name=settings().region, config=_config(*_QUEUE))
    return WaitingRequests(sqs, settings().queue_url)


def _config(connect_s: int, read_s: int, attempts: int) -> Any:
    from botocore.config import Config

    return Config(
        connect_timeout=connect_s,
        read_timeout=read_s,
        retries={"mode": "standard", "max_attempts": attempts},
    )
