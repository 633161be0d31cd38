"""One JSON line per request: what was decided and why, never by whom."""

import json

from edge_auth.request import Request
from edge_auth.responses import Outcome


def line(
    request: Request | None, outcome: Outcome, failure: type[BaseException] | None = None
) -> str:
    """The line of one outcome. It has no path (CloudFront's access log has, under the same request
    id), no query, no header, no token, no claim; of a failure only the type, since a message could
    quote what it failed on."""
    fields = {
        "level": "ERROR" if outcome.status >= 500 else "INFO",
        "message": "edge_auth",
        "reason": outcome.reason,
        "code": outcome.code,
        "error": failure.__name__ if failure else "",
        "status": outcome.status,
        "rule": request.rule if request else "",
        "request_id": request.id if request else "",
    }
    return json.dumps({name: value for name, value in fields.items() if value})
