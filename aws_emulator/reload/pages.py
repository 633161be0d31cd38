"""Keep the objects of a bucket equal to the files of a folder, and CloudFront's cache empty."""

import mimetypes
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aws_emulator.errors import CommandError

#: Types that the module mimetypes doesn't know: segments of HLS and DASH (ISO/IEC 23009-1).
_TYPES: Final = {".m4s": "video/iso.segment"}


def content_type(name: str) -> str:
    """Return the Content-Type of a page by its name; text is UTF-8."""
    suffix = Path(name).suffix
    media_type = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


def put_page(
    s3: Any, bucket: str, key: str, content: bytes | None, *, cache_control: str = ""
) -> None:
    """Upload one page with its Content-Type, or delete its object if there is no `content`."""
    if content is None:
        s3.delete_object(Bucket=bucket, Key=key)
    else:
        options = {"CacheControl": cache_control} if cache_control else {}
        media_type = content_type(key)
        s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType=media_type, **options)


@dataclass(frozen=True)
class PagesFolder:
    """A folder whose files are objects in `bucket`; their keys are relative to `folder`.

    `s3` returns a client. `put` uploads the content of a key with a client and a bucket, or deletes
    the object if there is none.
    """

    folder: Path
    bucket: str
    s3: Callable[[], Any]
    put: Callable[[Any, str, str, bytes | None], None] = put_page

    def update(self, changes: Mapping[Path, bytes | None]) -> None:
        """Upload changed files and delete the objects of deleted ones."""
        client = self.s3()
        for path, content in changes.items():
            self.put(client, self.bucket, path.relative_to(self.folder).as_posix(), content)


def empty_caches(distributions: Sequence[str]) -> None:
    """Empty the caches of CloudFront servers by their URLs.

    Raises:
        CommandError: A server didn't answer.
    """
    for url in distributions:
        request = urllib.request.Request(f"{url}/_local/invalidation", b"", method="POST")
        try:
            with urllib.request.urlopen(request, timeout=5):
                pass
        except OSError as error:
            raise CommandError(f"Can't empty the cache of {url}: {error}.") from error
