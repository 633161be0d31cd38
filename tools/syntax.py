"""Syntax trees of the repository's files, which the tests of conventions and `make prose` read."""

import ast
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache


@contextmanager
def _collections_deferred() -> Iterator[None]:
    """Defer garbage collections. A tree has no garbage, and they double the time of its growth."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@cache
def parsed(text: str) -> ast.Module:
    """Return the syntax tree of a file's text. Callers don't change it."""
    with _collections_deferred():
        return ast.parse(text)


@cache
def nodes(text: str) -> tuple[ast.AST, ...]:
    """Return the nodes of a file's syntax tree, the root first, in the order of `ast.walk`."""
    visited: list[ast.AST] = [parsed(text)]
    with _collections_deferred():
        # Much faster than `ast.walk`, which has two generators and a queue for each node.
        for node in visited:
            for field in node._fields:
                value = getattr(node, field, None)
                if isinstance(value, ast.AST):
                    visited.append(value)
                elif isinstance(value, list):
                    visited += [child for child in value if isinstance(child, ast.AST)]
    return tuple(visited)
