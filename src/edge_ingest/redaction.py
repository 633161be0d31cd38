"""Redaction: apply the source's privacy policy to everything that the record will contain.

Input: `Validated` and the request. Output: `Redacted`; `packing` reads nothing else of the visitor.
"""

from operator import attrgetter

import msgspec

from clickstream import Accepted, Rejected
from clickstream.event import InvalidEventError, View
from edge_ingest import cloudfront_event, visitor_facts
from edge_ingest.cloudfront_event import Request
from edge_ingest.errors import SUPPRESSED
from edge_ingest.json_rewrite import rewrite
from edge_ingest.parsing import Payload
from edge_ingest.privacy import Policy
from edge_ingest.validation import Rejection, Validated
from edge_ingest.visitor_facts import RequestFacts


class Redacted(msgspec.Struct, frozen=True):
    """The storable parts of a request. Accepted, rejected and denied events are all its events.

    `denied` events have no consent, or are of suppressed persons: none of the request's facts may
    be stored with them.
    `context` is the batch's context as JSON. `facts` are empty if a server sent the request; its
    events have facts of their own. `visitor` isn't redacted: it goes into the hash of the partition
    key only, never into a record.
    `day` is the date of the first event by its sender's clock, which a re-sent event repeats.
    """

    accepted: list[Accepted]
    rejected: list[Rejected]
    denied: list[Rejected]
    context: bytes
    facts: RequestFacts
    visitor: str
    day: str

    @property
    def refused(self) -> list[Rejected]:
        """The rejected and denied events in the order of the request."""
        if not self.denied:
            return self.rejected
        return sorted(self.rejected + self.denied, key=attrgetter("i"))


def redact(
    validated: Validated,
    payload: Payload,
    policy: Policy,
    request: Request,
) -> Redacted:
    """Return the request's data as the source's policy permits storing it.

    An accepted event that the policy can't be applied to becomes a rejected one.
    """
    context = payload.context
    if policy.applies_to(payload.body):
        validated = _redact_events(validated, payload.events, policy)
        context = _redact_context(context, policy)
    views, rejections = validated.views, validated.rejected
    # The context and the request's facts can describe the suppressed person.
    of_suppressed = any(rejection.code == SUPPRESSED for rejection in rejections)
    if of_suppressed or not policy.permits_context(payload.context_view):
        context = b"null"
    first = views[0] if views else None
    facts = RequestFacts() if of_suppressed else _facts_of(request, policy)
    from_device = visitor_facts.is_from_device(request)
    if from_device and validated.accepted and visitor_facts.is_from_app(request):
        facts = visitor_facts.of_app(facts, validated.accepted[0], context)
    accepted = visitor_facts.add_facts(
        validated.accepted, views, payload, context, facts, from_device=from_device
    )
    return Redacted(
        accepted=accepted,
        rejected=[
            _redact_rejection(rejection, policy)
            for rejection in rejections
            if rejection.text is not None
        ],
        denied=[
            Rejected(i=rejection.i, code=rejection.code, message=rejection.message, raw="")
            for rejection in rejections
            if rejection.text is None
        ],
        context=context,
        facts=facts if from_device else RequestFacts(),
        visitor=first.visitor if first else "",
        day=(accepted[0].original_timestamp or policy.day)[:10] if accepted else policy.day,
    )


def _facts_of(request: Request, policy: Policy) -> RequestFacts:
    viewer = cloudfront_event.viewer_of(request)
    return RequestFacts(
        ip=policy.redact_ip(request.client_ip),
        viewer=policy.redact_viewer(viewer),
        bot=visitor_facts.is_bot(viewer.user_agent),
        agent=viewer.user_agent,
    )


def _redact_events(validated: Validated, texts: list[bytes], policy: Policy) -> Validated:
    accepted: list[Accepted] = []
    views: list[View] = []
    failed: list[Rejection] = []
    for event, view in zip(validated.accepted, validated.views, strict=True):
        try:
            text = policy.redact_event(bytes(event.event))
        except InvalidEventError as error:
            failed.append(Rejection(event.i, error.code, str(error), texts[event.i]))
            continue
        accepted.append(msgspec.structs.replace(event, event=msgspec.Raw(text)))
        views.append(view)
    return Validated(accepted, views, sorted(validated.rejected + failed, key=attrgetter("i")))


def _redact_context(context: bytes, policy: Policy) -> bytes:
    if context == b"null":
        return context
    try:
        rewritten = rewrite(b'{"context":' + context + b"}", policy.redact_object)
    except InvalidEventError:
        return b"null"
    raw_context = msgspec.json.decode(rewritten, type=dict[str, msgspec.Raw]).get("context")
    return b"null" if raw_context is None else bytes(raw_context)


def _redact_rejection(rejection: Rejection, policy: Policy) -> Rejected:
    raw = policy.redact_rejected(rejection.text or b"")
    return Rejected(i=rejection.i, code=rejection.code, message=rejection.message, raw=raw)
