"""Parse text delimited files as Step Functions does for the ItemReader of a Distributed Map.

Step Functions developer guide, "How Step Functions parses input CSV files". The rules differ from
RFC 4180: "Backslashes only work with other backslashes, double quotation marks, and the configured
field separator such as comma or pipe. A backslash followed by any other character is silently
removed."
"""

from collections.abc import Iterator


def parse(text: str, delimiter: str = ",") -> list[list[str]]:
    """Return the records of the text, each a list of fields."""
    records: list[list[str]] = []
    record: list[str] = []
    for field, end in _fields(text, delimiter):
        record.append(field)
        if end != delimiter:
            records.append(record)
            record = []
    return records


def _fields(text: str, delimiter: str) -> Iterator[tuple[str, str]]:
    """Yield each field and what ends it: the delimiter, or a newline, or "" at the end."""
    field, quoted, at = "", False, 0
    begun = False
    while at < len(text):
        char, following = text[at], text[at + 1 : at + 2]
        at += 1
        if char == "\\":
            if following in {"\\", '"', delimiter}:
                field, at = field + following, at + 1
        elif char == '"' and following == '"' and (quoted or field):
            # "You can preserve double quotes by repeating them", also without enclosing quotes.
            field, at = field + '"', at + 1
        elif char == '"' and (quoted or not field):
            quoted = not quoted
        elif not quoted and (char == delimiter or char in "\r\n"):
            if char == "\r" and following == "\n":
                at += 1
            yield field, delimiter if char == delimiter else "\n"
            field, begun = "", char == delimiter
            continue
        else:
            field += char
        begun = True
    if begun:
        yield field, ""
