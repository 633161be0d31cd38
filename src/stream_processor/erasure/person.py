"""Find a person's rows in a table of the lake, and remove what they say. Pure.

A row keeps its place: its record, its object and its verdict for changes. So the writer still sees
each record in its entry, `verify` finds nothing missing, and the history of appointments keeps its
count. An event gets the verdict `erased`, which no query counts.
"""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

import pyarrow as pa

from stream_processor.ingest import raw_bytes
from stream_processor.rows.lake_schema import ERASED

#: Columns of an event that stay: its record, the time of its arrival, which the writer reads, and
#: the digest that compaction joins by.
_EVENT_KEEPS: Final = frozenset(
    {
        *("received_at", "shard_id", "sequence_number", "record_index", "schema_version"),
        "object_id",
    }
)
#: Columns of a change that stay. Keys lose the person's ids.
_CHANGE_KEEPS: Final = frozenset(
    {
        *("verdict", "op", "by_ttl", "table_name", "version", "origin_region", "changed_at"),
        *("source", "shard_id", "sequence_number", "record_index", "schema_version"),
    }
)
_KEYS: Final = ("pk", "sk", "keys_json")
#: The column of a daily mart that can name the person.
_PAGE: Final = "page_path"
#: Columns that can name the person, besides those of ids.
_TEXTS: Final = (
    *("event_json", "raw", "page_url", "page_path", "page_search", "page_referrer"),
    *("pk", "sk", "keys_json", "old_image_json", "new_image_json", "image"),
)
#: In place of an id in a key.
_REPLACEMENT: Final = "erased"
#: A shorter id is looked for as a whole JSON string only: it could be part of any word.
_MIN_TEXT_CHARS: Final = 8
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_CONTROLS: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Person:
    """A person's ids.

    `ids` are those that name nobody else: user ids, email addresses and their hashes. `visitors`
    are anonymous ids of browsers that the person signed in with: others may have used them, too, so
    an event of one with another user id isn't the person's.
    """

    ids: frozenset[str]
    visitors: frozenset[str] = frozenset()
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _browsers: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the search for ids in texts.

        Raises:
            ValueError: There is no id, or an empty one.
        """
        if not self.ids or not all(self.ids | self.visitors):
            raise ValueError("A person has at least one id, and none is empty.")
        object.__setattr__(self, "_pattern", _pattern(self.ids))
        browsers = _pattern(self.visitors) if self.visitors else None
        object.__setattr__(self, "_browsers", browsers)

    def is_named_in(self, text: str) -> bool:
        """Return whether a text contains an id: as a JSON string, or anywhere if it is long.

        A URL has an address percent-encoded (RFC 3986 section 2.1).
        """
        return _occurs(self._pattern, text)

    def is_visitor_in(self, text: str) -> bool:
        """Return whether an event that wasn't accepted is of a browser of the person.

        It isn't if its text is JSON with the user id of somebody else.
        """
        if self._browsers is None or not _occurs(self._browsers, text):
            return False
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return True
        return not (isinstance(document, dict) and document.get("userId"))

    def hidden(self, text: str) -> str:
        """Return a text with every id replaced."""
        for known in sorted(self.ids, key=len, reverse=True):
            text = re.sub(re.escape(known), _REPLACEMENT, text, flags=re.IGNORECASE)
        return text


def _pattern(ids: Collection[str]) -> re.Pattern[str]:
    """Return the search for ids in texts: as JSON strings, and anywhere if they are long."""
    parts = [json.dumps(it, ensure_ascii=is_ascii) for it in ids for is_ascii in (False, True)]
    parts += [f'"{it}"' for it in ids]  # of a text without its escapes
    parts += [it for it in ids if len(it) >= _MIN_TEXT_CHARS]
    return re.compile("|".join(map(re.escape, sorted(set(parts)))), re.IGNORECASE)


def _occurs(pattern: re.Pattern[str], text: str) -> bool:
    """Search a text as it is, without JSON's escapes, and without those of URLs."""
    texts = [text]
    # Not by a parser: a bad row can be cut off, or nest deeper than Python's stack.
    if "\\" in text:
        plain = _ESCAPE.sub(_unescaped, text)
        # A character above U+FFFF is two escapes (RFC 8259 section 7).
        texts.append(plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    if "%" in text:
        texts += [unquote(it) for it in texts]
    return any(pattern.search(it) for it in texts)


def _unescaped(escape: re.Match[str]) -> str:
    code, character = escape.groups()
    return chr(int(code, 16)) if code else _CONTROLS.get(character, character)


def rows_of(table: pa.Table, person: Person) -> list[int]:
    """Return the numbers of the person's rows that aren't erased yet."""
    length = len(table)
    users = _column(table, "user_id", length)
    visitors = _column(table, "anonymous_id", length)
    verdicts = _column(table, "verdict", length)
    texts = [_column(table, name, length) for name in _TEXTS if name in table.schema.names]
    raws = _column(table, "raw", length)
    return [
        number
        for number in range(length)
        if verdicts[number] != ERASED
        and (
            _is_person(person, users[number], visitors[number])
            or any(_names(person, column[number]) for column in texts)
            or (raws[number] and person.is_visitor_in(_text(raws[number])))
        )
    ]


def visitors_of(table: pa.Table, ids: Collection[str]) -> set[str]:
    """Return the anonymous ids of the events that have one of the ids as their user id."""
    users, visitors = (_column(table, name, len(table)) for name in ("user_id", "anonymous_id"))
    return {
        str(visitor)
        for user, visitor in zip(users, visitors, strict=True)
        if user in ids and visitor
    }


def shared_visitors(table: pa.Table, ids: Collection[str], visitors: Collection[str]) -> set[str]:
    """Return those of the anonymous ids whose events also have the user id of somebody else."""
    users, columns = (_column(table, name, len(table)) for name in ("user_id", "anonymous_id"))
    return {
        str(visitor)
        for user, visitor in zip(users, columns, strict=True)
        if visitor in visitors and user and user not in ids
    }


def records(table: pa.Table, numbers: Sequence[int]) -> set[tuple[str, str]]:
    """Return the shard and sequence number of rows, and of those that are erased."""
    length = len(table)
    shards, sequences = (_column(table, name, length) for name in ("shard_id", "sequence_number"))
    verdicts = _column(table, "verdict", length)
    of_person = {*numbers, *(n for n, verdict in enumerate(verdicts) if verdict == ERASED)}
    return {(str(shards[number]), str(sequences[number])) for number in of_person}


def erased(table: pa.Table, numbers: Sequence[int], person: Person) -> pa.Table:
    """Return the table with the same rows in the same order, and nothing personal in `numbers`."""
    if "verdict" not in table.schema.names:
        return _without_pages(table, numbers)
    is_events = "message_id" in table.schema.names
    keeps = _EVENT_KEEPS if is_events else _CHANGE_KEEPS
    marked = [False] * len(table)
    for number in numbers:
        marked[number] = True
    columns = []
    for column in table.schema:
        values = table.column(column.name).to_pylist()
        if column.name == "reason_code" or (column.name == "verdict" and is_events):
            values = [ERASED if mark else it for mark, it in zip(marked, values, strict=True)]
        elif column.name in _KEYS:
            values = [
                person.hidden(it) if mark and it is not None else it
                for mark, it in zip(marked, values, strict=True)
            ]
        elif column.name not in keeps:
            values = [None if mark else it for mark, it in zip(marked, values, strict=True)]
        columns.append(pa.array(values, column.type))
    return pa.table(columns, schema=table.schema)


def _without_pages(table: pa.Table, numbers: Sequence[int]) -> pa.Table:
    """Return a daily mart with the names of some pages replaced."""
    at = table.schema.get_field_index(_PAGE)
    names = table.column(at).to_pylist()
    for number in numbers:
        names[number] = _REPLACEMENT
    return table.set_column(
        at, table.schema.field(at), pa.array(names, table.schema.field(at).type)
    )


def _column(table: pa.Table, name: str, length: int) -> list[Any]:
    if name not in table.schema.names:
        return [None] * length
    values: list[Any] = table.column(name).to_pylist()
    return values


def _is_person(person: Person, user: str | None, visitor: str | None) -> bool:
    if user in person.ids or visitor in person.ids:
        return True
    return not user and visitor in person.visitors


def _names(person: Person, value: str | bytes | None) -> bool:
    if not value:
        return False
    return person.is_named_in(_text(value))


def _text(value: str | bytes) -> str:
    if isinstance(value, str):
        return value
    return raw_bytes.searchable(value).decode("utf-8", "replace")
