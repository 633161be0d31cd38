"""The runbook as pages of the portal, to which the alarms on the operators' page link."""

import json
import re

from tests.unit.portal.test_pages import Page, served
from tests.unit.stacks.test_templates import TEMPLATES
from tools import runbook_pages

ENTRIES: dict[str, str] = json.loads((runbook_pages.FOLDER / "entries.json").read_text())


def test_pages_are_generated_from_the_runbook() -> None:
    """After a change of docs/runbook.md or of the frame: `make reference`."""
    runbook, frame = runbook_pages.SOURCE.read_text(), runbook_pages.FRAME.read_text()
    files = {it.name: it.read_text() for it in runbook_pages.FOLDER.iterdir()}
    assert files == runbook_pages.pages_of(runbook, frame)


def test_each_alarm_has_its_entry() -> None:
    text = "".join(path.read_text() for path in TEMPLATES)
    anchors = set(re.findall(r"docs/runbook\.md#([\w-]+)", text))
    assert anchors
    assert anchors - ENTRIES.keys() == set()


def test_each_address_is_a_place_on_a_page() -> None:
    pages = [Page(it) for it in runbook_pages.FOLDER.glob("*.html")]
    linked = {it["href"] for page in pages for it in page.all("a") if "#" in it["href"][1:]}
    assert set(ENTRIES.values()) <= linked
    for address in linked:
        ids = {it.get("id") for _, it in Page(served(address)).elements}
        assert address.partition("#")[2] in ids, address


def test_pages_load_nothing_of_the_cockpit() -> None:
    for path in runbook_pages.FOLDER.glob("*.html"):
        sources = {it["src"] for it in Page(path).all("script")}
        assert sources == {"/js/meridian.js", "/js/portal.js"}
        assert "Cockpit" not in path.read_text()


def test_parts_have_their_own_pages() -> None:
    frame = '<head></head>\n<main id="main">\nof the frame\n</main>\n<footer></footer>'
    runbook = "# Title\n\nFirst [c](#c).\n\n## An `<a>` (b)\n\n[x](y.md) [z](#c)\n\n## C\n\nEnd\n"
    files = runbook_pages.pages_of(runbook, frame)
    assert files.keys() == {"index.html", "an-a-b.html", "c.html", "entries.json"}
    assert not any("of the frame" in it for it in files.values())
    assert '<p>First <a href="/app/runbook/c.html#c">c</a>.</p>' in files["index.html"]
    assert '<h1 id="an-a-b">An <code>&lt;a&gt;</code> (b)</h1>' in files["an-a-b.html"]
    assert '<p>x <a href="/app/runbook/c.html#c">z</a></p>' in files["an-a-b.html"]
    assert files["c.html"].endswith("<p>End</p>\n</main>\n<footer></footer>")
