"""The log of the workflow's functions: one JSON line with the correlation id.

The keys are those of Powertools' logger. This module replaces it where its import would take a
large part of a cold start.
"""

import json


def info(message: str, correlation_id: object, **fields: object) -> None:
    """Log at level INFO. Fields hold ids, counts and fixed words, never personal data.

    `correlation_id` is the id of the request that caused the work: CloudFront's or S3's. Fields
    that are empty are omitted.
    """
    line = {"level": "INFO", "message": message, "correlation_id": correlation_id or "", **fields}
    print(json.dumps({name: value for name, value in line.items() if value not in ("", None)}))
