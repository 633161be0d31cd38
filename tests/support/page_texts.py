"""The texts that the portal's pages and scripts show, as web/public/js/i18n.js finds them.

A message is what an element contains from its first to its last text. `{0}` stands for the first
element between them.
"""

import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from stepfunctions import vocabularies
from tests.support import edge_errors
from tests.support.paths import ROOT

WEB: Final = ROOT / "web"
SCRIPTS: Final = WEB / "public" / "js"
#: The mark of a page that exists in each language.
MARK: Final = "data-translated"
_ATTRIBUTES: Final = ("alt", "aria-label", "placeholder")
_IGNORED: Final = frozenset({"script", "style", "noscript", "code"})
_VOID: Final = frozenset({"br", "img", "input", "link", "meta", "source", "track", "hr"})
_WORDS: Final = re.compile(r"[a-zà-ỹ]{2}")
#: Texts of scripts: the first argument of t(), and values of tables that are passed to it later.
_CALL: Final = re.compile(r'\bt\(\s*"((?:[^"\\]|\\.)*)"')
_TABLE: Final = re.compile(r'^  (?:[a-z_]+: |\[(?:"\w+"|null), )"([^"]+)"', re.MULTILINE)
_TABLES: Final = frozenset({"catalogue-api.js", "portal.js"})
_STAFF: Final = re.compile(r"^const STAFF_MESSAGES = \{.*?^\};", re.MULTILINE | re.DOTALL)
_CHOICES: Final = ("Allow", "Don\N{RIGHT SINGLE QUOTATION MARK}t allow")
#: The reasons of the account workflow, by field and code.
_REASON: Final = re.compile(r'Reason\(\s*"(\w+)", "(\w+)"')


@dataclass
class Element:
    """An element with its children: texts and elements."""

    tag: str
    attributes: dict[str, str]
    children: list["Element | str"] = field(default_factory=list)


class _Tree(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.root = Element("#", {})
        self._open = [self.root]
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def message(element: Element) -> str:
    """Return an element's message, or an empty string."""
    children = element.children
    shown = [i for i, it in enumerate(children) if isinstance(it, str) and it.strip()]
    if not shown:
        return ""
    parts: list[str] = []
    number = 0
    for child in children[shown[0] : shown[-1] + 1]:
        parts.append(child if isinstance(child, str) else f"{{{number}}}")
        number += not isinstance(child, str)
    return " ".join("".join(parts).split())


def texts_of_page(html: str) -> set[str]:
    """Return the messages and labels of a page, with its title."""
    collected: set[str] = set()

    def visit(element: Element, *, in_body: bool) -> None:
        attributes = element.attributes
        is_foreign = in_body and "lang" in attributes
        if element.tag in _IGNORED or is_foreign or attributes.get("translate") == "no":
            return
        within = in_body or element.tag == "body"
        if within or element.tag == "title":
            collected.add(message(element))
            collected.update(attributes.get(name, "") for name in _ATTRIBUTES)
        for child in element.children:
            if isinstance(child, Element):
                visit(child, in_body=within)

    visit(_Tree(html).root, in_body=False)
    return {it for it in collected if _WORDS.search(it)}


def texts_of_script(name: str) -> set[str]:
    """Return the texts of a script that it shows in the visitor's language."""
    code = _STAFF.sub("", (SCRIPTS / name).read_text())
    tables = {*_TABLE.findall(code), *_CHOICES} if name in _TABLES else set()
    return set(_CALL.findall(code)) | tables


def translated_pages() -> list[Path]:
    """Return the pages that exist in each language."""
    return [it for it in sorted(WEB.rglob("*.html")) if f" {MARK}" in it.read_text()[:200]]


def scripts_of(pages: list[Path]) -> set[str]:
    """Return the modules that pages load, with their imports."""
    waiting = {
        name
        for page in pages
        for name in re.findall(r'type="module" src="/js/([^"]+)"', page.read_text())
    }
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        reached.add(name)
        code = (SCRIPTS / name).read_text()
        waiting |= set(re.findall(r'from "\./([^"]+)"', code)) - reached
    return reached


def texts() -> set[str]:
    """Return each text that a visitor of the translated pages can see."""
    pages = translated_pages()
    collected = {text for page in pages for text in texts_of_page(page.read_text())}
    error_pages = edge_errors.pages(edge_errors.PORTAL)
    collected |= {text for page in error_pages for text in texts_of_page(page)}
    collected |= {text for name in scripts_of(pages) for text in texts_of_script(name)}
    rules = (ROOT / "src" / "stepfunctions" / "validation_rules.py").read_text()
    collected |= {f"{name} {code}" for code, name in _REASON.findall(rules)}
    shown = json.loads(vocabularies.FILE.read_text())
    return collected | {*shown["programmes"].values(), *shown["consentTexts"].values()}
