"""The prose of the repository stays within the limit, and the counter counts."""

from pathlib import Path

import pytest

from tools import prose


@pytest.fixture(scope="module")
def rates() -> dict[str, prose.Rate]:
    return prose.rates([])


def test_each_folder_is_within_the_limit(rates: dict[str, prose.Rate]) -> None:
    """A small folder with one finding can exceed the limit although the total doesn't."""
    above = {folder: rate.findings for folder, rate in rates.items() if rate.value > prose.LIMIT}
    assert above == {}


def test_count_covers_the_whole_repository(rates: dict[str, prose.Rate]) -> None:
    assert sum(rate.words for rate in rates.values()) > 50_000
    assert {
        ".",
        "docs",
        "docs/decisions",
        "pipeline",
        "src/edge_auth",
        "web/public",
    } <= rates.keys()


@pytest.mark.parametrize(
    "text",
    [
        "What is missing is counted again.",
        "Raised by who asks for it.",
        "Returns None where there is none.",
        "Whoever comes first has committed.",
        "Nobody reads this.",
        "This is no day.",
        "It has a queue of its own.",
        "Three records at the most.",
        "It waits so long that it fails.",
        "The protocol knows nothing of S3.",
    ],
)
def test_stilted_construction_is_found(text: str) -> None:
    assert prose.examine("x.md", prose.Passage(1, text))[1]


@pytest.mark.parametrize(
    "text",
    [
        "Return the object's metadata.",
        "Lambda retries the batch until it expires.",
        "Raise ValueError if the name is empty.",
        "What happens if the Region fails?",
        'Amazon says "a record is no longer available".',
    ],
)
def test_plain_sentence_passes(text: str) -> None:
    assert prose.examine("x.md", prose.Passage(1, text))[1] == []


def test_prose_of_a_python_file_is_docstrings_comments_and_messages(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sample.py"
    path.write_text('"""Doc."""\n# A comment.\nx = "one two three four"\ny = "key"\n')
    assert [it.text for it in prose.passages(path)] == ["Doc.", "one two three four", "A comment."]
