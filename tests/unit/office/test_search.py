"""From a text to the filters of ListUsers: kinds of texts, and no text that ends a filter."""

import hashlib
import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office import search
from tests import strategies

UUID = "7f0eb7a3-605c-4bf1-9ac3-2cf9aee3a481"
#: As the workflows derive it from a request's id.
ACCOUNT_ID = hashlib.sha256(f"account/{UUID}".encode()).hexdigest()[:32]
FILTER = re.compile(r'(sub|preferred_username|email|name) (=|\^=) ("(?:[^"\\]|\\["\\])*")')


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("asha@", ('email ^= "asha@"',)),
        (" Asha@Example.COM ", ('email ^= "asha@example.com"',)),
        ("\uff21sha@example.com", ('email ^= "asha@example.com"',)),
        ("asha", ('name ^= "asha"', 'email ^= "asha"')),
        ("Asha  Menon", ('name ^= "Asha Menon"',)),
        ('Asha "A" \\ Menon', ('name ^= "Asha \\"A\\" \\\\ Menon"',)),
        ("Linh Trần", ('name ^= "Linh Trần"',)),
        ("Trần", ('name ^= "Trần"',)),
        (UUID.upper(), (f'sub = "{UUID}"',)),
        (ACCOUNT_ID.upper(), (f'preferred_username = "{ACCOUNT_ID}"',)),
        ("   ", ()),
    ],
)
def test_text_becomes_filters(text: str, filters: tuple[str, ...]) -> None:
    assert search.filters(text) == tuple(unicodedata.normalize("NFC", it) for it in filters)


@given(strategies.api_texts | st.text('a\\" ', min_size=200, max_size=300))
def test_each_filter_has_one_quoted_value_for_any_text(text: str) -> None:
    filters = search.filters(text)
    assert len(filters) <= 2
    assert bool(filters) == bool(" ".join(text.split()))
    for one in filters:
        match = FILTER.fullmatch(one)
        assert match, one
        value = json.loads(match[3], strict=False)
        plain = unicodedata.normalize("NFKC", " ".join(text.split())).lower()
        assert plain.startswith(unicodedata.normalize("NFKC", value).lower())
        is_cut = len(one) >= search.MAX_FILTER_CHARS - 1
        assert is_cut or unicodedata.normalize("NFKC", value).lower() == plain
        assert len(one) <= search.MAX_FILTER_CHARS
