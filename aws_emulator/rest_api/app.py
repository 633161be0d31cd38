"""The ASGI application: finds the API that a request is for, and serves it."""

import asyncio
import json
import re
import sys
from typing import Any
from urllib.parse import parse_qsl

from aws_emulator.rest_api import gateway
from aws_emulator.rest_api.errors import DefinitionError
from aws_emulator.rest_api.model import Answer, Request
from aws_emulator.rest_api.pipeline import Caller, Stage, Verifier, new_context, serve
from aws_emulator.rest_api.reader import Reader

#: "Payload size: 10 MB" (quotas).
MAX_BODY = 10 * 1024 * 1024
READY = "/_local/ready"
_HOST = re.compile(r"(?P<api>[a-z0-9]+)\.execute-api\.(?P<region>[a-z0-9-]+)\.amazonaws\.com")

type Message = dict[str, Any]


class App:
    """Serves every REST API of the emulated AWS by its own host name.

    At its own address the API of the home region answers, for who calls it directly.
    """

    def __init__(self, reader: Reader, region: str, verify: Verifier, call: Caller) -> None:
        """`region` is the home region."""
        self._reader = reader
        self._region = region
        self._verify = verify
        self._call = call

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        raw = scope.get("raw_path") or scope["path"].encode()
        path = raw.decode("latin-1").partition("?")[0]
        if path == READY:
            await _send(send, Answer(200, [("content-type", "application/json")], b"{}"))
            return
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        await _send(send, await self._answer(scope, headers, path, receive))

    async def _answer(
        self, scope: Message, headers: dict[str, str], path: str, receive: Any
    ) -> Answer:
        stage_name, _, rest = path.removeprefix("/").partition("/")
        try:
            host, _, port = headers.get("host", "").partition(":")
            direct = port == str((scope.get("server") or ("", 0))[1])
            stage = await asyncio.to_thread(self._stage, host, stage_name, direct)
        except DefinitionError as error:
            print(f"local api: {error}", file=sys.stderr, flush=True)
            return Answer(500, [("content-type", "application/json")], _message(str(error)))
        if stage is None:
            # What API Gateway says for an API or a stage that is not there.
            return Answer(403, [("content-type", "application/json")], _message("Forbidden"))
        body = await _body(receive)
        request = Request(
            method=scope["method"],
            path=f"/{rest}",
            query=tuple(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            headers=headers,
            body=body or b"",
            source_ip=(scope.get("client") or ("127.0.0.1", 0))[0],
        )
        if body is None:
            context = new_context(stage, request)
            return gateway.answer(stage.definition, "REQUEST_TOO_LARGE", context)
        return await serve(stage, request, self._verify, self._call)

    def _stage(self, host: str, name: str, direct: bool) -> Stage | None:
        found = _HOST.fullmatch(host)
        if found:
            return self._reader.stage(found["region"], found["api"], name)
        # API Gateway knows no other names: a viewer's Host that came through is Forbidden.
        for api in self._reader.apis(self._region) if direct else ():
            stage = self._reader.stage(self._region, api, name)
            if stage is not None:
                return stage
        return None


async def _body(receive: Any) -> bytes | None:
    """Read a body; None for one that is too large, which is read to its end all the same."""
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= MAX_BODY:
            chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks) if size <= MAX_BODY else None


def _message(text: str) -> bytes:
    return json.dumps({"message": text}).encode()


async def _send(send: Any, answer: Answer) -> None:
    headers = [
        *(
            (name.encode("latin-1"), value.encode("latin-1", "replace"))
            for name, value in answer.headers
        ),
    ]
    if answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = b"" if answer.status == 204 else answer.body
    await send({"type": "http.response.body", "body": body})
