"""Render the pages of managed login with the colours and the logo of a branding style.

Source: Amazon Cognito developer guide, "Apply branding to managed login pages"; Amazon Cognito API
reference, CreateManagedLoginBranding (Settings, Assets).

The pages also have Hindi and Vietnamese, which managed login lacks ("Managed login localization").
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Final

#: The members of a style's settings.
_MEMBERS: Final = frozenset({"categories", "components", "componentClasses"})
#: Colours are RGBA in hexadecimal, without a number sign.
_COLOUR: Final = re.compile(r"[0-9a-f]{8}")
_MODES: Final = ("lightMode", "darkMode")
_ASSET_MODES: Final = frozenset({"LIGHT", "DARK", "DYNAMIC"})
_TYPES: Final = {
    "ICO": "image/x-icon",
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "SVG": "image/svg+xml",
    "WEBP": "image/webp",
}
#: CSS variable → where its colour is in the settings. `*` stands for the mode.
_COLOURS: Final = {
    "page": "components pageBackground * color",
    "card": "components form * backgroundColor",
    "line": "components form * borderColor",
    "heading": "components pageText * headingColor",
    "text": "components pageText * bodyColor",
    "quiet": "components pageText * descriptionColor",
    "button": "components primaryButton * defaults backgroundColor",
    "button-text": "components primaryButton * defaults textColor",
    "button-hover": "components primaryButton * hover backgroundColor",
    "field": "componentClasses input * defaults backgroundColor",
    "edge": "componentClasses input * defaults borderColor",
    "focus": "componentClasses focusState * borderColor",
}
_GROUNDS: Final = frozenset({"page", "card", "field", "button-text"})
_RULES: Final = """*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;
background:var(--page);color:var(--text);font:1rem/1.5 system-ui,sans-serif}
.card{width:100%;max-width:26rem;padding:2rem;background:var(--card);
border:1px solid var(--line);border-radius:var(--form-radius)}
.card>img{display:block;margin:0 auto 1rem}
h1{margin:0 0 1.5rem;font-size:1.5rem;line-height:1.25;text-align:center;color:var(--heading)}
label{display:block;margin:0 0 .35rem;font-weight:600}
input:not([type=hidden]){width:100%;min-height:2.875rem;margin:0 0 1rem;padding:.5rem .8rem;
font:inherit;color:inherit;background:var(--field);border:1px solid var(--edge);
border-radius:var(--field-radius)}
button{width:100%;min-height:2.875rem;margin:0 0 .75rem;padding:.5rem 1.25rem;font:inherit;
font-weight:700;color:var(--button-text);background:var(--button);border:0;
border-radius:var(--button-radius);cursor:pointer}
button:hover{background:var(--button-hover)}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px}
a{color:var(--focus)}
.error{margin:0 0 1rem;padding:.75rem 1rem;border:1px solid;border-radius:var(--field-radius);
font-weight:600}
.error:empty{display:none}
#languages{display:flex;flex-wrap:wrap;justify-content:center;gap:.25rem;margin:1rem 0 -.5rem}
#languages button{width:auto;min-height:2.75rem;margin:0;padding:.25rem .75rem;font-size:.875rem;
font-weight:600;color:var(--quiet);background:none}
#languages button:hover,#languages [aria-pressed=true]{color:var(--focus);background:none}
#languages [aria-pressed=true]{text-decoration:underline;text-underline-offset:.3em}"""
_FOLDER: Final = Path(__file__).parent


class StyleError(ValueError):
    """Raised when Cognito would refuse the settings or assets of a style."""


def check_style(settings: Mapping[str, Any], assets: list[Mapping[str, Any]]) -> None:
    """Check the settings and assets of a style.

    Raises:
        StyleError: A member is unknown, a colour has another format, or an asset is invalid.
    """
    unknown = settings.keys() - _MEMBERS
    if unknown:
        raise StyleError(f"Settings has unknown members: {', '.join(sorted(unknown))}.")
    for name, value in _leaves(settings):
        if name.lower().endswith("color") and not _COLOUR.fullmatch(str(value)):
            raise StyleError(f"{name} must have eight hexadecimal digits, not {value!r}.")
    for asset in assets:
        if asset.get("ColorMode") not in _ASSET_MODES or asset.get("Extension") not in _TYPES:
            raise StyleError("An asset needs a known ColorMode and Extension.")
        try:
            base64.b64decode(str(asset.get("Bytes", "")), validate=True)
        except binascii.Error:
            raise StyleError("The Bytes of an asset aren't base64.") from None


def _leaves(value: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name, member in value.items():
        if isinstance(member, Mapping):
            yield from _leaves(member)
        else:
            yield name, member


def render(style: Mapping[str, Any], heading: str, body: str) -> str:
    """Return a page of managed login; `style` has the members Settings and Assets."""
    settings = style.get("Settings") or {}
    logo = "".join(_image(it) for it in style.get("Assets") or () if it["Category"] == "FORM_LOGO")
    # Cognito names the attribute with which users sign in.
    body = body.replace('<label for="username">Username<', '<label for="username">Email address<')
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="UTF-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1.0">'
        f"<title>{escape(heading)}</title><style>{_variables(settings)}{_RULES}</style></head>"
        f'<body><main class="card">{logo}<h1>{escape(heading)}</h1>{body}</main>'
        f"<script>{_script()}</script></body></html>"
    )


@cache
def _script() -> str:
    texts = json.loads((_FOLDER / "login_texts.json").read_text(encoding="utf-8"))
    script = (_FOLDER / "login_page.js").read_text(encoding="utf-8")
    # "</script" would end the element (HTML, "Restrictions for contents of script elements").
    values = json.dumps(texts, ensure_ascii=False).replace("<", "\\u003c")
    return script.replace("__TEXTS__", values)


def _image(asset: Mapping[str, Any]) -> str:
    return f'<img alt="" src="data:{_TYPES[asset["Extension"]]};base64,{asset["Bytes"]}">'


def _variables(settings: Mapping[str, Any]) -> str:
    radii = {
        "form-radius": _find(settings, ["components", "form", "borderRadius"], 8),
        "field-radius": _find(settings, ["componentClasses", "input", "borderRadius"], 8),
        "button-radius": _find(settings, ["componentClasses", "buttons", "borderRadius"], 8),
    }
    modes = {
        mode: "".join(
            f"--{name}:#{_find(settings, path.replace('*', mode).split(), _default(name, mode))};"
            for name, path in _COLOURS.items()
        )
        for mode in _MODES
    }
    sizes = "".join(f"--{name}:{value}px;" for name, value in radii.items())
    return (
        f":root{{color-scheme:light dark;{sizes}{modes['lightMode']}}}"
        f"@media(prefers-color-scheme:dark){{:root{{{modes['darkMode']}}}}}"
    )


def _default(name: str, mode: str) -> str:
    is_light = (mode == "lightMode") == (name in _GROUNDS)
    return "ffffffff" if is_light else "0f1b2aff"


def _find(settings: Mapping[str, Any], path: list[str], default: object) -> object:
    value: Any = settings
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return default if value is None else value
