"""Find the requests that an ID belongs to.

The ID is CloudFront's or S3's request ID, or any other that the system assigned on the way: see
`_LOOKUPS`, or docs/local.md.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Final

from aws_emulator.launcher import EVENT_SOURCES
from aws_emulator.trace import Span
from tools.trace import paths, streams, workflow
from tools.trace.evidence import Evidence, Execution

#: The trees that one ID prints. A batch of a stream has records of many requests.
MAX_TREES: Final = 5

type Lookup = Callable[[Evidence, str], list[str]]


def trees(evidence: Evidence, wanted: str) -> list[Span]:
    """Return the trees of the requests that an ID belongs to; none for an unknown ID."""
    request_trees = []
    for request_id in correlation_ids(evidence, wanted):
        tree = tree_of(evidence, request_id)
        if tree is not None:
            request_trees.append(tree)
    if request_trees:
        return request_trees
    invocation = evidence.invocation_by_id(wanted)
    return [] if invocation is None else [paths.log_only_tree(invocation)]


def tree_of(evidence: Evidence, request_id: str) -> Span | None:
    """Return the tree of a request by CloudFront's or S3's ID; None if it is unknown."""
    line = evidence.request(request_id)
    if line is not None:
        return paths.request_tree(evidence, line)
    upload = _upload(evidence, request_id)
    return None if upload is None else workflow.upload_tree(evidence, upload)


def correlation_ids(evidence: Evidence, wanted: str) -> list[str]:
    """Return the CloudFront or S3 request IDs that an ID belongs to, without repetitions."""
    for lookup in _LOOKUPS:
        request_ids = [_without_row(evidence, it) for it in lookup(evidence, wanted) if it]
        if request_ids:
            return list(dict.fromkeys(request_ids))
    return []


def _without_row(evidence: Evidence, correlation_id: str) -> str:
    """Return the upload's ID for a row of a roster, "<upload>.<row>"; any other ID unchanged."""
    upload, _, row = correlation_id.rpartition(".")
    return upload if row.isdecimal() and _upload(evidence, upload) else correlation_id


def _upload(evidence: Evidence, request_id: str) -> Execution | None:
    imports = (it for it in evidence.executions if it.machine == "import")
    return next((it for it in imports if it.correlation_id == request_id), None)


def _own(evidence: Evidence, wanted: str) -> list[str]:
    """Find a request of CloudFront or S3 itself."""
    known = evidence.request(wanted) is not None or _upload(evidence, wanted) is not None
    return [wanted] if known else []


def _row_of_upload(evidence: Evidence, wanted: str) -> list[str]:
    upload = _without_row(evidence, wanted)
    return [upload] if upload != wanted else []


def _api_request(evidence: Evidence, wanted: str) -> list[str]:
    """Find the request by the ID that API Gateway or S3 gave the origin request."""
    lines = evidence.requests
    return [it.request_id for it in lines if it.fields.get("origin_request_id") == wanted]


def _execution(evidence: Evidence, wanted: str) -> list[str]:
    """Find the request by an execution's name or ARN."""
    return [it.correlation_id for it in evidence.executions if wanted in (it.name, it.arn)]


def _account_request(evidence: Evidence, wanted: str) -> list[str]:
    """Find the requests of a form and of its proof by the `requestId` of the form.

    The functions log the account's ID, which the workflows derive from it.
    """
    account_id = hashlib.sha256(f"account/{wanted}".encode()).hexdigest()[:32]
    return _field(evidence, account_id)


def _invocation(evidence: Evidence, wanted: str) -> list[str]:
    """Find the requests of a function's invocation by the Lambda request ID."""
    invocation = evidence.invocation_by_id(wanted)
    if invocation is None:
        return []
    named = invocation.values("correlation_id") | invocation.values("request_id")
    return sorted(named) or _requests_of_batch(evidence, wanted)


def _requests_of_batch(evidence: Evidence, invocation_id: str) -> list[str]:
    batches = [
        it.fields
        for it in evidence.lines
        if it.source == EVENT_SOURCES and it.fields.get("request_id") == invocation_id
    ]
    return [
        str(line.fields["request_id"])
        for line in evidence.lines
        for batch in batches
        if line.fields.get("sequence")
        and line.fields.get("shard") == batch.get("shard")
        and int(batch.get("first", 0)) <= int(line.fields["sequence"]) <= int(batch.get("last", 0))
        and line.fields.get("request_id")
    ]


def _field(evidence: Evidence, wanted: str) -> list[str]:
    """Find the requests whose log lines have the ID in any field, such as a sequence number."""
    return [
        str(line.fields.get("correlation_id") or line.fields.get("request_id"))
        for line in evidence.lines
        if ("correlation_id" in line.fields or "sequence" in line.fields)
        and wanted in map(str, line.fields.values())
    ]


def _lake(evidence: Evidence, wanted: str) -> list[str]:
    """Find the requests of lake rows by message ID, sequence number, or the object's key."""
    rows = evidence.event_rows("message_id", wanted)
    if not rows and wanted.isdecimal():
        rows = evidence.event_rows("sequence_number", wanted.zfill(SEQUENCE_DIGITS))
    if not rows and wanted.endswith(".parquet"):
        rows = evidence.rows_of_object(wanted.removeprefix("s3://"))
    return streams.requests_of_rows(rows)


#: The lake pads sequence numbers to this length.
SEQUENCE_DIGITS: Final = 56
_LOOKUPS: Final[tuple[Lookup, ...]] = (
    *(_own, _row_of_upload, _api_request, _account_request, _execution, _invocation),
    *(_field, _lake),
)


def recent(evidence: Evidence, limit: int = 10) -> list[str]:
    """Return the newest requests and uploads, one per line with its ID, the newest first."""
    lines: Iterable[tuple[float, str]] = [
        *((it.time_ms, f"{it.request_id}  {it.message}") for it in evidence.requests),
        *(
            (it.start_ms, f"{it.correlation_id}  upload to the rosters bucket, {it.status}")
            for it in evidence.executions
            if it.machine == "import"
        ),
    ]
    return [text for _, text in sorted(lines, reverse=True)[:limit]]
