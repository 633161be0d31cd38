"""Adapter of PostgreSQL: one connection to the nearest reader, one to the writer.

A connection is opened at its first statement and kept. After a failover the writer's name has
another address, so a statement that finds a lost connection or a read-only server connects again,
once.
"""

import ssl
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from catalogue.errors import PrimaryLostError, SlowQueryError, UnavailableError
from catalogue.settings import Address

STATEMENT_TIMEOUT_MS: Final = 2_000
#: Of connecting and of waiting for an answer. A server that hangs must not hold the caller.
SOCKET_TIMEOUT_S: Final = 3.0
#: SQLSTATEs (PostgreSQL, appendix A).
READ_ONLY: Final = "25006"
QUERY_CANCELED: Final = "57014"
#: Connection exceptions, resources exhausted, shutdown, and a standby that cancelled a query.
_LOST_CLASSES: Final = ("08", "53", "57P", "40001")
#: Errors of pg8000 about a connection that the server closed, perhaps within a message.
_BROKEN: Final = (InterfaceError, OSError, ValueError, IndexError, KeyError, struct.error)
#: Beside the function's package: Amazon RDS's certificate authorities, where they exist.
_AUTHORITIES: Final = Path(__file__).with_name("rds_authorities.pem")

type Rows = list[list[Any]]
type Connect = Callable[[], Any]


class Database:
    """One server, by one connection."""

    def __init__(self, connect: Connect, *, is_writer: bool) -> None:
        """`connect` returns a connection of pg8000's native interface."""
        self._connect = connect
        self._is_writer = is_writer
        self._connection: Any = None

    def query(self, sql: str, **values: object) -> Rows:
        """Run a statement that changes nothing, and return its rows.

        Raises:
            SlowQueryError: The statement exceeded its time limit.
            UnavailableError: The server can't be reached.
        """
        rows: Rows = self._twice(lambda connection: connection.run(sql, **values))
        return rows

    def transaction(self, work: Callable[[Any], Any]) -> Any:
        """Run `work(connection)` in a transaction, and return its value.

        The second attempt begins after a failed first one. If the server was lost during COMMIT,
        the transaction may have been applied; `work` must detect that by the request's id.

        Raises:
            PrimaryLostError: The server can't be reached or written.
            SlowQueryError: A statement exceeded its time limit.
        """

        def committed(connection: Any) -> Any:
            connection.run("BEGIN ISOLATION LEVEL READ COMMITTED")
            try:
                value = work(connection)
                # A time limit would end the wait for a synchronous replica, and the server would
                # report the commit as done ("SHOW synchronous_commit"). The socket's limit remains.
                connection.run("SET LOCAL statement_timeout = 0")
                connection.run("COMMIT")
            except BaseException:
                self._rollback()
                raise
            return value

        return self._twice(committed)

    def close(self) -> None:
        """Close the connection; the next statement opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except (DatabaseError, *_BROKEN):
                return

    def _rollback(self) -> None:
        try:
            self._connection.run("ROLLBACK")
        except (DatabaseError, AttributeError, *_BROKEN):
            self.close()

    def _twice(self, work: Callable[[Any], Any]) -> Any:
        for is_last in (False, True):
            try:
                if self._connection is None:
                    self._connection = self._connect()
                return work(self._connection)
            except DatabaseError as error:
                state = sql_state(error)
                if state == QUERY_CANCELED:
                    raise SlowQueryError("The query took too long.") from error
                if state != READ_ONLY and not state.startswith(_LOST_CLASSES):
                    raise
                self._lost(error, is_last=is_last)
            except _BROKEN as error:
                if isinstance(error, KeyError) and not _is_broken_message(error):
                    raise
                self._lost(error, is_last=is_last)
        raise AssertionError  # pragma: no cover

    def _lost(self, error: Exception, *, is_last: bool) -> None:
        self.close()
        if is_last and self._is_writer:
            raise PrimaryLostError(
                "The catalogue can't be changed now. Reading goes on."
            ) from error
        if is_last:
            raise UnavailableError("The catalogue's database doesn't answer.") from error


def _is_broken_message(error: KeyError) -> bool:
    """Return whether the server closed the connection within a message.

    pg8000 then reads zeros in place of the next message's type, and looks it up in a table.
    """
    return isinstance(error.args[0], bytes)


def sql_state(error: DatabaseError) -> str:
    """Return the SQLSTATE of a server's error, or ''."""
    fields = error.args[0] if error.args else None
    return str(fields.get("C", "")) if isinstance(fields, dict) else ""


def connector(address: Address, database: str, user: str, password: Callable[[], str]) -> Connect:
    """Return a function that opens a connection.

    Args:
        address: The server. Its name is resolved at each connection.
        database: Name of the database.
        user: The role.
        password: Returns an IAM token, or '' where the server trusts local roles.
    """

    def connect() -> Any:
        token = password()
        return pg8000.native.Connection(
            user,
            host=address.host,
            port=address.port,
            database=database,
            password=token or None,
            timeout=SOCKET_TIMEOUT_S,
            ssl_context=tls() if token else None,
            startup_params={"statement_timeout": str(STATEMENT_TIMEOUT_MS)},
        )

    return connect


def tls() -> ssl.SSLContext:
    """Return the verification of a server's certificate."""
    authorities = str(_AUTHORITIES) if _AUTHORITIES.exists() else None
    return ssl.create_default_context(cafile=authorities)


def iam_password(address: Address, user: str, region: str) -> str:
    """Return a token for IAM database authentication, signed offline; valid for 15 minutes."""
    import boto3

    client = boto3.client("rds", region_name=region)
    token: str = client.generate_db_auth_token(address.host, address.port, user, region)
    return token
