"""Pages, and the files that pages load."""

#: Ends of the paths that a browser asks for by itself while it shows a page, in lower case.
FILE_SUFFIXES = (
    ".css", ".js", ".map", ".json", ".ico", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp",
    ".avif", ".bmp", ".ttf", ".otf", ".eot", ".woff", ".woff2",
)  # fmt: skip


def is_page(path: str) -> bool:
    """Tell whether the path is one that a person would call a page."""
    return not path.lower().endswith(FILE_SUFFIXES)
