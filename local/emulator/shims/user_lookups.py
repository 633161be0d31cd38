"""A user is found among thousands as quickly as among ten.

Gap: whoever looks for a user by address or sub, and whoever creates one, goes through all users and
all of their attributes: the ten-thousandth user of a roster takes a hundred times the first one's.
Seen in: ministack 1.5.33, cognito.py, _resolve_user.
Delete when: a user is looked up by an index.
"""

from collections.abc import Callable
from typing import Any

from local.emulator.control import Control
from local.emulator.settings import Settings
from local.emulator.symbols import Part

type User = dict[str, Any]


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Show the search only the users that have the value at all."""
    service = Part("ministack.services.cognito", "_resolve_user")
    indexes: dict[str, Index] = {}

    def wrapper(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def resolve(pool: dict[str, Any], username: str | None) -> Any:
            users = pool["_users"]
            if username is None or username in users:
                return original(pool, username)
            found = indexes.setdefault(pool["Id"], Index()).having(users, username)
            return original({**pool, "_users": found}, username)

        return resolve

    service.wrap("_resolve_user", wrapper)


class Index:
    """Users by the values of their attributes, as far as they are still those of the users."""

    def __init__(self) -> None:
        self._seen: dict[str, list[dict[str, str]]] = {}
        self._names: dict[str, dict[str, None]] = {}

    def having(self, users: dict[str, User], value: str) -> dict[str, User]:
        """Return the users that have the value in some attribute."""
        for name, user in list(users.items()):
            attributes = user.get("Attributes", [])
            # A change replaces the list: another list is another user's or has changed.
            if self._seen.get(name) is not attributes:
                self._seen[name] = attributes
                for one in attributes:
                    self._names.setdefault(one.get("Value", ""), {})[name] = None
        return {name: users[name] for name in self._names.get(value, ()) if name in users}
