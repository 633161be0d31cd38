"""An accounts table in memory that evaluates the expressions of requests, and a user pool."""

import operator
import re
from collections.abc import Callable
from typing import Any, Final

from tests.unit.stepfunctions.fakes import client_error

_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
}
_TERM: Final = re.compile(r"([#\w]+) (=|<>|<) (:\w+)")
_MEMBER: Final = re.compile(r"([#\w]+) IN \(([^)]*)\)")
_EXISTS: Final = re.compile(r"attribute_(not_)?exists\((\w+)\)")


class AccountsStore:
    """A low-level DynamoDB client for one table; `before` runs before each call."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.before = before

    def put(self, pk: str, sk: str, **values: str) -> None:
        """Store an item of texts."""
        texts = {name: {"S": it} for name, it in values.items()}
        self.items[pk, sk] = {"pk": {"S": pk}, "sk": {"S": sk}, **texts}

    def get_item(self, **request: Any) -> Any:
        assert request["ConsistentRead"]
        self.before()
        item = self.items.get(_key(request["Key"]))
        return {"Item": dict(item)} if item else {}

    def query(self, **request: Any) -> Any:
        assert request["ConsistentRead"]
        self.before()
        pk = request["ExpressionAttributeValues"][":pk"]["S"]
        return {"Items": [dict(it) for key, it in self.items.items() if key[0] == pk]}

    def put_item(self, **request: Any) -> Any:
        self.before()
        if not self._holds(request):
            raise client_error("ConditionalCheckFailedException")
        self._write("Put", request)
        return {}

    def update_item(self, **request: Any) -> Any:
        self.before()
        if not self._holds(request):
            raise client_error("ConditionalCheckFailedException")
        self._write("Update", request)
        return {"Attributes": dict(self.items[_key(request["Key"])])}

    def delete_item(self, **request: Any) -> Any:
        self.before()
        self._write("Delete", request)
        return {}

    def transact_write_items(self, TransactItems: list[Any]) -> Any:  # noqa: N803 - boto3's
        self.before()
        entries = [next(iter(it.items())) for it in TransactItems]
        keys = [_key(it.get("Key") or it["Item"]) for _, it in entries]
        assert len(keys) == len(set(keys)), "A transaction can't have an item twice."
        held = [self._holds(it) for _, it in entries]
        if not all(held):
            error = client_error("TransactionCanceledException")
            codes = ["None" if it else "ConditionalCheckFailed" for it in held]
            error.response["CancellationReasons"] = [{"Code": it} for it in codes]
            raise error
        for kind, request in entries:
            self._write(kind, request)
        return {}

    def _holds(self, request: dict[str, Any]) -> bool:
        expression = request.get("ConditionExpression", "")
        item = self.items.get(_key(request.get("Key") or request["Item"]), {})
        return any(
            all(self._term(part, request, item) for part in option.split(" AND "))
            for option in expression.split(" OR ")
        )

    def _term(self, text: str, request: dict[str, Any], item: dict[str, Any]) -> bool:
        if not text:
            return True
        names = request.get("ExpressionAttributeNames", {})
        values = request.get("ExpressionAttributeValues", {})
        if match := _EXISTS.fullmatch(text):
            return (match[2] in item) != bool(match[1])
        if match := _MEMBER.fullmatch(text):
            stored = item.get(names.get(match[1], match[1]))
            return stored in [values[it] for it in match[2].split(", ")]
        match = _TERM.fullmatch(text)
        assert match is not None, text
        stored = item.get(names.get(match[1], match[1]))
        # A comparison with a missing attribute is false, except "<>".
        if stored is None:
            return match[2] == "<>"
        ((kind, left),), ((_, right),) = stored.items(), values[match[3]].items()
        both = (int(left), int(right)) if kind == "N" else (left, right)
        return _COMPARISONS[match[2]](*both)

    def _write(self, kind: str, request: dict[str, Any]) -> None:
        if kind == "Put":
            self.items[_key(request["Item"])] = dict(request["Item"])
        elif kind == "Delete":
            self.items.pop(_key(request["Key"]), None)
        elif kind == "Update":
            self._update(request)

    def _update(self, request: dict[str, Any]) -> None:
        names = request.get("ExpressionAttributeNames", {})
        values = request.get("ExpressionAttributeValues", {})
        key = _key(request["Key"])
        item = dict(self.items.get(key, request["Key"]))
        parts = re.split(r" ?\b(SET|REMOVE|ADD) ", request["UpdateExpression"])[1:]
        for verb, text in zip(parts[::2], parts[1::2], strict=True):
            for part in text.split(", "):
                if verb == "REMOVE":
                    item.pop(names.get(part, part), None)
                elif verb == "ADD":
                    name, value = part.split(" ")
                    total = int(item.get(name, {"N": "0"})["N"]) + int(values[value]["N"])
                    item[name] = {"N": str(total)}
                else:
                    name, value = part.split(" = ")
                    item[names.get(name, name)] = values[value]
        self.items[key] = item


class UserPool:
    """A low-level Cognito client: users by `sub`, found by `sub` or address."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.users: dict[str, dict[str, str]] = {}
        self.before = before

    def admin_get_user(self, **request: Any) -> Any:
        self.before()
        user = self._user(request["Username"])
        attributes = [{"Name": name, "Value": it} for name, it in user.items()]
        return {"UserAttributes": attributes, "UserStatus": "CONFIRMED"}

    def admin_update_user_attributes(self, **request: Any) -> Any:
        self.before()
        user = self._user(request["Username"])
        changed = {it["Name"]: it["Value"] for it in request["UserAttributes"]}
        if any(it is not user and it["email"] == changed["email"] for it in self.users.values()):
            raise client_error("AliasExistsException")
        user |= changed
        return {}

    def _user(self, name: str) -> dict[str, str]:
        for user in self.users.values():
            if name in (user["sub"], user["email"]):
                return user
        raise client_error("UserNotFoundException")


def _key(item: dict[str, Any]) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]
