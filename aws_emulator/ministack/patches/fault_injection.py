"""Inject faults into calls of Lambda functions.

POST /_local/faults?service=s3&operation=PUT&kind=lost adds a rule.

Gap: MiniStack's services never fail, so a function's error handling can't be tested against them.
Seen in: ministack 1.5.33.
Delete when: MiniStack can fail a share of a service's calls. (A test control, not a repair.)

`operation` is the operation in X-Amz-Target, or the HTTP method for S3; without it the rule applies
to all operations, and without `region` to all Regions. `share` (0 to 1) is the probability, `times`
limits the number of faults, `seed` makes the draws repeatable. Kinds:

refused    503; the call is not executed.
lost       503; the call is executed, its response is lost.
cut        the connection closes in the middle of the response; the call is executed.
late       the response is delayed by `seconds`; then the call is executed, even if the client has
           given up.
hanging    503 after `seconds`; the call is not executed.
throttled  400 ProvisionedThroughputExceededException; the call is not executed. PutRecords answers
           200 with that code for every record ("PutRecords", "the response includes both
           successfully and unsuccessfully processed records").

Only calls with temporary credentials fail. Functions have those; the operator's calls succeed.
GET returns how many calls each rule failed, DELETE removes all rules.
"""

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Final, NamedTuple

from aws_emulator.ministack.control_api import (
    Application,
    ControlApi,
    Message,
    Query,
    Receive,
    Send,
    read_body,
    replay_body,
)
from aws_emulator.ministack.settings import Settings

#: access key / date / Region / service / aws4_request (Signature Version 4, credential scope)
_SCOPE: Final = re.compile(rb"([A-Z0-9]+)/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
#: The prefix of temporary access key ids (IAM, "Understanding unique ID prefixes").
_TEMPORARY: Final = b"ASIA"
_THROTTLED: Final = "ProvisionedThroughputExceededException"


class Call(NamedTuple):
    """The target of a function's call."""

    region: str
    service: str
    operation: str


@dataclass
class Rule:
    """A fault rule: which calls fail, how, and how many have failed."""

    service: str
    kind: str
    share: float
    operation: str | None = None
    seconds: float = 0.0
    times: int | None = None
    region: str | None = None
    acted: int = 0
    seed: int = 0
    draws: random.Random = field(default_factory=random.Random, repr=False)  # noqa: S311 - `seed` makes runs repeatable

    @classmethod
    def of(cls, query: Query) -> "Rule":
        """Parse a rule.

        Raises:
            ValueError: The rule is invalid.
        """
        kind, service = query.get("kind", ""), query.get("service", "")
        share, seconds = float(query.get("share", "1")), float(query.get("seconds", "0"))
        if kind not in _ANSWERS or not service or not 0 <= share <= 1 or seconds < 0:
            raise ValueError(f"expected service=, kind={'|'.join(_ANSWERS)}, share=0..1, seconds=")
        times = int(query["times"]) if "times" in query else None
        seed = int(query.get("seed", "0"))
        draws = random.Random(seed)  # noqa: S311 - no secret: it must be repeatable
        operation, region = query.get("operation"), query.get("region")
        return cls(service, kind, share, operation, seconds, times, region, seed=seed, draws=draws)

    def acts(self, call: Call) -> bool:
        """Return whether the call fails, and count it if so."""
        if self.service != call.service or self.operation not in (None, call.operation):
            return False
        if self.region not in (None, call.region):
            return False
        if (self.times is not None and self.acted >= self.times) or (
            self.draws.random() >= self.share
        ):
            return False
        self.acted += 1
        return True

    def as_json(self) -> dict[str, object]:
        """Return the rule as a JSON object."""
        return {name: value for name, value in asdict(self).items() if name != "draws"}


def install(_settings: Settings, control: ControlApi, application: Application) -> Application:
    """Intercept requests in front of the application."""
    rules: list[Rule] = []

    def state(_query: Query) -> list[dict[str, object]]:
        return [rule.as_json() for rule in rules]

    def add(query: Query) -> list[dict[str, object]]:
        rules.append(Rule.of(query))
        return state({})

    def clear(_query: Query) -> list[dict[str, object]]:
        ended = state({})
        rules.clear()
        return ended

    async def with_faults(scope: Message, receive: Receive, send: Send) -> None:
        call = _call(scope) if rules and scope["type"] == "http" else None
        rule = next((rule for rule in rules if rule.acts(call)), None) if call else None
        if call is None or rule is None:
            await application(scope, receive, send)
            return
        # Read the body first: the server would parse a remaining body as the next request, and a
        # client that has disconnected can't send it later.
        body = await read_body(receive)
        if rule.kind in ("late", "hanging"):
            await asyncio.sleep(rule.seconds)
        if rule.kind == "throttled":
            messages = _throttled(call, body)
        else:
            is_executed = rule.kind not in ("refused", "hanging")
            messages = await _execute(application, scope, body) if is_executed else []
        await _ANSWERS[rule.kind](send, messages)

    control.add("GET", "/_local/faults", state)
    control.add("POST", "/_local/faults", add)
    control.add("DELETE", "/_local/faults", clear)
    return with_faults


def _call(scope: Message) -> Call | None:
    """Return the target of a function's call, or None for another request."""
    headers = dict(scope["headers"])
    match = _SCOPE.search(headers.get(b"authorization", b""))
    if match is None or not match.group(1).startswith(_TEMPORARY):
        return None
    target = headers.get(b"x-amz-target", b"").rpartition(b".")[2]
    region, service = match.group(2).decode(), match.group(3).decode()
    return Call(region, service, target.decode() or scope["method"])


async def _execute(application: Application, scope: Message, body: bytes) -> list[Message]:
    """Execute the call and return the messages of its response."""
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    await application(scope, replay_body(body), send)
    return messages


def _throttled(call: Call, body: bytes) -> list[Message]:
    """Return the response of Kinesis to a throttled call."""
    refusal = {"ErrorCode": _THROTTLED, "ErrorMessage": "Rate exceeded for a shard."}
    response: dict[str, object]
    status, response = 400, {"__type": _THROTTLED, "message": refusal["ErrorMessage"]}
    if call.operation == "PutRecords":
        count = len(json.loads(body)["Records"])
        status, response = 200, {"FailedRecordCount": count, "Records": [refusal] * count}
    headers = [(b"content-type", b"application/x-amz-json-1.1")]
    return [
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": json.dumps(response).encode()},
    ]


async def _unavailable(send: Send, _answer: list[Message]) -> None:
    await send({"type": "http.response.start", "status": 503, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _cut(send: Send, answer: list[Message]) -> None:
    """Announce a longer body than is sent: the server then closes the connection."""
    length = [(b"content-length", b"1048576")]
    await send({"type": "http.response.start", "status": answer[0]["status"], "headers": length})
    await send({"type": "http.response.body", "body": b"<", "more_body": True})


async def _whole(send: Send, answer: list[Message]) -> None:
    for message in answer:
        await send(message)


_ANSWERS: Final[dict[str, Callable[[Send, list[Message]], Awaitable[None]]]] = {
    "refused": _unavailable,
    "hanging": _unavailable,
    "lost": _unavailable,
    "cut": _cut,
    "late": _whole,
    "throttled": _whole,
}
