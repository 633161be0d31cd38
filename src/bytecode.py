"""Replace a package's Python sources with minimal bytecode.

    python3.13 bytecode.py DIRECTORY

`src/Makefile` runs this for edge_auth, whose package is limited to 64 KB and is loaded at every
cold start before a page request. Docstrings, assertions, type annotations, line numbers and file
names are removed. Python imports a `.pyc` file in the place of its source (Python reference,
"Source-less imports"). The files are "unchecked hash-based" (PEP 552), so Python doesn't look for a
source or compare timestamps. Equal sources give equal bytes.
"""

import ast
import importlib.util
import marshal
import sys
from pathlib import Path
from types import CodeType
from typing import Final

#: PEP 552: bit 0 means hash-based, bit 1 means that the source is checked.
_UNCHECKED_HASH: Final = (0b01).to_bytes(4, "little")
_NO_DOCSTRINGS: Final = 2


class _AnnotationRemover(ast.NodeTransformer):
    """Remove the code that only type checkers use.

    That is annotations and `if TYPE_CHECKING:` blocks. Type aliases stay, because modules import
    them by name.
    """

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_If(self, node: ast.If) -> ast.stmt:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return ast.copy_location(ast.Pass(), node)
        self.generic_visit(node)
        return node


def remove_annotations(tree: ast.Module) -> ast.Module:
    """Remove annotations, and the imports from `typing` that only annotations used."""
    tree = _AnnotationRemover().visit(tree)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    tree.body = [
        node
        for node in tree.body
        if not (
            isinstance(node, ast.ImportFrom)
            and node.module == "typing"
            and used.isdisjoint(alias.name for alias in node.names)
        )
    ]
    return ast.fix_missing_locations(tree)


def strip_debug_info(code: CodeType) -> CodeType:
    """Return the code object and its nested ones without line numbers and file names."""
    return code.replace(
        co_linetable=b"",
        co_filename="",
        co_consts=tuple(
            strip_debug_info(it) if isinstance(it, CodeType) else it for it in code.co_consts
        ),
    )


def compile_source(source: bytes) -> bytes:
    """Return the content of a .pyc file for a module's source."""
    tree = remove_annotations(ast.parse(source))
    code = compile(tree, "", "exec", dont_inherit=True, optimize=_NO_DOCSTRINGS)
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source)
    return head + marshal.dumps(strip_debug_info(code))


def main(directory: str) -> None:
    """Compile every module below `directory` and delete its source."""
    for source in sorted(Path(directory).rglob("*.py")):
        source.with_suffix(".pyc").write_bytes(compile_source(source.read_bytes()))
        source.unlink()


if __name__ == "__main__":
    main(sys.argv[1])
