"""A fake of AWS Glue's tables, with the condition on `VersionId` that UpdateTable has."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError


class _EntityNotFoundError(ClientError):
    pass


class _AlreadyExistsError(ClientError):
    pass


class _ConcurrentModificationError(ClientError):
    pass


def _no_response() -> Exception:
    return ReadTimeoutError(endpoint_url="https://fake")


def _error(kind: type[ClientError]) -> ClientError:
    return kind({"Error": {"Code": kind.__name__[1:].replace("Error", "Exception")}}, "Fake")


@dataclass
class FakeGlue:
    """Tables by name. `before_update` runs once before the next update, as a program beside it.

    `lost` of the next updates: "answer" takes effect and times out; "resent" takes effect, and the
    SDK sends the request again; "request" times out without an effect.
    """

    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    before_update: list[Callable[[], None]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    refused: int = 0
    exceptions: Any = field(
        default_factory=lambda: SimpleNamespace(
            EntityNotFoundException=_EntityNotFoundError,
            AlreadyExistsException=_AlreadyExistsError,
            ConcurrentModificationException=_ConcurrentModificationError,
            InvalidInputException=type("InvalidInputException", (ClientError,), {}),
        )
    )

    def get_table(self, **query: Any) -> dict[str, Any]:
        if query["Name"] not in self.tables:
            raise _error(_EntityNotFoundError)
        return {"Table": deepcopy(self.tables[query["Name"]])}

    def get_database(self, **query: Any) -> dict[str, Any]:
        return {"Database": {"Name": query["Name"]}}

    def create_table(self, **query: Any) -> dict[str, Any]:
        table = deepcopy(query["TableInput"])
        if table["Name"] in self.tables:
            raise _error(_AlreadyExistsError)
        self.tables[table["Name"]] = table | {
            "DatabaseName": query["DatabaseName"],
            "VersionId": "0",
        }
        return {}

    def update_table(self, **query: Any) -> dict[str, Any]:
        while self.before_update:
            self.before_update.pop(0)()
        lost = self.lost.pop(0) if self.lost else ""
        if lost == "request":
            raise _no_response()
        self._update(query)
        if lost == "resent":
            self._update(query)
        if lost == "answer":
            raise _no_response()
        return {}

    def _update(self, query: dict[str, Any]) -> None:
        table = deepcopy(query["TableInput"])
        old = self.tables[table["Name"]]
        if query["VersionId"] != old["VersionId"]:
            self.refused += 1
            raise _error(_ConcurrentModificationError)
        version = str(int(old["VersionId"]) + 1)
        self.tables[table["Name"]] = {**old, **table, "VersionId": version}
