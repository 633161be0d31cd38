"""Find the modules that a function's handler imports, directly or through other modules.

Only static import statements are found. A reload uses the result for its order, not to leave a
function out, because a module can also be imported by name at run time.
"""

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path


def imported_files(source: Path, handler: str) -> frozenset[Path]:
    """Return the files below `source` that `handler` imports, with the handler's own file.

    `handler` is the function's property, for example `package/module.function` or
    `package.module.function`.
    """
    files: set[Path] = set()
    waiting = [*_files(source, handler.replace("/", ".").rpartition(".")[0])]
    while waiting:
        path = waiting.pop()
        if path not in files:
            files.add(path)
            for name in _imports(path, path.stat().st_mtime_ns, source):
                waiting += _files(source, name)
    return frozenset(files)


def _files(source: Path, name: str) -> list[Path]:
    """Return the files that the import of a dotted name runs: the module and its packages."""
    files = []
    parts = name.split(".")
    for number in range(1, len(parts) + 1):
        path = source.joinpath(*parts[:number])
        files += [path / "__init__.py", path.with_name(f"{path.name}.py")]
    return [it for it in files if it.is_file()]


@lru_cache(maxsize=1024)
def _imports(path: Path, _modified: int, source: Path) -> tuple[str, ...]:
    """Return the dotted names that a module imports; none while it has a syntax error."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ()
    package = path.parent.relative_to(source).parts
    return tuple(_names(tree, package))


def _names(tree: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (it.name for it in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            # A name can be a module of the package.
            yield from (f"{module}.{it.name}" if module else it.name for it in node.names)
