"""The sent emails as a page: GET /_local/mailbox. Pure.

The page has no scripts and loads nothing. Attachments are links with their content (RFC 2397).
"""

import html
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

#: A link in a text; the text around it is escaped.
_LINK: Final = re.compile(r"https?://[^\s<>\"']+")
_PAGE: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Emails of the local system</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; }}
article {{ border: 1px solid #888; border-radius: 6px; margin: 1rem 0; padding: 0 1rem 1rem; }}
pre {{ white-space: pre-wrap; font: inherit; }}
</style>
<main>
<h1>Emails of the local system</h1>
<p>{count}, newest first. Load the page again to see new ones.</p>
{emails}
</main>
</html>
"""


def render(emails: Sequence[Mapping[str, Any]], recipient: str = "") -> str:
    """Return the page of the emails to a recipient, or of all.

    Args:
        emails: The records of MiniStack, oldest first, with `Attachments` of raw emails.
        recipient: An address, or "".
    """
    shown = [it for it in reversed(emails) if not recipient or recipient in it["To"]]
    count = "1 email" if len(shown) == 1 else f"{len(shown)} emails"
    return _PAGE.format(count=count, emails="\n".join(map(_email, shown)))


def _email(email: Mapping[str, Any]) -> str:
    sent = datetime.fromtimestamp(float(email["Timestamp"]), UTC)
    lines = [
        "<article>",
        f"<h2>{_text(email.get('Subject'))}</h2>",
        f"<p>To {_text(', '.join(email['To']))}<br>From {_text(email.get('Source'))}</p>",
        f"<p>{sent:%Y-%m-%d %H:%M:%S} UTC</p>",
        f"<pre>{_linked(str(email.get('BodyText') or ''))}</pre>",
        *(_attachment(it) for it in email.get("Attachments", ())),
        "</article>",
    ]
    return "\n".join(lines)


def _attachment(part: Mapping[str, Any]) -> str:
    name = part["FileName"] or "part of the message"
    kind = _text(part["ContentType"])
    return (
        f'<p><a download="{_text(part["FileName"] or "part")}" '
        f'href="data:{kind};base64,{_text(part["Data"])}">{_text(name)}</a> ({kind})</p>'
    )


def _linked(text: str) -> str:
    """Return a text as HTML, with its links."""
    parts, end = [], 0
    for match in _LINK.finditer(text):
        address = _text(match[0])
        parts += [_text(text[end : match.start()]), f'<a href="{address}">{address}</a>']
        end = match.end()
    return "".join([*parts, _text(text[end:])])


def _text(value: object) -> str:
    return html.escape(str(value or ""))
