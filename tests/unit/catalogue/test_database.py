"""Reconnecting after a lost connection or a failover."""

import struct
from collections.abc import Callable
from typing import Any

import pytest
from pg8000.exceptions import DatabaseError, InterfaceError

from catalogue.database import Database, iam_password
from catalogue.errors import PrimaryLostError, SlowQueryError, UnavailableError
from catalogue.settings import Address


class Connection:
    """A connection that answers each statement with the next outcome of a list."""

    def __init__(self, outcomes: list[Any]) -> None:
        self.outcomes = outcomes
        self.statements: list[str] = []
        self.is_closed = False

    def run(self, sql: str, **_values: object) -> Any:
        self.statements.append(sql)
        if sql.startswith(("BEGIN", "ROLLBACK")):
            return []
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def close(self) -> None:
        self.is_closed = True


def refusal(state: str) -> DatabaseError:
    return DatabaseError({"C": state, "M": "refused"})


def database(*connections: Connection | Exception, is_writer: bool = False) -> Database:
    waiting = list(connections)

    def connect() -> Connection:
        one = waiting.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    return Database(connect, is_writer=is_writer)


LOSSES: list[Exception] = [
    InterfaceError("network error"),
    ConnectionResetError(),
    TimeoutError(),
    # The server closed the connection within a message.
    struct.error("unpack requires a buffer of 4 bytes"),
    IndexError("index out of range"),
    KeyError(b"\x00"),
    refusal("25006"),
    refusal("57P01"),
    refusal("08006"),
    refusal("40001"),
]


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_statement_is_run_again_once_on_a_new_connection(loss: Exception) -> None:
    first, second = Connection([loss]), Connection([[[1]]])
    assert database(first, second).query("SELECT 1") == [[1]]
    assert first.is_closed


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize(
    ("is_writer", "error"), [(False, UnavailableError), (True, PrimaryLostError)]
)
def test_second_loss_is_reported(loss: Exception, is_writer: bool, error: type[Exception]) -> None:
    lost = database(Connection([loss]), Connection([loss]), is_writer=is_writer)
    with pytest.raises(error):
        lost.query("SELECT 1")


def test_server_that_refuses_connections_is_reported() -> None:
    with pytest.raises(UnavailableError):
        database(InterfaceError("refused"), InterfaceError("refused")).query("SELECT 1")


def test_cancelled_statement_is_not_run_again() -> None:
    with pytest.raises(SlowQueryError):
        database(Connection([refusal("57014")])).query("SELECT 1")


def test_error_of_the_statement_is_the_callers() -> None:
    connection = Connection([refusal("23505"), [[2]]])
    server = database(connection)
    with pytest.raises(DatabaseError):
        server.query("SELECT 1")
    assert server.query("SELECT 2") == [[2]]


def insert(connection: Any) -> Any:
    return connection.run("INSERT")


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (["row", [], []], ["BEGIN", "INSERT", "SET", "COMMIT"]),
        ([refusal("25006")], ["BEGIN", "INSERT", "ROLLBACK"]),
        (["row", [], refusal("57P01")], ["BEGIN", "INSERT", "SET", "COMMIT", "ROLLBACK"]),
    ],
)
def test_transaction_is_committed_once_or_run_again(first: list[Any], expected: list[str]) -> None:
    one, two = Connection(first), Connection(["row", [], []])
    assert database(one, two, is_writer=True).transaction(insert) == "row"
    assert [sql.split(" ", 1)[0] for sql in one.statements] == expected


def test_failed_transaction_is_rolled_back() -> None:
    connection = Connection([])

    def fail(_connection: Any) -> Any:
        raise KeyError("a name")

    with pytest.raises(KeyError):
        database(connection, is_writer=True).transaction(fail)
    assert connection.statements == ["BEGIN ISOLATION LEVEL READ COMMITTED", "ROLLBACK"]


def test_iam_token_is_signed_without_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    sign: Callable[..., str] = iam_password
    token = sign(Address("db.example", 5_432), "catalogue_app", "eu-west-2")
    assert token.startswith("db.example:5432/?Action=connect&DBUser=catalogue_app&")
    assert "X-Amz-Expires=900" in token
    assert "%2Feu-west-2%2Frds-db%2Faws4_request" in token
