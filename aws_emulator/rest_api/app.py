"""The ASGI application: find the stage of a request by host name and path, and run the pipeline."""

import asyncio
import json
import re
import sys
import time
from typing import Any, Final
from urllib.parse import parse_qsl

from aws_emulator.metrics import Metrics, of_api
from aws_emulator.rest_api.errors import DefinitionError
from aws_emulator.rest_api.gateway_response import build_gateway_response
from aws_emulator.rest_api.model import Request, Response
from aws_emulator.rest_api.pipeline import (
    LogWriter,
    ServiceCaller,
    Stage,
    Verifier,
    new_context,
    serve,
    write_nothing,
)
from aws_emulator.rest_api.stage_reader import StageReader
from aws_emulator.route53.locations import region_at

#: Quotas: "Payload size: 10 MB".
MAX_BODY_BYTES: Final = 10 * 1024 * 1024
READY_PATH: Final = "/_local/ready"
_HOST: Final = re.compile(
    r"(?P<api>[a-z0-9]+)\.execute-api\.(?P<region>[a-z0-9-]+)\.amazonaws\.com"
)

type Message = dict[str, Any]


class App:
    """Serve the REST APIs of the emulated AWS, each by its execute-api host name.

    A request to the address of a Region can have a custom domain name of the Region as host, and a
    base path instead of a stage.

    A client that uses the server's own address reaches the stage of that name in `region`.
    """

    def __init__(
        self,
        reader: StageReader,
        region: str,
        verify: Verifier,
        call_service: ServiceCaller,
        write_log: LogWriter = write_nothing,
        metrics: Metrics | None = None,
    ) -> None:
        """`region` is the Region of the APIs that the server's own address serves."""
        self._reader = reader
        self._region = region
        self._verify = verify
        self._call_service = call_service
        self._write_log = write_log
        self._metrics = metrics

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Serve one request, as ASGI defines."""
        if scope["type"] != "http":
            return
        raw = scope.get("raw_path") or scope["path"].encode()
        path = raw.decode("latin-1").partition("?")[0]
        if path == READY_PATH:
            await _send(send, Response(200, [("content-type", "application/json")], b"{}"))
            return
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        await _send(send, await self._respond(scope, headers, path, receive))

    async def _respond(
        self, scope: Message, headers: dict[str, str], path: str, receive: Any
    ) -> Response:
        first, _, rest = path.removeprefix("/").partition("/")
        try:
            server = scope.get("server") or ("", 0)
            stage = await asyncio.to_thread(self._stage, headers.get("host", ""), first, server)
        except DefinitionError as error:
            print(f"rest_api: {error}", file=sys.stderr, flush=True)
            return Response(500, [("content-type", "application/json")], _message(str(error)))
        if stage is None:
            # API Gateway responds 403 Forbidden for an unknown API or stage.
            return Response(403, [("content-type", "application/json")], _message("Forbidden"))
        started = time.monotonic()
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
            response = build_gateway_response(stage.definition, "REQUEST_TOO_LARGE", context)
        else:
            response = await serve(
                stage, request, self._verify, self._call_service, self._write_log
            )
        if self._metrics is not None:
            latency_ms = (time.monotonic() - started) * 1000
            of_api(self._metrics, stage.region, stage.api_name, response.status, latency_ms)
        return response

    def _stage(self, authority: str, first: str, server: tuple[str, int]) -> Stage | None:
        """Return the stage of a request.

        Args:
            authority: The Host header.
            first: The first segment of the path: a stage name or a base path.
            server: The address and port that received the request.
        """
        host, _, port = authority.partition(":")
        match = _HOST.fullmatch(host)
        if match:
            return _enabled(self._reader.stage(match["region"], match["api"], first))
        if region := region_at(server[0]):
            mapped = self._reader.mapping(region, host, first)
            return self._reader.stage(region, *mapped) if mapped else None
        direct = port == str(server[1])
        # API Gateway responds 403 Forbidden for any other Host header, such as one of a CloudFront
        # viewer that an origin request policy forwards.
        for api in self._reader.apis(self._region) if direct else ():
            stage = self._reader.stage(self._region, api, first)
            if stage is not None:
                return _enabled(stage)
        return None


def _enabled(stage: Stage | None) -> Stage | None:
    """Return a stage unless its API refuses clients of the execute-api endpoint.

    "Clients can still connect to your default endpoint, but they will receive a 403 Forbidden
    status code" (Disable the default endpoint for REST APIs).
    """
    return None if stage is None or stage.is_endpoint_disabled else stage


async def _body(receive: Any) -> bytes | None:
    """Return the request body, or None if it exceeds MAX_BODY_BYTES; read it to the end anyway."""
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= MAX_BODY_BYTES:
            chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks) if size <= MAX_BODY_BYTES else None


def _message(text: str) -> bytes:
    return json.dumps({"message": text}).encode()


async def _send(send: Any, response: Response) -> None:
    headers = [
        (name.encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in response.headers
    ]
    if response.status != 204:
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    body = b"" if response.status == 204 else response.body
    await send({"type": "http.response.body", "body": body})
