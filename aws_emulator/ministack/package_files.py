"""Replace files of a deployment package. Pure: bytes in, bytes out."""

import io
import zipfile
from collections.abc import Mapping
from typing import Final

#: The permissions of a new file.
_NEW_FILE_MODE: Final = 0o644 << 16


def replace_files(package: bytes, files: Mapping[str, bytes | None]) -> bytes:
    """Return the zip archive `package` with `files` by name added or replaced; None removes one.

    The other files aren't compressed again. The old content of replaced files stays in the archive
    without a directory entry, so each call adds the size of its files.
    """
    buffer = io.BytesIO()
    buffer.write(package)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        modes = {name: archive.NameToInfo[name].external_attr for name in _present(archive, files)}
        for name in modes:
            archive.filelist.remove(archive.NameToInfo.pop(name))
        # Setting the comment makes the archive write its directory, also after removals only.
        archive.comment = archive.comment
        for name, content in sorted(files.items()):
            if content is not None:
                # The entry has the earliest time that the format can express, so equal files give
                # an equal CodeSha256.
                entry = zipfile.ZipInfo(name)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = modes.get(name, _NEW_FILE_MODE)
                archive.writestr(entry, content)
    return buffer.getvalue()


def unchanged(package: bytes, files: Mapping[str, bytes | None]) -> bool:
    """Return whether the archive already has the content that `replace_files` would give it."""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        present = set(_present(archive, files))
        return all(
            name not in present
            if content is None
            else name in present and archive.read(name) == content
            for name, content in files.items()
        )


def _present(archive: zipfile.ZipFile, files: Mapping[str, bytes | None]) -> list[str]:
    return [name for name in files if name in archive.NameToInfo]
