"""Tell pages from the files that pages load."""

from typing import Final

#: Suffixes, in lower case, of files that a browser requests while it renders a page.
FILE_SUFFIXES: Final = (
    ".css", ".js", ".map", ".json", ".ico", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp",
    ".avif", ".bmp", ".ttf", ".otf", ".eot", ".woff", ".woff2",
)  # fmt: skip


def is_page(path: str) -> bool:
    """Return whether the path is a page and not a file that a page loads."""
    return not path.lower().endswith(FILE_SUFFIXES)
