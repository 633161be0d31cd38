"""A web ACL of a distribution: its rules in the order of their priority, and its rate limits.

AWS WAF evaluates it before CloudFront's cache and functions ("How AWS WAF works with Amazon
CloudFront features"). The first rule that blocks or allows a request ends the evaluation.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from aws_emulator.cloudfront.errors import CustomResponse, WebAclBlockError
from aws_emulator.cloudfront.model import Request, Viewer
from aws_emulator.cloudfront.web_acl.managed_rules import GROUPS
from aws_emulator.cloudfront.web_acl.statements import Json, Matcher, parse_statement
from aws_emulator.errors import CommandError

#: RateBasedStatement, EvaluationWindowSec: "Default: 300".
_WINDOW_S: Final = 300
#: Actions that have no effect on a request here. A puzzle or a challenge needs AWS's own pages.
_PASSING: Final = ("Count", "Captcha", "Challenge")
#: CustomResponseBody, ContentType.
_MEDIA_TYPES: Final = {
    "APPLICATION_JSON": "application/json",
    "TEXT_HTML": "text/html",
    "TEXT_PLAIN": "text/plain",
}

type _Condition = Callable[[Request, Viewer], bool]


class _Rule(NamedTuple):
    name: str
    matches: _Condition
    action: Json


class _RateLimit:
    """Count the requests of each address in a sliding window."""

    def __init__(self, statement: Json, clock: Callable[[], float]) -> None:
        if statement["AggregateKeyType"] != "IP":
            raise CommandError(
                f"The emulator doesn't aggregate requests by {statement['AggregateKeyType']}. Use "
                "the AggregateKeyType IP."
            )
        scope = statement.get("ScopeDownStatement")
        self._limit = int(statement["Limit"])
        self._window_s = int(statement.get("EvaluationWindowSec") or _WINDOW_S)
        self._scope = parse_statement(scope) if scope else None
        self._clock = clock
        self._times: dict[str, deque[float]] = {}

    def __call__(self, request: Request, viewer: Viewer) -> bool:
        if self._scope is not None and not self._scope(request):
            return False
        now = self._clock()
        times = self._times.setdefault(viewer.address, deque(maxlen=self._limit + 1))
        while times and times[0] <= now - self._window_s:
            times.popleft()
        times.append(now)
        return len(times) > self._limit


class WebAcl:
    """The rules of one web ACL."""

    def __init__(self, arn: str, acl: Json, clock: Callable[[], float] = time.monotonic) -> None:
        """`acl` is the WebACL of the API; text to search is as in a template.

        Raises:
            CommandError: The emulator doesn't support a rule.
        """
        self.arn = arn
        self._rules = [
            rule
            for item in sorted(acl.get("Rules") or [], key=lambda it: int(it["Priority"]))
            for rule in _rules(item, clock)
        ]
        self._default = acl["DefaultAction"]
        self._bodies: Json = acl.get("CustomResponseBodies") or {}

    def inspect(self, request: Request, viewer: Viewer) -> None:
        """Evaluate the rules.

        Raises:
            WebAclBlockError: A rule or the default action blocks the request.
        """
        for rule in self._rules:
            if not rule.action.keys() <= set(_PASSING) and rule.matches(request, viewer):
                return self._end(rule.action, rule.name)
        return self._end(self._default, "the default action")

    def _end(self, action: Json, name: str) -> None:
        if "Block" in action:
            response = (action["Block"] or {}).get("CustomResponse")
            raise WebAclBlockError(name, self._custom(response) if response else None)

    def _custom(self, response: Json) -> CustomResponse:
        status, key = int(response["ResponseCode"]), response.get("CustomResponseBodyKey")
        inserted = response.get("ResponseHeaders") or []
        headers = tuple((str(it["Name"]), str(it["Value"])) for it in inserted)
        if not key:
            return CustomResponse(status, headers)
        body = self._bodies[key]
        media_type = _MEDIA_TYPES[body["ContentType"]]
        return CustomResponse(status, headers, media_type, body["Content"].encode())


def _rules(item: Json, clock: Callable[[], float]) -> Iterator[_Rule]:
    """Yield a rule, or the rules of its managed group."""
    name, statement = item["Name"], item["Statement"]
    ((kind, body),) = statement.items()
    if kind == "RateBasedStatement":
        yield _Rule(name, _RateLimit(body, clock), item["Action"])
    elif kind == "ManagedRuleGroupStatement":
        yield from _group(name, body, item.get("OverrideAction") or {})
    else:
        yield _Rule(name, _of_request(parse_statement(statement)), item["Action"])


def _group(name: str, body: Json, override: Json) -> Iterator[_Rule]:
    key = body["VendorName"], body["Name"]
    if key not in GROUPS:
        raise CommandError(
            f"The emulator doesn't know the managed rule group {'/'.join(key)}. Add its documented "
            "rules to aws_emulator/cloudfront/web_acl/managed_rules.py."
        )
    scope = parse_statement(body["ScopeDownStatement"]) if body.get("ScopeDownStatement") else None
    actions = {it["Name"]: it["ActionToUse"] for it in body.get("RuleActionOverrides") or []}
    for rule, matches in GROUPS[key].items():
        action: dict[str, Any] = actions.get(rule, {"Block": {}})
        condition = _of_request(matches, scope)
        yield _Rule(f"{name}/{rule}", condition, {"Count": {}} if "Count" in override else action)


def _of_request(matches: Matcher, scope: Matcher | None = None) -> _Condition:
    return lambda request, _: (scope is None or scope(request)) and matches(request)
