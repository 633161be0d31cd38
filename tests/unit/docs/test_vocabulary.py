"""Retired words: private metaphors that earlier versions used for AWS's and the field's terms.

Each entry is a word, as it appears in prose or as a part of an identifier (`ShardChain`,
`shard_chain`, `shard-chain`), with the term to use instead. In prose, AWS's "Region" has a
capital R.
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
    "tools/tests/setup/test_other_pythons.py",  # the shims of pyenv and asdf
)
#: "region" in prose, not in an option, a name or a value: --region, region=, region/UUID.
_REGION: Final = re.compile(
    r"(?:(?<![\w<{/='.$%-])|(?<=(?:cross|multi)-))regions?(?![\w>}=/(\[]|:(?!\s|$)|[.-]\w)"
)
_CODE: Final = re.compile(r"`[^`]*`|\"[^\"]*\"|“[^”]*”|https?://\S+|<[^<>]+>|\{[^{}]*\}")
#: The region of a language tag or of a visitor's address, and an argument's name under "Args:".
_OTHER_REGIONS: Final = re.compile(r"optional region|country, region|[.:] regions?: [A-Z]")
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


def lower_case_regions(text: str) -> list[str]:
    """Return the words of a prose text that should be AWS's "Region"."""
    return _REGION.findall(_OTHER_REGIONS.sub(" ", _CODE.sub(" ", text)))


def test_prose_writes_region_with_a_capital() -> None:
    found = [
        f"{path}:{passage.line}: {passage.text[:60]}"
        for path in files()
        for passage in prose.passages(ROOT / path)
        if lower_case_regions(passage.text)
    ]
    assert found == []


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
