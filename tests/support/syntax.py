"""Syntax trees of the repository's files, which several tests of the conventions read."""

import ast
import gc
from functools import cache


@cache
def parsed(text: str) -> ast.Module:
    """Return the syntax tree of a file's text. Callers don't change it."""
    # A tree has no garbage, and collections while it grows take half of the time.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(text)
    finally:
        if was_enabled:
            gc.enable()


@cache
def nodes(text: str) -> tuple[ast.AST, ...]:
    """Return the nodes of a file's syntax tree, the root first, in the order of `ast.walk`."""
    return tuple(ast.walk(parsed(text)))
