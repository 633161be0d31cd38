"""Strict base64url (RFC 7515, section 2) and JSON for JOSE structures."""

from binascii import Error, a2b_base64, b2a_base64
from json import JSONDecoder
from typing import Final

from edge_auth.errors import TokenError

# Every byte outside the base64url alphabet maps to "!", which strict decoding rejects.
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_TO_BASE64: Final = bytes(
    byte if byte in _ALPHABET else {0x2D: 0x2B, 0x5F: 0x2F}.get(byte, 0x21) for byte in range(256)
)
# Index: length modulo four. The padding to add, and the characters allowed at the end. RFC 4648,
# section 3.5: pad bits must be zero; otherwise several segments would decode to the same value.
_PADDING: Final = (b"", b"", b"==", b"=")
_LAST: Final = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")


def base64url_decode(segment: bytes) -> bytes:
    """Return the bytes of a base64url segment without padding.

    Raises:
        TokenError: The segment has padding, other characters, an impossible length or non-zero pad
            bits.
    """
    remainder = len(segment) & 3
    if remainder and segment[-1] not in _LAST[remainder]:
        raise TokenError
    try:
        return a2b_base64(segment.translate(_TO_BASE64) + _PADDING[remainder], strict_mode=True)
    except Error as error:
        raise TokenError from error


def base64url_encode(data: bytes) -> str:
    """Return base64url without padding."""
    text = b2a_base64(data, newline=False).decode("ascii")
    return text.rstrip("=").replace("+", "-").replace("/", "_")


def _reject_constant(_: str) -> object:
    raise TokenError  # RFC 8259, section 6, excludes NaN and Infinity


# JSONDecoder.decode() searches for white space twice, which takes a third of its time.
_scan = JSONDecoder(parse_constant=_reject_constant).scan_once  # type: ignore[attr-defined]  # not in the stub
_WHITE_SPACE: Final = " \t\n\r"


def parse_json_object(data: bytes) -> dict[str, object]:
    """Return the JSON object in UTF-8 bytes.

    Raises:
        TokenError: The bytes have another encoding, another JSON type, or are nested too deeply.
    """
    try:
        text = str(data, "utf-8")
        if not text.startswith("{"):
            text = text.lstrip(_WHITE_SPACE)
        value, end = _scan(text, 0)
    except (ValueError, RecursionError, StopIteration) as error:
        raise TokenError from error
    if not isinstance(value, dict) or (end != len(text) and text[end:].strip(_WHITE_SPACE)):
        raise TokenError
    return value
