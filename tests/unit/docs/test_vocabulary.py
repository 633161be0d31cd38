"""Retired words: private metaphors that earlier versions used for AWS's and the field's terms.

Each entry is a word, as it appears in prose or as a part of an identifier (`ShardChain`,
`shard_chain`, `shard-chain`), with the term to use instead. In prose, AWS's "Region" has a
capital R.
"""

import re
from contextlib import suppress
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from tests.support.paths import ROOT
from tools import prose

#: Words that are retired in each of their forms: judge, judges, judged, judging, judgement.
RETIRED: Final = {
    "cachestage": "cache_stage",
    "changerows": "change_rows",
    "door": "function, handler, shard writer",
    "gust": "fault phase",
    "house": "application context",
    "judge": "validate, evaluate, deduplicate, decide",
    "letter": "email, message",
    "originparts": "origin_parts",
    "originstage": "origin_stage",
    "resultparts": "result_fields",
    "room": "component, package",
    "shim": "patch",
    "spell": "encode, write",
    "storm": "fault injection, fault phase",
    "tally": "object statistics, count",
    "tile": "shard coverage",
    "weather": "network conditions, degraded network",
    "wish": "option",
    "witness": "source",
}
#: Words of which only the noun is retired, because other forms are ordinary: gateway, handler.
RETIRED_NOUNS: Final = {
    "chain": "commit protocol, shard",
    "gate": "edge_auth, access check",
    "hand": "operator, manual deletion",
}
#: Words that are retired in one folder, where they named another concept.
RETIRED_IN: Final = {
    "src/edge_auth/": {
        "canonical": "decoded path",
        "tried": "refresh attempt cookie",
        "wanted": "return address",
    },
}
_ENDINGS: Final = "s|es|d|ed|ing|y|ies|ied|ment|ments|ways?|box(?:es)?|lists?"
_FORMS: Final = {
    re.compile(
        rf"(?:{word}|{word.removesuffix('e')}|{word.removesuffix('y')}(?=ie))(?:{_ENDINGS})?",
        re.IGNORECASE,
    ): term
    for word, term in RETIRED.items()
} | {re.compile(rf"{word}s?", re.IGNORECASE): term for word, term in RETIRED_NOUNS.items()}
#: Ordinary English in which a retired word keeps its usual meaning.
ORDINARY: Final = re.compile(
    r"\b(?:(?:capital|lowercase|lower-case|uppercase|full-width|ASCII|non-ASCII)"
    r" letters?|at least one letter"
    r"|(?:one|of) letters? (?:of the|in)"
    r"|letters? (?:and|or) (?:digits|numbers|marks|hyphens)|letters?, digits|letter case"
    r"|dead[- _]letters?(?: queue)?|letter-spacing|ascii_letters"
    r"|weather[- ]station|(?:a|pyenv|pyenv's|asdf) shim|by hand|on the other hand"
    r"|supply chain|certificate chain|load_cert_chain|import chain|chain\.from_iterable"
    r"|endpoints chain to"
    r"|AttributeName: chain)\b|<h1>Weather</h1>"
    # The stored attribute of the checkpoints table.
    r"|[\"`]chain[\"`]",
    re.IGNORECASE,
)
EXCLUDED: Final = (
    "CHANGELOG.md",
    "tests/unit/docs/test_vocabulary.py",
    "src/edge_ingest/crawlers.txt",
    "tools/tests/setup/test_other_pythons.py",  # the shims of pyenv and asdf
)
#: Texts of others, and recorded requests.
OTHERS_FILES: Final = (
    "tests/fixtures/",
    "uv.lock",
    "LICENSE",
    "web/public/fonts/OFL.txt",
    "web/public/vendor/",
)
#: "region" in prose, not in an option, a name or a value: --region, region=, region/UUID.
_REGION: Final = re.compile(
    r"(?:(?<![\w<{/='.$%-])|(?<=(?:cross|multi)-))regions?(?![\w>}=/(\[]|:(?!\s|$)|[.-]\w)"
)
_CODE: Final = re.compile(r"`[^`]*`|\"[^\"]*\"|“[^”]*”|https?://\S+|<[^<>]+>|\{[^{}]*\}")
#: The region of a language tag or of a visitor's address, and an argument's name under "Args:".
_OTHER_REGIONS: Final = re.compile(r"optional region|country, region|[.:] regions?: [A-Z]")
_SPLIT: Final = re.compile(
    r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])"
    r"|[_\-./]"
)
#: Most lines have no stem of a retired word; the others are split into the parts of identifiers.
_STEMS: Final = (
    *(word.removesuffix("e").removesuffix("y") for word in RETIRED),
    *RETIRED_NOUNS,
    *(word for words in RETIRED_IN.values() for word in words),
)
_IDENTIFIER: Final = re.compile(r"[A-Za-z]\w*(?:[-.]\w+)*")


def files() -> list[str]:
    """Return the files that hold prose by their type."""
    return [path for path in prose.files([]) if path not in EXCLUDED]


@cache
def texts() -> dict[str, str]:
    """Return every tracked text file with its content; data and pictures have words, too."""
    contents = {}
    for path in prose.tracked([]):
        if path.startswith(OTHERS_FILES) or path in EXCLUDED:
            continue
        with suppress(UnicodeDecodeError):
            contents[path] = (ROOT / path).read_text()
    return contents


def retired_words(text: str, path: str = "") -> list[str]:
    """Return the retired words of a text, each with the identifier or word that holds it."""
    local = {
        re.compile(rf"{word}s?", re.IGNORECASE): term
        for folder, words in RETIRED_IN.items()
        if path.startswith(folder)
        for word, term in words.items()
    }
    return [
        f"{token}: {term}"
        for token in _IDENTIFIER.findall(ORDINARY.sub(" ", text))
        for previous, part in pairwise(["", *_SPLIT.split(token)])
        if previous.lower() != "dead"
        for form, term in (_FORMS | local).items()
        if form.fullmatch(part)
    ]


def has_stem(line: str) -> bool:
    """Return whether a line may contain a retired word."""
    lower = line.lower()
    return any(stem in lower for stem in _STEMS)


def lower_case_regions(text: str) -> list[str]:
    """Return the words of a prose text that should be AWS's "Region"."""
    return _REGION.findall(_OTHER_REGIONS.sub(" ", _CODE.sub(" ", text)))


def test_prose_writes_region_with_a_capital() -> None:
    violations = [
        f"{path}:{passage.line}: {passage.text[:60]}"
        for path in files()
        for passage in prose.passages(ROOT / path)
        if lower_case_regions(passage.text)
    ]
    assert violations == []


@pytest.mark.parametrize("text", ["the home region", "Two regions: one", "in a cross-region call"])
def test_lower_case_region_is_found(text: str) -> None:
    assert lower_case_regions(text)


@pytest.mark.parametrize(
    "text",
    ["AWS Regions", "`region`", "--region eu-west-2", "?region=eu", "(region/UUID)", "aws.region"],
)
def test_region_in_code_passes(text: str) -> None:
    assert lower_case_regions(text) == []


def test_no_file_contains_a_retired_word() -> None:
    violations = [
        f"{path}:{number}: {word}"
        for path, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if has_stem(line)
        for word in retired_words(line, path)
    ]
    assert violations == []


def test_no_path_contains_a_retired_word() -> None:
    assert [path for path in texts() if retired_words(path)] == []


def test_texts_include_data_pictures_and_scripts() -> None:
    assert {".json", ".svg", ".sh", ".cjs", ".mjs", ".txt", ".csv", ".py"} <= {
        Path(path).suffix for path in texts()
    }


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
        "one letter per student",
        "a queue of letters",
        "the letter queue",
        "It judged the event.",
        "judging",
        "a judgement",
        "housed",
        "stormy",
        "tiled",
        "doorway",
        "letterbox",
        "wishlist",
        "witnessed",
        "room2",
        "EMAIL_LETTER1",
        "HTMLLetter",
        "tallies",
        "spelled",
        "the gate checks a token",
        "Hand",
        "the chain of a shard",
        "originparts",
    ],
)
def test_retired_word_is_found(text: str) -> None:
    assert retired_words(text)


@pytest.mark.parametrize(
    "text",
    [
        "dead-letter queue",
        "DeadLetterQueue",
        "capital letters",
        "one letter in the name",
        "ascii_letters",
        "a pyenv shim",
        "classroom",
        "API Gateway",
        "a handler",
        "make compact does it by hand",
        "supply chain",
        'item["chain"]["S"]',
    ],
)
def test_ordinary_word_passes(text: str) -> None:
    assert retired_words(text) == []


def test_word_that_is_retired_in_one_folder_passes_in_others() -> None:
    assert retired_words("a canonical path", "src/edge_auth/paths.py")
    assert (
        retired_words("the canonical request of Signature Version 4", "src/edge_ingest/x.py") == []
    )
