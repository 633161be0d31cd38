"""Retired words: private metaphors that earlier versions used for AWS's and the field's terms.

Each entry is a word, as it appears in prose or as a part of an identifier (`ShardChain`,
`shard_chain`, `shard-chain`), with the term to use instead.
"""

import re
from typing import Final

import pytest

from tests.support.paths import ROOT
from tools import prose

RETIRED: Final = {
    "cachestage": "cache_stage",
    "changerows": "change_rows",
    "door": "function, handler, shard writer",
    "gust": "fault phase",
    "house": "application context",
    "judge": "validate, evaluate, deduplicate, decide",
    "letter": "email, message",
    "originstage": "origin_stage",
    "resultparts": "result_fields",
    "room": "component, package",
    "shim": "patch",
    "storm": "fault injection, fault phase",
    "tally": "object statistics, count",
    "tile": "shard coverage",
    "weather": "network conditions, degraded network",
    "wish": "option",
    "witness": "source",
}
#: Ordinary English in which a retired word keeps its usual meaning.
ORDINARY: Final = re.compile(
    r"\b(?:(?:capital|lowercase|lower-case|uppercase|ASCII|non-ASCII|one|of) letters?"
    r"|letters? (?:and|or) (?:digits|numbers|marks|hyphens)|letters?, digits|letter case"
    r"|dead[- _]letters?|letter queue|letter-spacing|ascii_letters"
    r"|weather[- ]station|(?:a|pyenv) shim)\b|<h1>Weather</h1>",
    re.IGNORECASE,
)
EXCLUDED: Final = (
    "CHANGELOG.md",
    "tests/unit/docs/test_vocabulary.py",
    "src/edge_ingest/crawlers.txt",
)
_SPLIT: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[_\-./]")
_IDENTIFIER: Final = re.compile(r"[A-Za-z]\w*(?:[-.]\w+)*")


def files() -> list[str]:
    return [path for path in prose.files([]) if path not in EXCLUDED]


def retired_words(text: str) -> list[str]:
    """Return the retired words of a text, each with the identifier or word that holds it."""
    found = []
    for token in _IDENTIFIER.findall(ORDINARY.sub(" ", text)):
        parts = [part.lower() for part in _SPLIT.split(token) if part]
        for before, part in zip(["", *parts], parts, strict=False):
            if before == "dead":
                continue
            stem = part if part in RETIRED else part.removesuffix("s").removesuffix("e")
            word = next((it for it in (part, part.removesuffix("s"), stem) if it in RETIRED), None)
            if word:
                found.append(f"{token}: {RETIRED[word]}")
    return found


def test_no_file_contains_a_retired_word() -> None:
    found = [
        f"{path}:{number}: {word}"
        for path in files()
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1)
        for word in retired_words(line)
    ]
    assert found == []


def test_no_path_contains_a_retired_word() -> None:
    assert [path for path in files() if retired_words(path)] == []


@pytest.mark.parametrize(
    "text",
    [
        "the room",
        "class ShardDoor",
        "house_of",
        "Rooms",
        "letters",
        "local/emulator/shims",
        "ChainTally",
    ],
)
def test_retired_word_is_found(text: str) -> None:
    assert retired_words(text)


@pytest.mark.parametrize(
    "text",
    ["dead-letter queue", "capital letters", "ascii_letters", "a pyenv shim", "classroom"],
)
def test_ordinary_word_passes(text: str) -> None:
    assert retired_words(text) == []
