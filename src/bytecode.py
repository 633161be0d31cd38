"""Replace a package's Python sources with minimal bytecode.

    python3.13 bytecode.py DIRECTORY [ARCHIVE MODULE...]

`src/Makefile` runs this for edge_auth, whose package is limited to 64 KB and is loaded at every
cold start before a page request. Docstrings, assertions, type annotations, line numbers and the
names of local variables are removed; a traceback names the file, the function and the function's
first line. Python imports a `.pyc` file in place of its source (Python reference, "Source-less
imports"). The files are "unchecked hash-based" (PEP 552), so Python doesn't look for a source or
compare timestamps. Equal sources give equal bytes.

ARCHIVE is a zip file in the directory that gets the modules after it, uncompressed: the zip file of
the package then compresses them as one file, better if similar ones follow each other. They stay in
the given order. `edge_auth/__init__.py` adds it to the package's path.
"""

import ast
import importlib.util
import marshal
import sys
import zipfile
from pathlib import Path
from types import CodeType
from typing import Final

#: PEP 552: bit 0 means hash-based, bit 1 means that the source is checked.
_UNCHECKED_HASH: Final = (0b01).to_bytes(4, "little")
_NO_DOCSTRINGS: Final = 2
#: Python compares the hash of a source only if bit 1 is set.
_NO_HASH: Final = bytes(8)
_VARIADIC: Final = (0x04, 0x08)  # CO_VARARGS, CO_VARKEYWORDS
#: Location table entry with a line difference and no columns.
_NO_COLUMN: Final = 13


class _AnnotationRemover(ast.NodeTransformer):
    """Remove the code that only type checkers use.

    That is annotations and `if TYPE_CHECKING:` blocks. The name of a type alias stays, because
    modules import it; its value, which Python evaluates on demand, becomes None.
    """

    def visit_TypeAlias(self, node: ast.TypeAlias) -> ast.stmt:
        return ast.copy_location(ast.Assign([node.name], ast.Constant(None)), node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        node.type_params = []
        self.generic_visit(node)
        return node

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
    """Remove annotations, and the imported names that only annotations used.

    A module doesn't import another one's imports (mypy, "no_implicit_reexport"), unless `__all__`
    names them.
    """
    tree = _AnnotationRemover().visit(tree)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used |= {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    for node in imports:
        node.names = [alias for alias in node.names if (alias.asname or alias.name) in used]
    tree.body = [node for node in tree.body if node not in imports or node.names]
    return ast.fix_missing_locations(tree)


def shorten_locals(code: CodeType) -> CodeType:
    """Return the code object and its nested ones with short names of local variables.

    Python finds local variables by their position. Parameters keep their names, and so do the
    variables that nested functions use.
    """
    parameters = code.co_argcount + code.co_kwonlyargcount
    parameters += sum(code.co_flags & flag > 0 for flag in _VARIADIC)
    fixed_names = {*code.co_varnames[:parameters], *code.co_cellvars, *code.co_freevars}
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    names = [*alphabet, *(first + second for first in alphabet for second in alphabet)]
    short = (name for name in names if name not in fixed_names)
    return code.replace(
        co_varnames=tuple(it if it in fixed_names else next(short) for it in code.co_varnames),
        co_consts=tuple(
            shorten_locals(it) if isinstance(it, CodeType) else it for it in code.co_consts
        ),
    )


def strip_line_numbers(code: CodeType) -> CodeType:
    """Return the code object and its nested ones with one line number each, their first one.

    A nested function's qualified name becomes its name, because a second name takes space. With an
    empty line table, formatting a traceback fails because `tb_lineno` becomes None, and
    AWS's runtime client formats the traceback of each unhandled exception.
    """
    return code.replace(
        co_qualname=code.co_name,
        co_linetable=_first_line_only(len(code.co_code) // 2),
        co_consts=tuple(
            strip_line_numbers(it) if isinstance(it, CodeType) else it for it in code.co_consts
        ),
    )


def _first_line_only(code_units: int) -> bytes:
    """Return a location table that maps every instruction to `co_firstlineno`.

    An entry covers up to 8 code units: a byte with bit 7 set, code 13 (line without column) and the
    number of units minus 1, then the line's difference (CPython, InternalDocs/code_objects.md).
    """
    entries = [8] * (code_units // 8) + [code_units % 8] * (code_units % 8 > 0)
    return b"".join(bytes([0x80 | _NO_COLUMN << 3 | units - 1, 0]) for units in entries)


def compile_source(source: bytes, name: str, line_numbers: bool = False) -> bytes:
    """Return the content of a .pyc file for a source; tracebacks show `name` as its file.

    `line_numbers` keeps them, for a package that isn't deployed to AWS.
    """
    tree = remove_annotations(ast.parse(source))
    code = compile(tree, name, "exec", dont_inherit=True, optimize=_NO_DOCSTRINGS)
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + _NO_HASH
    return head + marshal.dumps(code if line_numbers else shorten_locals(strip_line_numbers(code)))


def archive(directory: Path, name: str, modules: list[str]) -> None:
    """Move compiled modules into a zip file, which Python imports from ("zipimport")."""
    with zipfile.ZipFile(directory / name, "w", zipfile.ZIP_STORED) as target:
        for module in modules:
            compiled = (directory / name).with_name(f"{module}.pyc")
            # The earliest time of the format: equal modules give equal bytes.
            target.writestr(zipfile.ZipInfo(compiled.name), compiled.read_bytes())
            compiled.unlink()


def main(directory: str, archive_name: str = "", *modules: str) -> None:
    """Compile every module below `directory` and delete its source."""
    for source in sorted(Path(directory).rglob("*.py")):
        name = source.relative_to(directory).as_posix()
        source.with_suffix(".pyc").write_bytes(compile_source(source.read_bytes(), name))
        source.unlink()
    if archive_name:
        archive(Path(directory), archive_name, list(modules))


if __name__ == "__main__":
    main(*sys.argv[1:])
