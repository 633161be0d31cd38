"""The pages of managed login have the portal's colours and its mark."""

import base64
import re
from collections.abc import Iterator
from typing import Any, Final

from aws_emulator.ministack import login_page
from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import resources

PUBLIC: Final = ROOT / "web" / "public"
STYLE: Final[dict[str, Any]] = resources(ROOT / "stacks" / "foundation.yaml")["LoginBranding"][
    "Properties"
]
#: Token of the portal, by the path of a colour in the settings.
TOKENS: Final = {
    "components pageBackground color": "sunk",
    "components pageText headingColor": "text",
    "components form backgroundColor": "raised",
    "components form borderColor": "line",
    "components primaryButton defaults backgroundColor": "accent",
    "components primaryButton defaults textColor": "on-accent",
    "componentClasses input defaults borderColor": "edge",
    "componentClasses focusState borderColor": "accent",
}


def portal_colours() -> dict[str, dict[str, str]]:
    """Return the colours of the tokens by mode, as RGBA."""
    blocks = re.findall(r":root ?\{(.*?)\}", (PUBLIC / "style.css").read_text(), re.DOTALL)
    light, dark = (dict(re.findall(r"--([a-z-]+): ?#([0-9a-f]{3,6});", it)) for it in blocks)

    def rgba(value: str) -> str:
        return ("".join(it * 2 for it in value) if len(value) == 3 else value) + "ff"

    return {
        "lightMode": {name: rgba(value) for name, value in light.items()},
        "darkMode": {name: rgba(value) for name, value in (light | dark).items()},
    }


def colours(value: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str]]:
    """Yield each colour of the settings: its path, its mode and its value."""
    for name, member in value.items():
        if isinstance(member, dict):
            yield from colours(member, (*path, name))
        elif name.lower().endswith("color"):
            (mode,) = (it for it in path if it.endswith("Mode"))
            yield " ".join(it for it in (*path, name) if it != mode), mode, member


def test_settings_have_the_colours_of_the_portal() -> None:
    portal = portal_colours()
    shown = list(colours(STYLE["Settings"]))
    for path, mode, value in shown:
        assert value in portal[mode].values(), (path, mode)
        if path in TOKENS:
            assert value == portal[mode][TOKENS[path]], (path, mode)
    assert {path for path, _, _ in shown} >= TOKENS.keys()
    # The browser decides between light and dark, as on the portal.
    assert STYLE["Settings"]["categories"]["global"]["colorSchemeMode"] == "DYNAMIC"


def test_logo_is_the_mark_of_the_portal() -> None:
    (logo,) = STYLE["Assets"]
    assert (logo["Category"], logo["Extension"]) == ("FORM_LOGO", "SVG")
    drawing = base64.b64decode(logo["Bytes"]).decode().replace(' width="48" height="48"', "", 1)
    assert drawing == (PUBLIC / "icon.svg").read_text().strip()


def test_local_page_shows_the_style() -> None:
    login_page.check_style(STYLE["Settings"], STYLE["Assets"])
    label = '<label for="username">Username</label>'
    page = login_page.render(STYLE, "Sign in", label)
    for mode in portal_colours().values():
        for name in ("sunk", "raised", "accent", "on-accent", "edge", "text"):
            assert f"#{mode[name]}" in page
    assert "Email address</label>" in page
    assert "data:image/svg+xml;base64," in page
