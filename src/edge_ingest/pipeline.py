"""The collection pipeline: parse, authenticate, validate, redact, pack, deliver.

Each stage is a module. It takes the output of the stage before it:

    parsing         Request     -> Payload     decoded body; events are still JSON text
    authentication  write keys  -> Source      settings of the source that sent the request
    validation      Payload     -> Validated   accepted events, and rejections with a reason
    redaction       Validated   -> Redacted    without the personal data that the source withholds
    packing         Redacted    -> records     bytes for one Region's stream
    delivery        records     -> Delivered   acknowledged by Kinesis

Only `delivery` does I/O. `collector` calls `Pipeline.ingest` once per request.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import msgspec

import clickstream
from clickstream import times
from edge_ingest import privacy, visitor
from edge_ingest.authentication import authenticate, write_keys
from edge_ingest.cloudfront_event import Request
from edge_ingest.delivery import Delivered, Delivery
from edge_ingest.origins import check_origin
from edge_ingest.packing import Provenance, pack
from edge_ingest.parsing import parse
from edge_ingest.rate_limiter import RateLimiter
from edge_ingest.redaction import Redacted, redact
from edge_ingest.routes import Route
from edge_ingest.settings import Settings, Source
from edge_ingest.sources import SourceDirectory
from edge_ingest.validation import RequestContext, StorageRules, check_batch_size, validate

# SDKs give up on a slow request and retry it. The function's timeout can end the request earlier.
DELIVERY_TIMEOUT_S: Final = 8.0
# Reserved for the response and the log entry before the function times out.
_RESPONSE_S: Final = 0.5


class Ingested(msgspec.Struct, frozen=True):
    """The outcome of one request: `accepted` plus `rejected` is the number of its events.

    `delivered` is None for an empty batch. `set_cookie` is the value of a `Set-Cookie` header.
    `repaired` contains the positions and codes of accepted events with an invalid value.
    """

    source_id: str
    accepted: int
    rejected: list[clickstream.Rejected]
    delivered: Delivered | None
    set_cookie: str | None
    repaired: list[tuple[int, str]]


class Pipeline:
    """Run the stages with one deployment's settings. Keep the rate limiter's state."""

    def __init__(
        self,
        settings: Settings,
        sources: SourceDirectory,
        delivery: Delivery,
        edge_region: str,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._sources = sources
        self._delivery = delivery
        self._edge_region = edge_region
        self._clock = clock
        self._monotonic = monotonic
        self._rate_limiter = RateLimiter(monotonic)

    def ingest(
        self, route: Route, request: Request, query: Mapping[str, str], deadline: float
    ) -> Ingested:
        """Process a request's events until Kinesis acknowledges them.

        `deadline` is a reading of the monotonic clock, in seconds.

        Raises:
            IngestError: The request fails as a whole, and no event counts as accepted.
        """
        sources = self._sources.current(request.domain)
        payload = parse(route, request, query, sources.max_body_bytes)
        source = authenticate(sources.find, write_keys(request, query, payload.write_key))
        check_origin(request, source)
        limits = source.limits
        check_batch_size(payload, limits)
        self._rate_limiter.take(source, len(payload.events))

        received_at = times.at(self._clock())
        policy = privacy.policy_for(source.privacy, request, self._settings.salt, received_at)
        identity = visitor.identify(request, source, policy, is_pixel=route.kind == "pixel")
        context = RequestContext(
            write_key=source.write_key,
            received_at=received_at,
            request_id=request.request_id,
            sent_at=times.parse(payload.sent_at),
            event_type=route.event_type,
            salt=self._settings.salt or "",
            visitor_id=identity.id,
            plan=source.plan,
        )
        rules = StorageRules.of(policy.consent_check(payload.context_view), sources.suppressed)
        validated = validate(payload.events, context, limits, rules)
        redacted = redact(validated, payload, policy, request)
        delivered = self._deliver(redacted, source, request, context, deadline)
        # Without consent, and for a suppressed person, the browser gets no cookie either.
        set_cookie = None if redacted.denied else identity.set_cookie
        return Ingested(
            source_id=source.id,
            accepted=len(redacted.accepted),
            rejected=redacted.refused,
            delivered=delivered,
            set_cookie=set_cookie,
            repaired=[(event.i, event.repair) for event in redacted.accepted if event.repair],
        )

    def _deliver(
        self,
        redacted: Redacted,
        source: Source,
        request: Request,
        context: RequestContext,
        deadline: float,
    ) -> Delivered | None:
        if not redacted.accepted and not redacted.refused:
            return None
        provenance = Provenance(
            request_id=request.request_id,
            received_at=context.received_at,
            sent_at=context.sent_at,
            source_id=source.id,
            edge_region=self._edge_region,
        )
        salt = f"{self._settings.salt or ''}\0{source.write_key}"
        visitor = redacted.visitor or request.request_id
        key = clickstream.partition_key(salt, redacted.day, visitor)
        seconds_left = deadline - self._monotonic() - _RESPONSE_S
        return self._delivery.deliver(
            partial(pack, redacted, provenance), key, min(DELIVERY_TIMEOUT_S, seconds_left)
        )
