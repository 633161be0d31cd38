"""A replicated table in memory: each Region evaluates conditions on its own items.

As in DynamoDB's global tables with eventual consistency, each item is replicated alone, at any
later time, and the last writer of an item wins.
"""

import copy
import re
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

type Item = dict[str, Any]
type Key = tuple[str, str, str]


@dataclass
class World:
    """The Regions' replicas, and the writes that haven't reached one of them."""

    regions: tuple[str, ...]
    #: Region -> key -> (the number of the write, the item).
    items: dict[str, dict[Key, tuple[int, Item | None]]] = field(default_factory=dict)
    waiting: list[tuple[str, Key, int, Item | None]] = field(default_factory=list)
    #: Tables that exist in their Region only.
    local: frozenset[str] = frozenset({"accounts"})
    number: int = 0

    def __post_init__(self) -> None:
        self.items = {region: {} for region in self.regions}

    def write(self, region: str, key: Key, item: Item | None) -> None:
        self.number += 1
        self.items[region][key] = (self.number, copy.deepcopy(item))
        if key[0] not in self.local:
            others = [it for it in self.regions if it != region]
            self.waiting += [(it, key, self.number, copy.deepcopy(item)) for it in others]

    def replicate(self, index: int) -> None:
        """Let one of the waiting writes arrive."""
        region, key, number, item = self.waiting.pop(index)
        if number > self.items[region].get(key, (0, None))[0]:
            self.items[region][key] = (number, item)

    def replicate_all(self) -> None:
        while self.waiting:
            self.replicate(0)

    def table(self, region: str, name: str) -> dict[tuple[str, str], Item]:
        return {
            (pk, sk): item
            for (table, pk, sk), (_, item) in self.items[region].items()
            if table == name and item is not None
        }


class Replica:
    """The calls of a low-level DynamoDB client that the bookings use, in one Region."""

    def __init__(self, world: World, region: str) -> None:
        self._world = world
        self._region = region

    def get_item(self, TableName: str, Key: Item, ConsistentRead: bool) -> Item:  # noqa: N803
        assert ConsistentRead
        item = self._item(TableName, Key)
        return {} if item is None else {"Item": copy.deepcopy(item)}

    def batch_get_item(self, RequestItems: Item) -> Item:  # noqa: N803
        ((name, request),) = RequestItems.items()
        items = [self._item(name, key) for key in request["Keys"]]
        return {"Responses": {name: [copy.deepcopy(it) for it in items if it is not None]}}

    def query(self, **request: Any) -> Item:
        values = request["ExpressionAttributeValues"]
        table = self._world.table(self._region, request["TableName"])
        first = values.get(":first", {"S": ""})["S"]
        last = values.get(":last", {"S": "\U0010ffff"})["S"]
        items = [
            copy.deepcopy(item)
            for (pk, sk), item in sorted(table.items())
            if pk == values[":pk"]["S"] and first <= sk <= last
        ]
        return {"Items": items[: request.get("Limit", len(items))]}

    def get_paginator(self, operation: str) -> "Scan":
        assert operation == "scan"
        return Scan(self._world, self._region)

    def update_item(self, **request: Any) -> None:
        self._single("Update", request)

    def put_item(self, **request: Any) -> None:
        self._single("Put", request)

    def delete_item(self, **request: Any) -> None:
        self._single("Delete", request)

    def transact_write_items(self, TransactItems: list[Item]) -> None:  # noqa: N803
        failed = [not self._holds(*next(iter(it.items()))) for it in TransactItems]
        if any(failed):
            response: Any = {
                "Error": {"Code": "TransactionCanceledException"},
                "CancellationReasons": [
                    {"Code": "ConditionalCheckFailed" if it else "None"} for it in failed
                ],
            }
            raise ClientError(response, "TransactWriteItems")
        for action in TransactItems:
            self._apply(*next(iter(action.items())))

    def _single(self, kind: str, request: Item) -> None:
        if not self._holds(kind, request):
            raise ClientError({"Error": {"Code": "ConditionalCheckFailedException"}}, kind)
        self._apply(kind, request)

    def _item(self, table: str, key: Item) -> Item | None:
        address = (table, key["pk"]["S"], key["sk"]["S"])
        return self._world.items[self._region].get(address, (0, None))[1]

    def _holds(self, _kind: str, request: Item) -> bool:
        item = self._item(request["TableName"], request.get("Key") or request["Item"]) or {}
        values = request.get("ExpressionAttributeValues", {})
        condition = request.get("ConditionExpression", "")
        return not condition or any(
            all(_is_true(term, item, values) for term in part.split(" AND "))
            for part in condition.split(" OR ")
        )

    def _apply(self, kind: str, request: Item) -> None:
        key: Item = request.get("Key") or request["Item"]
        address = (request["TableName"], key["pk"]["S"], key["sk"]["S"])
        if kind == "Put":
            self._world.write(self._region, address, request["Item"])
        elif kind == "Delete":
            self._world.write(self._region, address, None)
        elif kind == "Update":
            item = dict(self._item(request["TableName"], key) or key)
            _update(item, request["UpdateExpression"], request["ExpressionAttributeValues"])
            self._world.write(self._region, address, item)


class Scan:
    """Pages of a scan of the outbox."""

    def __init__(self, world: World, region: str) -> None:
        self._world = world
        self._region = region

    def paginate(self, **request: Any) -> list[Item]:
        assert request["FilterExpression"] == (
            "begins_with(sk, :prefix) AND notice IN (:booked, :kept, :moved)"
        )
        values = request["ExpressionAttributeValues"]
        notices = (values[":booked"], values[":kept"], values[":moved"])
        table = self._world.table(self._region, request["TableName"])
        return [
            {"Items": [copy.deepcopy(item)]}
            for (_, sk), item in sorted(table.items())
            if sk.startswith(values[":prefix"]["S"]) and item.get("notice") in notices
        ]


def _is_true(term: str, item: Item, values: Item) -> bool:
    if match := re.fullmatch(r"attribute_(not_)?exists\((\w+)\)", term):
        return (match[2] in item) != bool(match[1])
    if match := re.fullmatch(r"contains\((\w+), (:\w+)\)", term):
        return values[match[2]]["S"] in item.get(match[1], {}).get("SS", ())
    name, operator, value = term.split()
    if name not in item:
        return False
    if operator == "=":
        return bool(item[name] == values[value])
    assert operator == "<="
    return int(item[name]["N"]) <= int(values[value]["N"])


def _update(item: Item, expression: str, values: Item) -> None:
    expression, _, deleted = expression.partition(" DELETE ")
    if deleted:
        name, value = deleted.split()
        item[name] = {"SS": [it for it in item[name]["SS"] if it not in values[value]["SS"]]}
    changed, _, removed = expression.removeprefix("SET ").partition(" REMOVE ")
    before = dict(item)
    for part in re.split(r", (?=\w+ = )", changed):
        name, _, value = part.partition(" = ")
        if match := re.fullmatch(r"if_not_exists\((\w+), (:\w+)\) \+ (:\w+)", value):
            present: Item = before.get(match[1]) or values[match[2]]
            item[name] = {"N": str(int(present["N"]) + int(values[match[3]]["N"]))}
        elif match := re.fullmatch(r"(\w+) \+ (:\w+)", value):
            item[name] = {"N": str(int(before[match[1]]["N"]) + int(values[match[2]]["N"]))}
        else:
            item[name] = values[value]
    for name in filter(None, removed.split(", ")):
        item.pop(name, None)
