"""base64url and JSON, read as strictly as the JOSE documents allow."""

from binascii import Error, a2b_base64, b2a_base64
from json import JSONDecoder

from edge_auth.errors import TokenError

# Whatever is no base64url character becomes "!", which strict decoding refuses.
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_TO_BASE64 = bytes(
    byte if byte in _ALPHABET else {0x2D: 0x2B, 0x5F: 0x2F}.get(byte, 0x21) for byte in range(256)
)
# By the length modulo four: the padding that was left off, and the characters that may come last.
# RFC 4648, section 3.5: unused bits of the last character are zero, or two texts were one value.
_PADDING = (b"", b"", b"==", b"=")
_LAST = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")


def decode(segment: bytes) -> bytes:
    """The bytes of one base64url segment without padding (RFC 7515, section 2).

    Raises TokenError for padding, foreign characters, an impossible length and set unused bits.
    """
    beyond = len(segment) & 3
    if beyond and segment[-1] not in _LAST[beyond]:
        raise TokenError
    try:
        return a2b_base64(segment.translate(_TO_BASE64) + _PADDING[beyond], strict_mode=True)
    except Error as error:
        raise TokenError from error


def encode(data: bytes) -> str:
    """base64url without padding."""
    text = b2a_base64(data, newline=False).decode("ascii")
    return text.rstrip("=").replace("+", "-").replace("/", "_")


def _no_constant(_: str) -> object:
    raise TokenError  # NaN and Infinity are no JSON (RFC 8259, section 6)


# The scanner without decode()'s two searches for white space, which cost a third of its time.
_scan = JSONDecoder(parse_constant=_no_constant).scan_once  # type: ignore[attr-defined]  # not in the stub
_WHITE = " \t\n\r"


def json_object(data: bytes) -> dict[str, object]:
    """The JSON object that the bytes are, in UTF-8.

    Raises TokenError for anything else: another encoding, another type, too deep a nesting.
    """
    try:
        text = str(data, "utf-8")
        if not text.startswith("{"):
            text = text.lstrip(_WHITE)
        value, end = _scan(text, 0)
    except (ValueError, RecursionError, StopIteration) as error:
        raise TokenError from error
    if not isinstance(value, dict) or (end != len(text) and text[end:].strip(_WHITE)):
        raise TokenError
    return value
