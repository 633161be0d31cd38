"""Generate the pages with the runbook, to which the alarms of the operators' page link.

`python -m tools.runbook_pages` writes web/members/app/runbook from docs/runbook.md: a page for each
part, one with the introduction and all headings, and entries.json with the address of each heading.
A test compares the files.
"""

import json
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from tools.paths import ROOT

SOURCE: Final = ROOT / "docs" / "runbook.md"
FOLDER: Final = ROOT / "web" / "members" / "app" / "runbook"
#: The page whose frame these have.
FRAME: Final = ROOT / "web" / "members" / "app" / "operator.html"
_BASE: Final = "/app/runbook/"
_ENTRIES: Final = "entries.json"
_INDEX: Final = "index.html"
#: Texts of the frame's head.
_TITLE: Final = "Cockpit · Meridian School"
_ABOUT: Final = "For operators: what moves through each Region, and the states of the alarms."
#: Scripts and styles that these pages don't need.
_UNUSED: Final = re.compile(
    r"<(?:link|script)[^>]*(?:/vendor/|js/(?:operator|recent-events|executions|lake|queries|money)"
    r"\.js)[^>]*>(?:</script>)?\n"
)


class _Renderer(RendererHTML):
    """Add what the portal's pages have: targets of links, areas that scroll by the keyboard."""

    def heading_open(self, tokens: Sequence[Token], index: int, *_rest: Any) -> str:
        level, text = tokens[index].tag, tokens[index + 1].content
        # The heading of a part is that of its page.
        tag = {"h2": "h1", "h3": "h2"}.get(level, level)
        return f'<{tag} id="{anchor(text)}">' if level != "h1" else "<h1>"

    def heading_close(self, tokens: Sequence[Token], index: int, *_rest: Any) -> str:
        level = tokens[index].tag
        return f"</{ {'h2': 'h1', 'h3': 'h2'}.get(level, level) }>\n"

    def fence(self, tokens: Sequence[Token], index: int, *_rest: Any) -> str:
        code = f"<pre><code>{escape(tokens[index].content)}</code></pre>"
        return f'<div class="scroll" role="group" aria-label="Command" tabindex="0">{code}</div>\n'

    def table_open(self, *_rest: Any) -> str:
        return '<div class="scroll" role="group" aria-label="Table" tabindex="0">\n<table>\n'

    def table_close(self, *_rest: Any) -> str:
        return "</table>\n</div>\n"

    def th_open(self, *_rest: Any) -> str:
        return '<th scope="col">'

    def link_open(
        self, tokens: Sequence[Token], index: int, _options: Any, env: dict[str, str]
    ) -> str:
        address = str(tokens[index].attrs["href"])
        # Other documents are in the repository only.
        return f'<a href="{env[address[1:]]}">' if address.startswith("#") else ""

    def link_close(self, tokens: Sequence[Token], index: int, *_rest: Any) -> str:
        opened = [it for it in tokens[:index] if it.type == "link_open"]
        return "</a>" if str(opened[-1].attrs["href"]).startswith("#") else ""


def anchor(heading: str) -> str:
    """Return GitHub's anchor of a heading. Pure."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def pages_of(runbook: str, frame: str) -> dict[str, str]:
    """Return the text of each file for a runbook in Markdown, in another page's frame. Pure."""
    markdown = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable("table")
    parts: list[list[Token]] = [[]]
    for token in markdown.parse(runbook):
        if token.type == "heading_open" and token.tag == "h2":
            parts.append([])
        parts[-1].append(token)
    addresses: dict[str, str] = {}
    for part in parts[1:]:
        names = [anchor(text) for _, text in _headings(part)]
        addresses |= {name: f"{_BASE}{names[0]}.html#{name}" for name in names}
    introduction, *others = [
        markdown.renderer.render(part, markdown.options, addresses) for part in parts
    ]
    headings = [heading for part in parts[1:] for heading in _headings(part)]
    contents = "".join(_contents(headings, addresses))
    files = {_INDEX: _page(frame, "Runbook", f"{introduction}<h2>Entries</h2>\n{contents}")}
    for part, text in zip(parts[1:], others, strict=True):
        title = _headings(part)[0][1]
        back = f'<p><a href="{_BASE}">Runbook: placeholders and all entries</a></p>\n'
        files[f"{anchor(title)}.html"] = _page(frame, title, back + text)
    files[_ENTRIES] = json.dumps(addresses, indent=0) + "\n"
    return files


def _headings(tokens: Sequence[Token]) -> list[tuple[str, str]]:
    """Return the level and the text of each heading."""
    return [
        (token.tag, tokens[index + 1].content)
        for index, token in enumerate(tokens)
        if token.type == "heading_open"
    ]


def _contents(headings: Iterable[tuple[str, str]], addresses: dict[str, str]) -> Iterable[str]:
    for level, text in headings:
        link = f'<a href="{addresses[anchor(text)]}">{escape(text)}</a>'
        yield f"<h3>{link}</h3>\n" if level == "h2" else f"<p>{link}</p>\n"


def _page(frame: str, title: str, content: str) -> str:
    head, _, rest = frame.partition("<main")
    head = _UNUSED.sub("", head).replace("/operator.css", "/runbook.css")
    named = title if title == "Runbook" else f"{title} · Runbook"
    head = head.replace(_TITLE, f"{named} · Meridian School")
    head = head.replace(_ABOUT, f"For operators: what to do about an alarm. {escape(title)}.")
    foot = rest.partition("</main>")[2]
    return f'{head}<main id="main">\n{content}</main>{foot}'


def write(folder: Path = FOLDER) -> None:
    """Write the files, and delete those of parts that are gone."""
    files = pages_of(SOURCE.read_text(encoding="utf-8"), FRAME.read_text(encoding="utf-8"))
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        if old.name not in files:
            old.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
