"""The adapter of the record of the home, in the Region's own replica of the appointments table.

| pk | sk | attributes |
|---|---|---|
| `HOME#<part>` | `HOME` | `holder`: the home; `epoch`; `moving`, while no Region accepts writes |

Without items, the Region of the deployment's `HomeRegion` is the home, with epoch 0.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from bookings import dynamodb_calls, home
from bookings.errors import ConflictError, HomeChangeError, NotHomeError, UnavailableError
from bookings.home import PARTS, Home

#: A process may send requests by a record of this age. Writes are guarded anyway.
KEPT_MS: Final = 3000
_NOT_EXPORTED: Final = "none"
_RETRY: Final = "The record of the home changed at the same time. Repeat the command."


class HomeTable:
    """The record in one Region, with a low-level DynamoDB client."""

    def __init__(
        self,
        dynamodb: Any,
        name: str,
        region: str,
        first_home: str,
        clock_ms: Callable[[], int],
    ) -> None:
        """Create the adapter. `first_home` is the home until it moves for the first time."""
        self.region = region
        self._dynamodb = dynamodb
        self._name = name
        self._first = Home(first_home)
        self._clock_ms = clock_ms
        self._known: Home | None = None
        self._known_at_ms = 0
        self._last = self._first

    def current(self) -> Home:
        """Return the home, as this process read it in the last seconds.

        If DynamoDB fails, the last answer stays: a request can still reach the home from here.
        """
        now_ms = self._clock_ms()
        if self._known is not None and now_ms - self._known_at_ms <= KEPT_MS:
            return self._known
        try:
            self._last = self._read()
        except UnavailableError:
            return self._last
        self._known, self._known_at_ms = self._last, now_ms
        return self._last

    def forget(self) -> None:
        """Read the record again at the next use."""
        self._known = None

    def newest(self) -> Home:
        """Return the newest part of the record that has arrived here.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        return max(self._parts(), key=lambda it: it.epoch)

    def guards(self, advisors: Iterable[str]) -> list[dict[str, Any]]:
        """Return the actions that cancel a transaction unless this Region is the home.

        Raises:
            NotHomeError: As far as this process knows, another Region is, or the home is moving.
        """
        known = self.current()
        if not known.accepts(self.region):
            raise NotHomeError("The bookings are moving to another Region.")
        condition = self._condition(known)
        return [
            {"ConditionCheck": {"TableName": self._name, "Key": _key(part), **condition}}
            for part in sorted({home.part_of(it) for it in advisors})
        ]

    def release(self, to: str) -> Home:
        """Stop accepting writes here, for another Region. A repetition changes nothing.

        Raises:
            HomeChangeError: This Region isn't the home.
            UnavailableError: DynamoDB failed.
        """
        known = self._parts()
        after = home.released(max(known, key=lambda it: it.epoch), self.region, to)
        return self._write(known, after)

    def begin(self) -> Home:
        """Accept writes here after the old home has stopped. A repetition changes nothing.

        Raises:
            HomeChangeError: The old home hasn't stopped, or not all parts have arrived.
            UnavailableError: DynamoDB failed.
        """
        known = self._parts()
        return self._write(known, home.begun(known, self.region))

    def take_over(self) -> Home:
        """Accept writes here although the old home doesn't answer. A repetition changes nothing.

        Raises:
            HomeChangeError: The record changed at the same time.
            UnavailableError: DynamoDB failed.
        """
        known = self._parts()
        return self._write(known, home.taken_over(known, self.region))

    def _read(self) -> Home:
        answer = dynamodb_calls.call(
            lambda: self._dynamodb.get_item(TableName=self._name, Key=_key(0), ConsistentRead=True)
        )
        return self._parse(answer.get("Item"))

    def _parts(self) -> list[Home]:
        request: dict[str, Any] = {
            self._name: {"Keys": [_key(part) for part in range(PARTS)], "ConsistentRead": True}
        }
        items: list[dict[str, Any]] = []
        while request:
            answer = self._batch(request)
            items += answer["Responses"].get(self._name, [])
            request = answer.get("UnprocessedKeys") or {}
        by_key = {it["pk"]["S"]: self._parse(it) for it in items}
        return [by_key.get(_key(part)["pk"]["S"], self._first) for part in range(PARTS)]

    def _batch(self, request: dict[str, Any]) -> Any:
        return dynamodb_calls.call(lambda: self._dynamodb.batch_get_item(RequestItems=request))

    def _write(self, known: list[Home], after: Home) -> Home:
        """Change all parts in one transaction.

        Raises:
            HomeChangeError: A part has changed since it was read.
            UnavailableError: DynamoDB failed.
        """
        self.forget()
        if set(known) == {after}:
            return after
        updates = [
            {"Update": self._update(part, before, after)} for part, before in enumerate(known)
        ]
        try:
            dynamodb_calls.call(lambda: self._dynamodb.transact_write_items(TransactItems=updates))
        except ConflictError:
            raise HomeChangeError(_RETRY) from None
        return after

    def _update(self, part: int, before: Home, after: Home) -> dict[str, Any]:
        condition = self._condition(before)
        values = {
            ":after": {"S": after.region},
            ":next": {"N": str(after.epoch)},
            ":none": {"S": _NOT_EXPORTED},
            ":now": {"N": str(self._clock_ms())},
        } | condition.pop("ExpressionAttributeValues", {})
        change = "SET holder = :after, epoch = :next, origin_region = :none, updated_at = :now"
        if after.is_moving:
            change += ", moving = :moving"
            values[":moving"] = {"S": "yes"}
        else:
            change += " REMOVE moving"
        return {
            "TableName": self._name,
            "Key": _key(part),
            "UpdateExpression": change,
            "ExpressionAttributeValues": values,
            **condition,
        }

    def _condition(self, known: Home) -> dict[str, Any]:
        """Return the condition that a part is as known."""
        if known == self._first:
            return {"ConditionExpression": "attribute_not_exists(pk)"}
        moving = "attribute_exists(moving)" if known.is_moving else "attribute_not_exists(moving)"
        return {
            "ConditionExpression": f"holder = :holder AND epoch = :epoch AND {moving}",
            "ExpressionAttributeValues": {
                ":holder": {"S": known.region},
                ":epoch": {"N": str(known.epoch)},
            },
        }

    def _parse(self, item: dict[str, Any] | None) -> Home:
        if item is None:
            return self._first
        return Home(item["holder"]["S"], int(item["epoch"]["N"]), "moving" in item)


def _key(part: int) -> dict[str, Any]:
    return {"pk": {"S": f"HOME#{part:02}"}, "sk": {"S": "HOME"}}
