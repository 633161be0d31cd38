"""A user is found among thousands as quickly as among ten.

Gap: whoever looks for a user by address or sub, and whoever creates one, goes through all users and
all of their attributes: the ten-thousandth user of a roster takes a hundred times the first one's.
Seen in: ministack 1.5.33, cognito.py, _resolve_user.
Delete when: a user is looked up by an index.
"""

from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

type User = dict[str, Any]


#: Who gives a user that is there already other attributes.
_CHANGES = ("_merge_attributes", "_merge_federated_attrs", "_set_user_identities")


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Show the search only the users that have the value at all."""
    service = Part("ministack.services.cognito", "_resolve_user", *_CHANGES)
    indexes: dict[str, Index] = {}

    def noticed(original: Callable[..., Any]) -> Callable[..., Any]:
        def change(*given: Any) -> Any:
            for index in indexes.values():
                index.stale = True
            return original(*given)

        return change

    def wrapper(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def resolve(pool: dict[str, Any], username: str | None) -> Any:
            users = pool["_users"]
            if username is None or username in users:
                return original(pool, username)
            found = indexes.setdefault(pool["Id"], Index()).having(users, username)
            return original({**pool, "_users": found}, username)

        return resolve

    service.wrap("_resolve_user", wrapper)
    for name in _CHANGES:
        service.wrap(name, noticed)


class Index:
    """Users by the values of their attributes. `stale`: some of them may have changed since."""

    def __init__(self) -> None:
        self.stale = False
        self._seen: dict[str, list[dict[str, str]]] = {}
        self._names: dict[str, dict[str, None]] = {}

    def having(self, users: dict[str, User], value: str) -> dict[str, User]:
        """Return the users that have the value in some attribute, or had it."""
        everyone, self.stale = self.stale, False
        # The newest are the last: those before one that is known are known.
        for name in reversed(list(users)):
            known = self._learn(name, users[name].get("Attributes", []))
            if known and not everyone:
                break
        return {name: users[name] for name in self._names.get(value, ()) if name in users}

    def _learn(self, name: str, attributes: list[dict[str, str]]) -> bool:
        # A change replaces the list: another list is another user's or has changed.
        if self._seen.get(name) is attributes:
            return True
        self._seen[name] = attributes
        for one in attributes:
            self._names.setdefault(one.get("Value", ""), {})[name] = None
        return False
