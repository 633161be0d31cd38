"""From a request to its answer: read, know the source, judge, pack, deliver, say so."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

import clickstream
from clickstream import times
from clickstream.event import RefusalError
from edge_ingest import (
    agents,
    answers,
    bodies,
    config,
    cookie,
    envelope,
    events,
    keys,
    log,
    pixel,
    privacy,
    routes,
    viewer,
)
from edge_ingest.answers import Headers, Result
from edge_ingest.delivery import Delivered, Delivery
from edge_ingest.errors import IngestError, MethodError, TooLargeError
from edge_ingest.limiter import Limiter
from edge_ingest.rewriting import rewrite
from edge_ingest.settings import Settings, Source

# Browsers and SDKs give up after some seconds, and try again; the function's own end is nearer.
BUDGET_SECONDS: Final = 8.0
_MARGIN_SECONDS: Final = 0.5


class _Taken(NamedTuple):
    """A request's events on their way: what was judged, and what it says of itself."""

    route: routes.Route
    source: Source
    body: bytes
    found: envelope.Envelope
    visitor: cookie.Visitor | None


class Collector:
    """Answers origin-request events, by the settings of one deployment."""

    def __init__(
        self,
        settings: Settings,
        delivery: Delivery,
        edge_region: str,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        out: Callable[[str], object] = print,
    ) -> None:
        self._settings = settings
        self._delivery = delivery
        self._edge_region = edge_region
        self._clock = clock
        self._monotonic = monotonic
        self._limiter = Limiter(monotonic)
        self._out = out

    def answer(self, event: dict[str, Any], seconds_left: float) -> Result:
        """Answer one origin-request event: always with a result that CloudFront takes.

        `seconds_left` is what the function's time-out leaves.
        """
        started = self._monotonic()
        request = viewer.read(event)
        kind = "other"
        try:
            route = routes.match(request.path)
            kind = route.kind
            result, line = self._route(route, request, started + seconds_left)
        except IngestError as error:
            result = _error_answer(error, request, kind)
            line = log.Line(answers.status_of(error), error.code, kind)
        spent = int((self._monotonic() - started) * 1000)
        log.write(line._replace(milliseconds=spent), self._settings.log_sample, self._out)
        return result

    def _route(
        self, route: routes.Route, request: viewer.Request, deadline: float
    ) -> tuple[Result, log.Line]:
        if request.method == "OPTIONS":
            return answers.preflight(request), log.Line(200, "preflight", route.kind)
        if request.method not in route.methods:
            raise MethodError("method_not_allowed", f"use {' or '.join(route.methods)}")
        query = pixel.query_of(request.query)
        if route.kind in ("project_settings", "source_config"):
            return self._config(route, request, query)
        return self._take(self._read(route, request, query), request, deadline)

    def _config(
        self, route: routes.Route, request: viewer.Request, query: dict[str, str]
    ) -> tuple[Result, log.Line]:
        given = iter([route.key]) if route.key else keys.outside(request, query)
        source = self._known(given)
        if route.kind == "source_config":
            document = config.source_config(source)
        else:
            document = config.project_settings(source, request)
        return answers.config_answer(document), log.Line(200, "config", route.kind, source.id)

    def _read(self, route: routes.Route, request: viewer.Request, query: dict[str, str]) -> _Taken:
        """Read the body and find its source: by what stands outside the body, if it can be."""
        source, given = keys.find(self._settings.sources, keys.outside(request, query))
        limits = self._settings.limits
        if route.kind == "pixel" and route.event_type:
            body = pixel.event(request, query, route.event_type)
        else:
            body = bodies.read(request.body, limits.batch_bytes)
        found = envelope.batch(body) if route.kind == "batch" else envelope.single(body)
        if source is None:
            inner = found.write_key
            source = self._settings.sources.get(inner) if isinstance(inner, str) else None
            if source is None:
                raise keys.refusal(given=given or bool(inner))
        if len(found.events) > limits.batch_events:
            raise TooLargeError(
                "too_many_events", f"a batch has at most {limits.batch_events} events"
            )
        visitor = cookie.visitor(request, source.cookie) if source.cookie else None
        return _Taken(route, source, body, found, visitor)

    def _known(self, given: Iterator[str]) -> Source:
        source, any_given = keys.find(self._settings.sources, given)
        if source is None:
            raise keys.refusal(given=any_given)
        return source

    def _take(
        self, taken: _Taken, request: viewer.Request, deadline: float
    ) -> tuple[Result, log.Line]:
        source = taken.source
        self._limiter.take(source, len(taken.found.events))
        received_at = times.at(self._clock())
        policy = privacy.policy(source.privacy, request, self._settings.salt, received_at)
        if policy.anonymous:
            taken = taken._replace(visitor=None)
        checked = self._check(taken, request, policy, received_at)
        delivered: Delivered | None = None
        if checked.accepted or checked.rejected:
            delivered = self._deliver(taken, checked, request, policy, received_at, deadline)
        line = log.Line(
            200,
            "ok",
            taken.route.kind,
            source.id,
            accepted=len(checked.accepted),
            rejected=len(checked.rejected),
        )
        if delivered:
            line = line._replace(
                records=delivered.records,
                bytes=delivered.bytes,
                region=delivered.region,
                failover=delivered.failover,
            )
        return _accepted_answer(taken, checked, request), line

    def _check(
        self,
        taken: _Taken,
        request: viewer.Request,
        policy: privacy.Policy,
        received_at: datetime,
    ) -> events.Checked:
        outer = taken.found.outer
        is_pixel = taken.route.kind == "pixel"
        visitor_id = taken.visitor.id if taken.visitor else None
        if is_pixel and visitor_id is None:
            agent = request.header("user-agent")
            salt = self._settings.salt or taken.source.write_key
            address = policy.address(request.client_ip)
            visitor_id = privacy.visitor_of_the_day(salt, policy.day, address, agent)
        given = events.Given(
            write_key=taken.source.write_key,
            received_at=received_at,
            sent_at=times.parse(taken.found.sent_at),
            event_type=taken.route.event_type,
            nonce=request.request_id if is_pixel else "",
            visitor_id=visitor_id,
        )
        needs_consent = policy.rules.consent.categories
        screen = events.Screen(
            consents=(lambda view: policy.consents(view, outer)) if needs_consent else None,
            event=policy.event if policy.touches(taken.body) else None,
            refused=policy.refused,
        )
        return events.check(taken.found.events, given, self._settings.limits, screen)

    def _deliver(
        self,
        taken: _Taken,
        checked: events.Checked,
        request: viewer.Request,
        policy: privacy.Policy,
        received_at: datetime,
        deadline: float,
    ) -> Delivered:
        seen = viewer.describe(request)
        bot = agents.is_bot(checked.agent or seen.user_agent)
        stored = policy.viewer(seen)
        sent_at = times.parse(taken.found.sent_at)

        def pack(region: str, failover: bool) -> list[bytes]:
            header = clickstream.Header(
                request_id=request.request_id,
                received_at=times.text(received_at),
                sent_at=None if sent_at is None else times.text(sent_at),
                source=taken.source.id,
                stream_region=region,
                edge_region=self._edge_region,
                failover=failover,
                ip=policy.address(request.client_ip),
                user_agent=stored.user_agent,
                bot=bot,
                country=stored.country,
                region=stored.region,
                city=stored.city,
                time_zone=stored.time_zone,
                device=stored.device,
                context=msgspec.Raw(_context(taken, policy)),
            )
            return clickstream.encode(header, checked.accepted, checked.rejected)

        key = clickstream.partition_key(
            taken.source.write_key, checked.visitor or request.request_id
        )
        seconds = min(BUDGET_SECONDS, deadline - self._monotonic() - _MARGIN_SECONDS)
        return self._delivery.deliver(pack, key, seconds)


def _context(taken: _Taken, policy: privacy.Policy) -> bytes:
    """Return the batch's own context as the privacy rules leave it, on one line."""
    context = taken.found.context
    if context == b"null" or not policy.touches(taken.body):
        return context
    try:
        inner = rewrite(b'{"context":' + context + b"}", policy.change)
    except RefusalError:
        return b"null"
    found = msgspec.json.decode(inner, type=dict[str, msgspec.Raw]).get("context")
    return b"null" if found is None else bytes(found)


def _accepted_answer(taken: _Taken, checked: events.Checked, request: viewer.Request) -> Result:
    headers: Headers = answers.cors(request)
    if taken.visitor:
        headers["set-cookie"] = taken.visitor.set_cookie
    if taken.route.kind == "pixel":
        return answers.pixel_answer(200, headers)
    document = {
        "success": True,
        "accepted": len(checked.accepted),
        "rejected": [
            {"index": refused.i, "code": refused.code, "message": refused.message}
            for refused in checked.rejected
        ],
    }
    return answers.json_answer(200, document, headers)


def _error_answer(error: IngestError, request: viewer.Request, kind: str) -> Result:
    headers = {**answers.cors(request), **answers.error_headers(error)}
    status = answers.status_of(error)
    if kind == "pixel":
        return answers.pixel_answer(status, headers)
    return answers.json_answer(status, answers.error_document(error), headers)
