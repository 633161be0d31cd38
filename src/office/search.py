"""From the text of a search to filters of Cognito's ListUsers. Pure."""

import re
import unicodedata
from typing import Final

#: Amazon Cognito, ListUsers: "Length Constraints: Maximum length of 256" of Filter.
MAX_FILTER_CHARS: Final = 256
_SUB: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
#: The workflows derive it from the request's id; `preferred_username` has it.
_ACCOUNT_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
#: Addresses are ASCII, and ListUsers needs no further call for texts that none begins with.
_ADDRESS_START: Final = re.compile(r"[!#-\[\]-~]+")


def filters(text: str) -> tuple[str, ...]:
    """Return the filters whose matches are the result, at most two.

    A UUID is a student's `sub`, and 32 hex digits are the id of an account. A text with @ is the
    beginning of an email address; any other text the beginning of a name, or of an address. The
    result is empty for a text without visible characters.
    """
    words = " ".join(unicodedata.normalize("NFC", text).split())
    if not words:
        return ()
    if _SUB.fullmatch(words.lower()):
        return (_filter("sub", "=", words.lower()),)
    if _ACCOUNT_ID.fullmatch(words.lower()):
        return (_filter("preferred_username", "=", words.lower()),)
    # The pool has addresses as the account workflow stores them: NFKC, in lower case.
    address = unicodedata.normalize("NFKC", words).lower()
    if "@" in words:
        return (_filter("email", "^=", address),)
    by_name = _filter("name", "^=", words)
    return (
        (by_name, _filter("email", "^=", address))
        if _ADDRESS_START.fullmatch(address)
        else (by_name,)
    )


def _filter(attribute: str, operator: str, value: str) -> str:
    # Amazon Cognito, ListUsers: "Quotation marks within the filter string must be escaped using the
    # backslash (\) character".
    def text(part: str) -> str:
        escaped = part.replace("\\", "\\\\").replace('"', '\\"')
        return f'{attribute} {operator} "{escaped}"'

    # The beginning of a longer value finds it, too.
    while len(text(value)) > MAX_FILTER_CHARS:
        value = value[:-1]
    return text(value)
