"""The Lambda@Edge function of the integration tests: the query string selects what it does."""

import base64
import json
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

Json = dict[str, Any]


def _response(status: int, body: str = "", headers: Json | None = None) -> Json:
    return {"status": str(status), "body": body, "headers": headers or {}}


def _event(event: Json, _: Json) -> Json:
    return _response(200, json.dumps(event), {"content-type": [{"value": "application/json"}]})


def _cut(event: Json, _: Json) -> Json:
    body = _request(event)["body"]
    length = len(base64.b64decode(body["data"]))
    return _response(200, json.dumps({"inputTruncated": body["inputTruncated"], "length": length}))


def _deny(_: Json, __: Json) -> Json:
    return _response(401, "no", {"set-cookie": [{"value": "a=1"}, {"value": "b=2"}]})


def _cache(_: Json, __: Json) -> Json:
    stamp = f"{os.getpid()} {time.time()}"
    return _response(200, stamp, {"cache-control": [{"value": "max-age=60"}]})


def _size(_: Json, query: Json) -> Json:
    return _response(200, "x" * int(query["n"][0]))


def _rewrite(event: Json, query: Json) -> Json:
    request = _request(event)
    request["uri"] = query["uri"][0]
    request["headers"]["x-from-function"] = [{"value": "yes"}]
    return request


def _host(event: Json, _: Json) -> Json:
    request = _request(event)
    request["headers"]["host"] = [{"key": "Host", "value": "elsewhere.example"}]
    return request


def _connection(event: Json, _: Json) -> Json:
    request = _request(event)
    request["headers"]["connection"] = [{"value": "close"}]
    return request


def _raise(_: Json, __: Json) -> Json:
    raise ValueError("requested by the query")


def _none(_: Json, __: Json) -> None:
    return None


def _sleep(event: Json, query: Json) -> Json:
    time.sleep(float(query["s"][0]))
    return _request(event)


def _meet(_: Json, __: Json) -> Json:
    """Wait until two invocations have started."""
    directory = Path(os.environ["TMPDIR"], "meeting")
    directory.mkdir(exist_ok=True)
    (directory / uuid.uuid4().hex).touch()
    until = time.monotonic() + 20
    while len(list(directory.iterdir())) < 2:
        if time.monotonic() > until:
            return _response(500, "alone")
        time.sleep(0.05)
    return _response(200, "met")


def _replace(event: Json, _: Json) -> Json:
    request = _request(event)
    data = base64.b64encode(b"replaced").decode()
    request["body"].update(action="replace", encoding="base64", data=data)
    return request


def _result(_: Json, query: Json) -> Any:
    return json.loads(base64.urlsafe_b64decode(query["json"][0]))


def _request(event: Json) -> Json:
    request: Json = event["Records"][0]["cf"]["request"]
    return request


DOES: dict[str, Callable[[Json, Json], Any]] = {
    "event": _event,
    "cut": _cut,
    "deny": _deny,
    "cache": _cache,
    "size": _size,
    "rewrite": _rewrite,
    "host": _host,
    "connection": _connection,
    "raise": _raise,
    "none": _none,
    "sleep": _sleep,
    "meet": _meet,
    "replace": _replace,
    "result": _result,
}


def lambda_handler(event: Json, _context: Any) -> Any:
    """Run the action of the query parameter `do`; without one, return the request unchanged.

    For an event of API Gateway, return the path and the query parameters.
    """
    if "Records" not in event:
        echoed = {"path": event["path"], "query": event["queryStringParameters"]}
        return {"statusCode": 200, "body": json.dumps(echoed)}
    cf = event["Records"][0]["cf"]
    kind = cf["config"]["eventType"]
    if kind.endswith("-response"):
        cf["response"]["headers"][f"x-{kind}"] = [{"value": "seen"}]
        return cf["response"]
    query = parse_qs(cf["request"]["querystring"])
    does = DOES.get(query.get("do", [""])[0])
    return does(event, query) if does else cf["request"]
