"""Find a user among thousands as quickly as among ten.

Gap: finding a user by email address or sub, and creating one, searches all users and all their
attributes. Creating the 10,000th user takes a hundred times the time of the first.
Seen in: ministack 1.5.33, cognito.py, _resolve_user.
Delete when: MiniStack finds users by an index.
"""

from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type User = dict[str, Any]


#: The functions that change the attributes of an existing user.
_CHANGES: Final = ("_merge_attributes", "_merge_federated_attrs", "_set_user_identities")


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Restrict the search to users that have the value in some attribute."""
    service = Symbols("ministack.services.cognito", "_resolve_user", *_CHANGES)
    indexes: dict[str, Index] = {}

    def noticed(original: Callable[..., Any]) -> Callable[..., Any]:
        def change(*arguments: Any) -> Any:
            for index in indexes.values():
                index.stale = True
            return original(*arguments)

        return change

    def wrapper(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def resolve(pool: dict[str, Any], username: str | None) -> Any:
            users = pool["_users"]
            if username is None or username in users:
                return original(pool, username)
            candidates = indexes.setdefault(pool["Id"], Index()).having(users, username)
            return original({**pool, "_users": candidates}, username)

        return resolve

    service.wrap("_resolve_user", wrapper)
    for name in _CHANGES:
        service.wrap(name, noticed)


class Index:
    """Users by attribute value. `stale` means that some attributes may have changed."""

    def __init__(self) -> None:
        self.stale = False
        self._seen: dict[str, list[dict[str, str]]] = {}
        self._names: dict[str, dict[str, None]] = {}

    def having(self, users: dict[str, User], value: str) -> dict[str, User]:
        """Return the users that have, or had, the value in some attribute."""
        all_users, self.stale = self.stale, False
        # Users are in order of creation: those before an indexed user are indexed, too.
        for name in reversed(list(users)):
            is_indexed = self._learn(name, users[name].get("Attributes", []))
            if is_indexed and not all_users:
                break
        return {name: users[name] for name in self._names.get(value, ()) if name in users}

    def _learn(self, name: str, attributes: list[dict[str, str]]) -> bool:
        # A change replaces the list, so the same list is unchanged.
        if self._seen.get(name) is attributes:
            return True
        self._seen[name] = attributes
        for one in attributes:
            self._names.setdefault(one.get("Value", ""), {})[name] = None
        return False
