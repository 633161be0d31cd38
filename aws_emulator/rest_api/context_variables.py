"""Replace `$context` variables in texts that are no mapping templates.

Gateway responses and access log formats are such texts: "The templates are not processed by the VTL
engine".
"""

import re
from typing import Final

from aws_emulator.rest_api.model import Context

_VARIABLE: Final = re.compile(r"\$context\.([A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z0-9]+)*)")


def replace_variables(text: str, context: Context) -> str:
    """Return the text with each variable replaced by its value, or by "-" if it has none."""
    return _VARIABLE.sub(lambda match: _value(context, match[1]), text)


def _value(context: Context, path: str) -> str:
    node: object = context
    for part in path.split("."):
        node = node.get(part, "-") if isinstance(node, dict) else "-"
    return str(node)
