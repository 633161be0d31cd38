"""Fill the template of an HTML page."""

from collections.abc import Mapping
from pathlib import Path


def fill(template: Path, values: Mapping[str, str]) -> str:
    """Return the page with a value, which is HTML, in place of each `{{name}}`.

    Values aren't searched for names, so that the text of a value can't be taken for one.

    Raises:
        KeyError: The template has a name without a value.
    """
    before, *parts = template.read_text(encoding="utf-8").split("{{")
    text = [before]
    for part in parts:
        name, _, rest = part.partition("}}")
        text += [values[name], rest]
    return "".join(text)
