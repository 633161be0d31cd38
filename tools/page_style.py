"""The portal's style for pages that are one file: its style sheet, with the typeface inside."""

import re
from base64 import b64encode
from typing import Final

from tools.paths import ROOT

_PUBLIC: Final = ROOT / "web" / "public"
_FACE: Final = re.compile(r"@font-face \{.*?\}\n", re.DOTALL)
_FONT: Final = "/fonts/manrope-latin.woff2"
#: The header with the logo, and the heading beside the result.
_FRAME: Final = """
.brand { display: flex; align-items: center; gap: var(--space-2); margin: 0;
  padding-block: var(--space-3); font-weight: 800; letter-spacing: -0.02em; }
.title { display: flex; flex-wrap: wrap; align-items: center; gap: var(--space-2) var(--space-4);
  margin-bottom: var(--space-5); }
.title h1, .title p { margin: 0; }
.title .tag { padding: 0.3rem 0.9rem; font-size: 0.9375rem; }
"""


def style() -> str:
    """Return the text of a style element. The pages are in English: they need Latin characters."""
    sheet = (_PUBLIC / "style.css").read_text(encoding="utf-8")
    font = b64encode((_PUBLIC / _FONT.removeprefix("/")).read_bytes()).decode()
    faces = "".join(it for it in _FACE.findall(sheet) if _FONT in it)
    return faces.replace(_FONT, f"data:font/woff2;base64,{font}") + _FACE.sub("", sheet) + _FRAME


def logo() -> str:
    """Return the portal's logo as an SVG element."""
    drawing = (_PUBLIC / "icon.svg").read_text(encoding="utf-8").strip()
    return drawing.replace("<svg ", '<svg width="30" height="30" aria-hidden="true" ', 1)
