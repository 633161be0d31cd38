"""A built package in, the same package with its settings out. Pure."""

import io
import json
import zipfile

from edge_settings.errors import PackageError

#: Where the functions look for their settings: the root of the package.
SETTINGS_NAME = "settings.json"

# The earliest time that a zip can say. A fixed one makes equal settings give equal bytes, and so
# the same CodeSha256: Lambda publishes no new version of code that did not change.
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)


def with_settings(package: bytes, settings: dict[str, object]) -> bytes:
    """Return the zip `package` with `settings` as its settings.json; equal input, equal bytes.

    A settings.json that is already there is replaced. Raises PackageError if `package` is no zip.
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
