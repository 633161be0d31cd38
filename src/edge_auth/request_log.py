"""Format the log line of a request: one JSON object with the outcome and its cause."""

import json

from edge_auth.responses import Outcome
from edge_auth.viewer_request import ViewerRequest


def format_line(
    request: ViewerRequest | None, outcome: Outcome, failure: type[BaseException] | None = None
) -> str:
    """Return the log line of one outcome.

    The line contains no path, query, header, token or claim. CloudFront's access log has the path
    under the same request ID. For a failure, the line contains the exception's type only, because a
    message could quote request data.
    """
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
