"""Calls that functions make can fail: POST /_local/faults?service=s3&operation=PUT&kind=lost.

Gap: MiniStack's services never fail by themselves, so what a function does about it could not be
tried on the running system.
Seen in: ministack 1.5.33.
Delete when: MiniStack can fail a share of a service's calls. (A switch of ours, no repair.)

`operation` is that of the call's X-Amz-Target, for S3 the HTTP method; without it all are meant, as
every region is without `region`. `share` is from 0 to 1, `times` ends a rule after so many, `seed`
makes the draws repeatable. Kinds:

refused    503, and nothing was done.
lost       503, and it was done.
cut        the connection ends in the middle of the answer, and it was done.
late       no answer for `seconds`; then it is done, whoever waits no more.
throttled  400 ProvisionedThroughputExceededException, and nothing was done; for PutRecords 200, in
           which every record has that code ("PutRecords", "the response includes both successfully
           and unsuccessfully processed records").

Only calls with temporary credentials fail, which are those of functions: an operator's do not.
GET says how often each rule acted, DELETE takes all rules away.
"""

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

from aws_emulator.ministack.control import Application, Control, Message, Query, Receive, Send
from aws_emulator.ministack.settings import Settings

#: access key / date / region / service / aws4_request (Signature Version 4, credential scope)
_SCOPE = re.compile(rb"([A-Z0-9]+)/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
#: What temporary credentials begin with (IAM, "Understanding unique ID prefixes").
_TEMPORARY = b"ASIA"
_THROTTLED = "ProvisionedThroughputExceededException"


class Call(NamedTuple):
    """What a function asks for."""

    region: str
    service: str
    operation: str


@dataclass
class Rule:
    """Which calls fail, how, and how many did."""

    service: str
    kind: str
    share: float
    operation: str | None = None
    seconds: float = 0.0
    times: int | None = None
    region: str | None = None
    acted: int = 0
    seed: int = 0
    draws: random.Random = field(default_factory=random.Random, repr=False)

    @classmethod
    def of(cls, query: Query) -> "Rule":
        """Read a rule. Raises ValueError for what is none."""
        kind, service = query.get("kind", ""), query.get("service", "")
        share, seconds = float(query.get("share", "1")), float(query.get("seconds", "0"))
        if kind not in _ANSWERS or not service or not 0 <= share <= 1 or seconds < 0:
            raise ValueError(f"say service=, kind={'|'.join(_ANSWERS)}, share=0..1, seconds=")
        times = int(query["times"]) if "times" in query else None
        seed = int(query.get("seed", "0"))
        draws = random.Random(seed)  # noqa: S311 - no secret: it must be repeatable
        operation, region = query.get("operation"), query.get("region")
        return cls(service, kind, share, operation, seconds, times, region, seed=seed, draws=draws)

    def acts(self, call: Call) -> bool:
        """Draw for a call, and count it where it fails."""
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

    def told(self) -> dict[str, object]:
        """The rule as JSON can hold it."""
        return {name: value for name, value in asdict(self).items() if name != "draws"}


def install(_settings: Settings, control: Control, application: Application) -> Application:
    """Put the faults before the application."""
    rules: list[Rule] = []

    def state(_query: Query) -> list[dict[str, object]]:
        return [rule.told() for rule in rules]

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
        # Read whatever follows: a body that is left over would be taken for the next request, and
        # none can be had of somebody who has gone.
        body = await _body(receive)
        if rule.kind == "late":
            await asyncio.sleep(rule.seconds)
        if rule.kind == "throttled":
            done = _throttled(call, body)
        else:
            done = [] if rule.kind == "refused" else await _done(application, scope, body)
        await _ANSWERS[rule.kind](send, done)

    control.add("GET", "/_local/faults", state)
    control.add("POST", "/_local/faults", add)
    control.add("DELETE", "/_local/faults", clear)
    return with_faults


def _call(scope: Message) -> Call | None:
    """A function's call, None for any other request."""
    headers = dict(scope["headers"])
    signed = _SCOPE.search(headers.get(b"authorization", b""))
    if signed is None or not signed.group(1).startswith(_TEMPORARY):
        return None
    target = headers.get(b"x-amz-target", b"").rpartition(b".")[2]
    region, service = signed.group(2).decode(), signed.group(3).decode()
    return Call(region, service, target.decode() or scope["method"])


async def _body(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _done(application: Application, scope: Message, body: bytes) -> list[Message]:
    """Let the call be done; give its answer to nobody."""
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    await application(scope, receive, send)
    return messages


def _throttled(call: Call, body: bytes) -> list[Message]:
    """Kinesis' answer to what comes too fast."""
    refusal = {"ErrorCode": _THROTTLED, "ErrorMessage": "Rate exceeded for a shard."}
    said: dict[str, object]
    status, said = 400, {"__type": _THROTTLED, "message": refusal["ErrorMessage"]}
    if call.operation == "PutRecords":
        count = len(json.loads(body)["Records"])
        status, said = 200, {"FailedRecordCount": count, "Records": [refusal] * count}
    headers = [(b"content-type", b"application/x-amz-json-1.1")]
    return [
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": json.dumps(said).encode()},
    ]


async def _unavailable(send: Send, _answer: list[Message]) -> None:
    await send({"type": "http.response.start", "status": 503, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _cut(send: Send, answer: list[Message]) -> None:
    """Promise more than comes: the server ends a connection whose answer stays unfinished."""
    length = [(b"content-length", b"1048576")]
    await send({"type": "http.response.start", "status": answer[0]["status"], "headers": length})
    await send({"type": "http.response.body", "body": b"<", "more_body": True})


async def _whole(send: Send, answer: list[Message]) -> None:
    for message in answer:
        await send(message)


_ANSWERS: dict[str, Callable[[Send, list[Message]], Awaitable[None]]] = {
    "refused": _unavailable,
    "lost": _unavailable,
    "cut": _cut,
    "late": _whole,
    "throttled": _whole,
}
