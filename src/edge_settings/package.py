"""Add settings.json to a built function package. Pure: bytes in, bytes out."""

import io
import json
import zipfile
from typing import Final

from edge_settings.errors import PackageError

#: The handlers read their settings from this file in the package's root.
SETTINGS_NAME: Final = "settings.json"

# The earliest time that the zip format can express. With a fixed time, equal settings give an equal
# CodeSha256, and Lambda doesn't publish a new version for unchanged code.
_FIXED_TIME: Final = (1980, 1, 1, 0, 0, 0)


def add_settings(package: bytes, settings: dict[str, object]) -> bytes:
    """Return the zip archive `package` with `settings` as its settings.json.

    An existing settings.json is replaced. Equal input gives equal bytes.

    Raises:
        PackageError: `package` isn't a zip archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(package)) as built:
            entries = [
                (info.filename, info.external_attr, built.read(info))
                for info in built.infolist()
                if info.filename != SETTINGS_NAME and not info.is_dir()
            ]
    except zipfile.BadZipFile as error:
        raise PackageError("The built package is not a zip archive.") from error
    document = json.dumps(settings, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    entries.append((SETTINGS_NAME, 0o644 << 16, document.encode()))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, attributes, content in sorted(entries):
            info = zipfile.ZipInfo(name, _FIXED_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = attributes
            archive.writestr(info, content, compresslevel=9)
    return target.getvalue()
