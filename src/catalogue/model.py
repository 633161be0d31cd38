"""Searches, courses and cursors, checked. Pure."""

import json
import re
import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from catalogue.errors import RequestError
from catalogue.http import Query

MAX_SEARCH_CHARS: Final = 100
MAX_WORDS: Final = 8
MAX_WORD_CHARS: Final = 40
MAX_PAGE_ROWS: Final = 50
DEFAULT_PAGE_ROWS: Final = 20
#: A title's key has at most five bytes for each of its 200 characters: "㎮" becomes "rad/s".
MAX_CURSOR_CHARS: Final = 1_500
#: Ids of courses, subjects and teachers.
ID: Final = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)
_LANGUAGE: Final = re.compile(r"[a-z]{2}", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_TEXTS: Final = {"title": (1, 200), "summary": (0, 4_000)}
_FIELDS: Final = frozenset(
    {"title", "summary", "language", "subject", "teacher", "terms", "prices", "version"}
)
_MAX_ENTRIES: Final = 20
_MAX_AMOUNT: Final = 10**12


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page. The rank -1 is before every row."""

    rank: int = -1
    key: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """A search with its filters and page."""

    words: tuple[str, ...] = ()
    language: str | None = None
    subject: str | None = None
    after: Cursor = Cursor()
    limit: int = DEFAULT_PAGE_ROWS


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text: runs of characters, marks and digits of any script.

    Raises:
        RequestError: The text is too long, or has no words, too many words or a word that is too
            long.
    """
    if len(text) > MAX_SEARCH_CHARS:
        raise RequestError(
            "search_too_long", f"A search has at most {MAX_SEARCH_CHARS} characters."
        )
    composed = unicodedata.normalize("NFC", text)
    characters = "".join(it if unicodedata.category(it)[0] in "LMN" else " " for it in composed)
    result = tuple(characters.lower().split())
    if text.strip() and not result:
        raise RequestError("search_without_words", "A search needs a word.")
    if len(result) > MAX_WORDS:
        raise RequestError("search_too_many_words", f"A search has at most {MAX_WORDS} words.")
    if any(len(word) > MAX_WORD_CHARS for word in result):
        raise RequestError("word_too_long", f"A word has at most {MAX_WORD_CHARS} characters.")
    return result


def parse_search(query: Query) -> Search:
    """Return the search of a query.

    Raises:
        RequestError: A parameter is malformed.
    """
    language, subject = query.get("language") or None, query.get("subject") or None
    if language is not None and not _LANGUAGE.fullmatch(language):
        raise RequestError("language_malformed", "A language is a code such as en.")
    if subject is not None and not ID.fullmatch(subject):
        raise RequestError("subject_malformed", "A subject's id is a name such as maths.")
    limit = query.get("limit", str(DEFAULT_PAGE_ROWS))
    if not _NUMBER.fullmatch(limit) or not 1 <= int(limit) <= MAX_PAGE_ROWS:
        raise RequestError("limit_malformed", f"limit is a number from 1 to {MAX_PAGE_ROWS}.")
    after = decode_cursor(query["after"]) if query.get("after") else Cursor()
    return Search(words(query.get("q", "")), language, subject, after, int(limit))


def parse_number(text: str, name: str) -> int:
    """Return a number of a query.

    Raises:
        RequestError: The text isn't a number.
    """
    if not _NUMBER.fullmatch(text):
        raise RequestError(f"{name}_malformed", f"{name} is a number.")
    return int(text)


def encode_cursor(cursor: Cursor) -> str:
    """Return a cursor as text for an address."""
    text = json.dumps([cursor.rank, cursor.key, cursor.id], ensure_ascii=False)
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(text: str) -> Cursor:
    """Return the cursor of a text.

    Raises:
        RequestError: The text isn't a cursor.
    """
    error = RequestError("after_malformed", "after is the value next of another page.")
    if len(text) > MAX_CURSOR_CHARS:
        raise error
    try:
        match json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()):
            case [int(rank), str(key), str(identity)] if (
                rank in {0, 1, 2} and not isinstance(rank, bool) and ID.fullmatch(identity)
            ):
                key.encode()
                if "\x00" not in key:
                    return Cursor(rank, key, identity)
    except (ValueError, RecursionError):
        raise error from None
    raise error


@dataclass(frozen=True, slots=True)
class Course:
    """A course as the staff write it. `version` is the one that they read, or None."""

    id: str
    language: str
    subject: str
    teacher: str
    title: str
    summary: str
    terms: tuple[tuple[str, str, str], ...]
    prices: tuple[tuple[str, int], ...]
    version: int | None


def parse_course(identity: str, body: bytes) -> Course:
    """Return the course of a request's body.

    Raises:
        RequestError: The body isn't a course.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError("body_malformed", "The body isn't JSON.") from error
    if not isinstance(document, dict) or not document.keys() <= _FIELDS:
        raise RequestError("field_unknown", f"The fields are {', '.join(sorted(_FIELDS))}.")
    version = document.get("version")
    if version is not None and (type(version) is not int or not 0 < version < 2**31):
        raise RequestError(
            "version_malformed", "version is the number of the course that you read."
        )
    return Course(
        id=_matching(identity, ID, "id"),
        language=_matching(document.get("language"), _LANGUAGE, "language"),
        subject=_matching(document.get("subject"), ID, "subject"),
        teacher=_matching(document.get("teacher"), ID, "teacher"),
        title=_text(document, "title"),
        summary=_text(document, "summary"),
        terms=tuple(_term(term) for term in _list(document, "terms")),
        prices=tuple(_price(price) for price in _list(document, "prices")),
        version=version,
    )


def _matching(value: object, pattern: re.Pattern[str], name: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise RequestError(f"{name}_malformed", f"{name} must match {pattern.pattern}.")
    return value


def _text(document: Mapping[str, Any], name: str) -> str:
    least, most = _TEXTS[name]
    value = document.get(name)
    text = " ".join(value.split()) if isinstance(value, str) else ""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = "\x00"
    is_plain = isinstance(value, str) and not any(
        ord(it) < 32 or 127 <= ord(it) < 160 for it in text
    )
    if not is_plain or not least <= len(text) <= most:
        raise RequestError(
            f"{name}_malformed", f"{name} is a text of {least} to {most} characters."
        )
    return unicodedata.normalize("NFC", text)


def _list(document: Mapping[str, Any], name: str) -> list[Any]:
    value = document.get(name, [])
    if not isinstance(value, list) or len(value) > _MAX_ENTRIES:
        raise RequestError(
            f"{name}_malformed", f"{name} is a list of at most {_MAX_ENTRIES} entries."
        )
    keys = {"terms": "name", "prices": "currency"}[name]
    if len({json.dumps(it.get(keys)) for it in value if isinstance(it, dict)}) != len(value):
        raise RequestError(
            f"{name}_malformed", f"{name} has an entry twice, or one that isn't an object."
        )
    return value


def _term(term: dict[str, Any]) -> tuple[str, str, str]:
    error = RequestError(
        "terms_malformed", "A term has name, starts and ends, with dates as 2026-09-01."
    )
    match term:
        case {"name": str(name), "starts": str(starts), "ends": str(ends), **others} if not others:
            try:
                ordered = date.fromisoformat(starts) <= date.fromisoformat(ends)
                name.encode()
            except ValueError:
                raise error from None
            if ordered and 1 <= len(name.strip()) <= 100 and name.isprintable():
                return name.strip(), starts, ends
    raise error


def _price(price: dict[str, Any]) -> tuple[str, int]:
    match price:
        case {"currency": str(currency), "amount": int(amount), **others} if not others:
            is_amount = not isinstance(amount, bool) and 0 <= amount <= _MAX_AMOUNT
            if is_amount and _CURRENCY.fullmatch(currency):
                return currency, amount
    raise RequestError("prices_malformed", "A price has currency and amount, in its smallest unit.")
