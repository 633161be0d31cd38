"""Draw the picture that messengers show beside a link to the portal.

    python -m tests.support.preview_picture web/public/preview.png

1200 by 630 pixels are the size that the previews of most services have.
"""

import base64
import re
import sys
from pathlib import Path
from typing import Final

from tests.support.chromium import launched
from tests.support.paths import ROOT

WEB: Final = ROOT / "web"
SIZE: Final = (1200, 630)
_LAYOUT: Final = """
body{display:flex;flex-direction:row;align-items:center;gap:56px;padding:0 72px;min-height:630px}
.picture{width:470px;flex:none}h1{font-size:76px;line-height:1.08;letter-spacing:-.03em}
p{font-size:28px;color:var(--quiet);display:flex;gap:14px;align-items:center;margin:0 0 28px}
"""


def document() -> str:
    """Return the picture as HTML: the mark, the title and the drawing of the home page."""
    home = (WEB / "public" / "index.html").read_text()
    style = (WEB / "public" / "style.css").read_text()
    (drawing,) = re.findall(r'<svg class="picture".*?</svg>', home, re.DOTALL)
    (title,) = re.findall(r'<h1 id="title">(.*?)</h1>', home)
    mark = (WEB / "public" / "icon.svg").read_text().replace("<svg ", '<svg width="44" ', 1)
    data = base64.b64encode((WEB / "public/fonts/manrope-latin.woff2").read_bytes()).decode()
    font = (
        "@font-face{font-family:Manrope;font-weight:200 800;"
        f"src:url(data:font/woff2;base64,{data})}}"
    )
    return (
        f"<style>{style}{font}{_LAYOUT}</style><div><p>{mark}<b>Meridian School</b></p>"
        f"<h1>{title}</h1></div>{drawing}"
    )


def main(path: Path) -> None:
    """Write the picture as PNG."""
    with launched() as browser:
        width, height = SIZE
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
        page.set_content(document())
        page.evaluate("document.fonts.ready.then(() => true)")
        page.screenshot(path=path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
