"""Syntax trees of the repository's files, which several tests of the conventions read."""

import ast
from functools import cache


@cache
def parsed(text: str) -> ast.Module:
    """Return the syntax tree of a file's text. Callers don't change it."""
    return ast.parse(text)
