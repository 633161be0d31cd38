"""Find the functions whose package contains a source file, and the files of the package to change.

The rules need no build: a source belongs to a function if the function's build output has it at the
same place below the package's root. Pure, except `read_packages`.
"""

import importlib.util
import marshal
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from aws_emulator.reload.file_tree import IGNORED_FOLDERS
from aws_emulator.reload.module_imports import imported_files
from aws_emulator.reload.templates import CODE, NESTED, SourceTemplate, load

#: PEP 552: bit 0 means hash-based, bit 1 means that the source is checked.
_UNCHECKED_HASH: Final = (0b01).to_bytes(4, "little")

#: Compiles a module (source, name of the file) for a package that has no sources, to a .pyc file.
type Compile = Callable[[bytes, str], bytes]


@dataclass(frozen=True)
class FunctionPackage:
    """A function's package in the build output.

    `source` is the folder that CodeUri names, `names` the files of the package, and `sources` the
    files of `source` at the time of the build, both as POSIX paths relative to their root.
    `handler` is the function's property Handler.
    """

    logical_id: str
    source: Path
    names: frozenset[str]
    sources: frozenset[str]
    handler: str = ""

    def contains(self, name: str) -> bool:
        """Return whether the package has the source `name`, or would have it after a build.

        A new file belongs to the package if all files with its suffix in its folder do, or in the
        nearest folder above that has such files.
        """
        if name in self.names or _compiled(name) in self.names:
            return True
        if name in self.sources:
            return False
        suffix = PurePosixPath(name).suffix
        for folder in PurePosixPath(name).parents:
            siblings = [
                it
                for it in self.sources
                if PurePosixPath(it).parent == folder and PurePosixPath(it).suffix == suffix
            ]
            if siblings:
                return all(it in self.names or _compiled(it) in self.names for it in siblings)
        return False

    def files(
        self, name: str, content: bytes | None, compile_module: Compile
    ) -> dict[str, bytes | None]:
        """Return the files of the package to change for a source; the value None removes one.

        A module without source in the package is compiled. A compiled module beside its source is
        removed, because Python doesn't compare an unchecked one with the source (PEP 552).

        Raises:
            SyntaxError: The module can't be compiled.
        """
        if not name.endswith(".py"):
            return {name: content}
        if content is not None:
            # Also a module that the function imports later than at its start.
            compile(content, name, "exec", dont_inherit=True)
        if self._has_compiled_modules_only(name):
            return {_compiled(name): None if content is None else compile_module(content, name)}
        folder, _, module = name.rpartition("/")
        cache = f"{folder}/__pycache__/{module[:-3]}." if folder else f"__pycache__/{module[:-3]}."
        stale: dict[str, bytes | None] = {it: None for it in self.names if it.startswith(cache)}
        return stale | {name: content}

    def _has_compiled_modules_only(self, name: str) -> bool:
        if name in self.names or _compiled(name) in self.names:
            return name not in self.names
        top = name.split("/", 1)[0]
        own = [it for it in self.names if it.split("/", 1)[0] == top]
        return bool(own) and not any(it.endswith(".py") for it in own)


def _compiled(name: str) -> str:
    """Return the name of a module's bytecode that Python imports in place of the source."""
    return f"{name}c" if name.endswith(".py") else name


def compile_module(source: bytes, name: str) -> bytes:
    """Return the content of a .pyc file for a module.

    Raises:
        SyntaxError: The module can't be compiled.
    """
    code = compile(source, name, "exec", dont_inherit=True)
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source)
    return head + marshal.dumps(code)


def affected(
    packages: Iterable[FunctionPackage], changes: Mapping[Path, bytes | None]
) -> dict[str, dict[Path, bytes | None]]:
    """Return the changed sources in each function's package, by logical ID."""
    changes_by_function: dict[str, dict[Path, bytes | None]] = {}
    for package in packages:
        own = {
            path: content
            for path, content in changes.items()
            if path.is_relative_to(package.source)
            and package.contains(path.relative_to(package.source).as_posix())
        }
        if own:
            changes_by_function[package.logical_id] = own
    return changes_by_function


def importers_first(
    packages: Iterable[FunctionPackage], changes: Mapping[Path, bytes | None]
) -> list[FunctionPackage]:
    """Return the packages in the order in which a change applies to them.

    A folder of sources is often part of several packages, and the next request is usually for a
    function that imports the changed file. Of these, small packages start faster.
    """

    def key(package: FunctionPackage) -> tuple[bool, int]:
        imported = imported_files(package.source, package.handler)
        # The statements don't show which functions read a data file.
        used = any(path.suffix != ".py" or path in imported for path in changes)
        return not used, len(package.names)

    return sorted(packages, key=key)


def read_packages(template: SourceTemplate, build: Path) -> list[FunctionPackage]:
    """Return the packages of a template and its nested templates.

    `build` is the build output's template of the same stack.

    Raises:
        TemplateError: A template is missing or invalid.
    """
    built = load(build)
    packages = []
    for logical_id, resource in built.resources.items():
        kind = str(resource.get("Type"))
        properties = resource.get("Properties") or {}
        location = properties.get(CODE.get(kind, NESTED.get(kind, "")))
        if logical_id not in template.resources or not isinstance(location, str):
            continue
        if kind in CODE and (source := template.code_directory(logical_id)) is not None:
            names = _names(Path(build.parent, location))
            handler = str(properties.get("Handler") or _shared_handler(built))
            packages.append(FunctionPackage(logical_id, source, names, _names(source), handler))
        elif kind in NESTED and logical_id in template.nested():
            nested = load(template.nested()[logical_id])
            packages += read_packages(nested, Path(build.parent, location))
    return packages


def _shared_handler(template: SourceTemplate) -> str:
    shared = (template.document.get("Globals") or {}).get("Function") or {}
    return str(shared.get("Handler") or "")


def _names(folder: Path) -> frozenset[str]:
    """Return the files of a folder, and the modules in its zip files, as if beside them."""
    files = [
        Path(directory, name) for directory, _folders, names in folder.walk() for name in names
    ]
    archives = [it for it in files if it.suffix == ".zip" and zipfile.is_zipfile(it)]
    archived = [it.with_name(name) for it in archives for name in zipfile.ZipFile(it).namelist()]
    return frozenset(it.relative_to(folder).as_posix() for it in [*files, *archived])


def is_build_input(
    path: Path, packages: Sequence[FunctionPackage], patterns: Iterable[str]
) -> bool:
    """Return whether a build reads the file, although it is in no package.

    `patterns` are matched from the right, as in `PurePath.match`.
    """
    below = any(path.is_relative_to(it.source) for it in packages)
    outside = IGNORED_FOLDERS.isdisjoint(path.parts)
    return below and outside and any(path.match(pattern) for pattern in patterns)
