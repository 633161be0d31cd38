"""Checks of a page in Chromium that need its layout, and pictures of it.

Sources: WCAG 2.2, success criterion 2.5.8 "Target Size (Minimum)"; web.dev, "Cumulative Layout
Shift" and "Largest Contentful Paint".
"""

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Route

#: CSS pixels of a target's width and height.
MIN_TARGET_PX: Final = 24
#: A good value ("Cumulative Layout Shift"), without a unit.
MAX_LAYOUT_SHIFT: Final = 0.1
DESKTOP: Final = {"width": 1280, "height": 800}
PHONE: Final = {"width": 390, "height": 844}

#: Targets that are too small. The criterion excepts links in a sentence.
_SMALL_TARGETS: Final = """limit => [...document.querySelectorAll(
  "a[href], button, input:not([type=hidden]), select, textarea, summary, label.choice")]
  .filter(it => it.checkVisibility() && !it.closest(".skip, label.choice > *"))
  .filter(it => !(it.tagName === "A" && getComputedStyle(it).display === "inline"))
  .filter(it => {
    const target = it.closest("label") ?? it;
    const {width, height} = target.getBoundingClientRect();
    return width > 0 && (width < limit || height < limit);
  })
  .map(it => it.outerHTML.slice(0, 90))"""
#: Runs before the page's scripts, so that it also sees the first shifts. The document as sent is
#: complete when it becomes interactive; modules run later.
_OBSERVER: Final = """
  window.audit = {shift: 0, shifted: [], largest: null, late: false};
  let sent = null;
  document.addEventListener("readystatechange", () => {
    sent ??= new WeakSet(document.querySelectorAll("*"));
  });
  new PerformanceObserver(list => {
    for (const it of list.getEntries()) {
      if (it.hadRecentInput) continue;
      audit.shift += it.value;
      audit.shifted.push(...it.sources.map(source => source.node?.nodeName));
    }
  }).observe({type: "layout-shift", buffered: true});
  new PerformanceObserver(list => {
    const {element} = list.getEntries().at(-1);
    audit.largest = element?.tagName ?? null;
    audit.late = element !== null && sent !== null && !sent.has(element);
  }).observe({type: "largest-contentful-paint", buffered: true});
"""


def observe(page: Page) -> list[str]:
    """Observe the pages that are loaded from now on, and return a list of their errors.

    A response with an error status is none: an optional service may be absent.
    """
    page.add_init_script(_OBSERVER)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda it: errors.append(it.text) if _is_error(it) else None)
    return errors


#: Services whose answers a page waits for, and texts that a script loads.
_ANSWERS: Final = re.compile(
    r"^https?://[^/]+/(api/(?!openapi)|auth/session|catalogue/|lang/|(portal|vocabularies)\.json)"
)
_PAINTED: Final = (
    "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
)


def answer_after_paint(page: Page) -> None:
    """Let each answer of a service arrive after a painted frame, so that nothing hides a shift."""

    def answer(route: Route) -> None:
        # The page may be left meanwhile.
        with suppress(Error):
            page.evaluate(_PAINTED)
        with suppress(Error):
            route.continue_()

    page.route(_ANSWERS, answer)


def _is_error(message: ConsoleMessage) -> bool:
    return message.type == "error" and not message.text.startswith("Failed to load resource")


def faults(page: Page, *, largest_may_wait: bool = False) -> list[str]:
    """Return the faults of the loaded page in its viewport.

    `largest_may_wait` allows a largest element that a script adds, such as a row of a list.
    """
    problems: list[str] = [f"small: {it}" for it in page.evaluate(_SMALL_TARGETS, MIN_TARGET_PX)]
    audit: dict[str, Any] = page.evaluate("audit")
    if audit["shift"] > MAX_LAYOUT_SHIFT:
        problems.append(f"layout shift {audit['shift']:.2f}: {audit['shifted']}")
    if audit["late"] and not largest_may_wait:
        problems.append(f"the largest element waits for a script: {audit['largest']}")
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        problems.append("wider than the viewport")
    sizes = "[...document.images].filter(it => !it.hasAttribute('width')).map(it => it.outerHTML)"
    problems += [f"picture without a size: {it}" for it in page.evaluate(sizes)]
    return problems


_SHEET: Final = """<style>body{{margin:0;padding:12px;display:flex;gap:12px;background:#8a91a8}}
img{{height:400px;border-radius:8px}}</style>{pictures}"""


def photograph(page: Page, path: Path) -> None:
    """Write a sheet with the page on a desktop and a phone, in light and in dark."""
    pictures = []
    for viewport, schemes in ((DESKTOP, ("light", "dark")), (PHONE, ("light", "dark"))):
        page.set_viewport_size(viewport)  # type: ignore[arg-type]  # a typed dictionary
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a literal
            page.wait_for_timeout(200)  # transitions of colours
            shown = base64.b64encode(page.screenshot(type="png")).decode()
            pictures.append(f'<img alt="" src="data:image/png;base64,{shown}">')
    page.emulate_media(color_scheme="light")
    with _blank(page) as sheet:
        sheet.set_content(_SHEET.format(pictures="".join(pictures)))
        sheet.wait_for_function("[...document.images].every(it => it.complete)")
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.locator("body").screenshot(path=path, type="jpeg", quality=72)


@contextmanager
def _blank(page: Page) -> Iterator[Page]:
    """Open a page outside the portal, whose policy forbids styles of its own."""
    browser: Browser | None = page.context.browser
    assert browser is not None
    context = browser.new_context(viewport={"width": 1720, "height": 424})
    yield context.new_page()
    context.close()
