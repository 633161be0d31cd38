"""The modules that a module of this project can import, for rules about its code."""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tools.syntax import nodes


def reached_modules(modules: Iterable[str], root: Path) -> dict[str, Path | None]:
    """Return the modules and all that they import, each with its file below `root`, if any.

    `from a import b` imports a, and a.b if that is a module.
    """
    files: dict[str, Path | None] = {}
    pending = list(modules)
    while pending:
        module = pending.pop()
        if module not in files:
            files[module] = path = _file_of(module, root)
            pending += [] if path is None else _imports(path)
    return files


def _file_of(module: str, root: Path) -> Path | None:
    base = root / module.replace(".", "/")
    return next((it for it in (base.with_suffix(".py"), base / "__init__.py") if it.exists()), None)


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """Return what a file imports when it runs, also within functions."""
    tree = nodes(path.read_text())
    ifs = (node for node in tree if isinstance(node, ast.If))
    type_checks = (node for node in ifs if ast.unparse(node.test) == "TYPE_CHECKING")
    skipped = {id(it) for check in type_checks for node in check.body for it in ast.walk(node)}
    modules: list[str] = []
    for node in tree:
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules += [node.module, *(f"{node.module}.{it.name}" for it in node.names)]
    return tuple(modules)
