"""Replace the sources of a package by bytecode that holds what runs and nothing else.

    python3.13 bytecode.py DIRECTORY

For the function before every gated request: what it imports is read by each cold start, and its
package has a ceiling. Docstrings, assertions and line numbers go, as `python -OO` does and one step
further; a `.pyc` in the place of its source is imported like it (Python reference, "Source-less
imports"). Each is "hash-based, unchecked" (PEP 552): no source is looked for, and no time stamp can
be stale. Equal sources give equal bytes.
"""

import importlib.util
import marshal
import sys
from pathlib import Path
from types import CodeType

#: PEP 552: bit 0 is "hash-based", bit 1 "check the source".
_UNCHECKED_HASH = (0b01).to_bytes(4, "little")
_NO_DOCSTRINGS = 2


def bare(code: CodeType) -> CodeType:
    """Return the same code without line numbers and file names, inner functions too."""
    return code.replace(
        co_linetable=b"",
        co_filename="",
        co_consts=tuple(bare(it) if isinstance(it, CodeType) else it for it in code.co_consts),
    )


def compiled(source: bytes) -> bytes:
    """Return the content of a .pyc for a module's source."""
    code = compile(source, "", "exec", dont_inherit=True, optimize=_NO_DOCSTRINGS)
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source)
    return head + marshal.dumps(bare(code))


def main(directory: str) -> None:
    """Compile every module below `directory` and remove its source."""
    for source in sorted(Path(directory).rglob("*.py")):
        source.with_suffix(".pyc").write_bytes(compiled(source.read_bytes()))
        source.unlink()


if __name__ == "__main__":
    main(sys.argv[1])
