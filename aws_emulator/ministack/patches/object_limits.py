"""Refuse S3 objects with a long key or large metadata.

Gap: keys and user-defined metadata of any length are stored.
Seen in: ministack 1.5.33, s3.py, _put_object.
Delete when: a key of 1,025 bytes and metadata of 2,049 bytes are refused.
"""

from typing import Final
from urllib.parse import unquote_to_bytes

from aws_emulator.ministack.control_api import Application, ControlApi, Message, Receive, Send
from aws_emulator.ministack.settings import Settings

# Naming Amazon S3 objects: "The object key name … can be up to 1,024 bytes long".
MAX_KEY_BYTES: Final = 1_024
# Working with object metadata: "the user-defined metadata is limited to 2 KB in size. The size of
# user-defined metadata is measured by taking the sum of the number of bytes in the UTF-8 encoding
# of each key and value."
MAX_METADATA_BYTES: Final = 2_048
_METADATA: Final = b"x-amz-meta-"


def install(_settings: Settings, _control: ControlApi, application: Application) -> Application:
    """Check the path and the headers of each request that writes an object."""

    async def with_limits(scope: Message, receive: Receive, send: Send) -> None:
        error = _error(scope)
        if error is None:
            await application(scope, receive, send)
            return
        # A client that still sends the body would not read the response.
        while (await receive()).get("more_body"):
            pass
        code, message = error
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        headers = [(b"content-type", b"application/xml")]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return with_limits


def _error(scope: Message) -> tuple[str, str] | None:
    """Return S3's error code and message for a request that it refuses, or None."""
    if scope["type"] != "http" or scope["method"] not in {"PUT", "POST"}:
        return None
    headers = list(scope["headers"])
    if not any(name == b"authorization" and b"/s3/aws4_request" in it for name, it in headers):
        return None
    raw = scope.get("raw_path") or scope["path"].encode()
    _bucket, _, key = raw.partition(b"?")[0].removeprefix(b"/").partition(b"/")
    if len(unquote_to_bytes(key)) > MAX_KEY_BYTES:
        return "KeyTooLongError", "Your key is too long"
    size = sum(
        len(name.removeprefix(_METADATA)) + len(value)
        for name, value in headers
        if name.startswith(_METADATA)
    )
    if size > MAX_METADATA_BYTES:
        return "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size"
    return None
