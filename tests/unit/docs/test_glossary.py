"""The glossary explains the terms of the documents, each once, in alphabetical order."""

import re
from typing import Final

import pytest

from tests.support.paths import ROOT
from tests.unit.docs.test_links import DOCUMENTS

GLOSSARY: Final = (ROOT / "docs" / "glossary.md").read_text()
TABLES: Final = re.findall(r"^## (.+)\n\n\| term.*\n\|---.*\n((?:\|.*\n)+)", GLOSSARY, re.MULTILINE)
#: Terms that the documents use without an explanation, with other words for each.
TERMS: Final = {
    "correlation ID": "correlation_id",
    "delete marker": "delete marker",
    "failures bucket": "failures bucket",
    "hot key": "hot",
    "leftover": "leftover",
    "ledger": "ledger",
    "live counters": "live counters",
    "mutation": "mutation",
    "notifier": "notifier",
    "permissions boundary": "permissions boundary",
    "portal": "portal",
    "preflight": "preflight",
    "relay": "relay",
    "smoke test": "smoke test",
    "web ACL": "web ACL",
}


def terms(rows: str) -> list[str]:
    """Return the terms of a table, without the mark of project terms."""
    return [row.split("|")[1].replace("*(project)*", "").strip() for row in rows.splitlines()]


EXPLAINED: Final = [term for _, rows in TABLES for term in terms(rows)]


@pytest.mark.parametrize("term", TERMS)
def test_glossary_explains_a_term_that_documents_use(term: str) -> None:
    assert term in EXPLAINED
    others = (ROOT / path for path in DOCUMENTS if path != "docs/glossary.md")
    assert any(TERMS[term] in path.read_text() for path in others)


@pytest.mark.parametrize("title", [title for title, _ in TABLES])
def test_terms_of_a_table_are_sorted(title: str) -> None:
    sort_keys = [re.sub(r"[^a-z ]", "", term.lower()) for term in terms(dict(TABLES)[title])]
    assert sort_keys == sorted(sort_keys)


def test_each_term_is_explained_once_in_one_line() -> None:
    assert len(EXPLAINED) > 70
    assert len(set(EXPLAINED)) == len(EXPLAINED)
    rows = [row for _, table in TABLES for row in table.splitlines()]
    assert [row for row in rows if row.count(" | ") != 1] == []
