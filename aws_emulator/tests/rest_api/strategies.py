"""Hypothesis strategies for text and JSON that clients can send."""

from typing import Final

from hypothesis import strategies as st

from aws_emulator.tests.strategies import json_values

#: Texts that break out of a JSON string, a template or a form if a template doesn't escape them.
INJECTIONS: Final = (
    "O'Brien",
    '"',
    '", "owner": "someone else',
    "\\",
    '\\"',
    "\n\r\t",
    "\x00\x1f",
    "$context.requestId",
    "#set($x = 1)",
    "${util}",
    "&Action=DeleteQueue",
    "%27%22",
    "\u2028\u2029",
    "\U0001f600 e\u0301",
    "\ud83d",
)
texts = st.text(max_size=30) | st.builds(
    lambda before, injection, after: before + injection + after,
    st.text(max_size=5),
    st.sampled_from(INJECTIONS),
    st.text(max_size=5),
)

__all__ = ["INJECTIONS", "json_values", "texts"]
