"""The `*` and `?` wildcards of path patterns, cookie names and IAM policies."""

import re
from functools import lru_cache


@lru_cache(maxsize=512)
def _compile(pattern: str, *, ignore_case: bool) -> re.Pattern[str]:
    # Cache behavior settings, "Path pattern": "* matches 0 or more characters. ? matches exactly 1
    # character." Cookie names and IAM policy elements follow the same rule.
    wildcards = {"*": ".*", "?": "."}
    expression = "".join(wildcards.get(each) or re.escape(each) for each in pattern)
    return re.compile(expression, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def matches_wildcards(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """Return whether the whole text matches the pattern."""
    return _compile(pattern, ignore_case=ignore_case).fullmatch(text) is not None
