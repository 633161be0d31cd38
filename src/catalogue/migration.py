"""Bring the database to the newest schema: forward only, each file once, in the home Region.

CloudFormation calls the handler for a custom resource. A file that was applied must not change; a
deployment of an older version leaves a newer schema as it is.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from catalogue.database import iam_password, tls
from catalogue.errors import SettingsError
from catalogue.settings import Address, address_of
from custom_resource.response import CustomResourceError, respond, send_response

FOLDER: Final = Path(__file__).with_name("migrations")
#: Of one statement. Both together are less than the time of the function
#: (stacks/catalogue/migration.yaml), so that CloudFormation gets the reason of a failure.
STATEMENT_TIMEOUT_MS: Final = 200_000
CONNECT_TIMEOUT_S: Final = 30
#: Any number: two deployments migrate one after the other (PostgreSQL, "Advisory Locks").
_LOCK: Final = 4_711
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS migrations (
    name text PRIMARY KEY, digest text NOT NULL, at timestamptz NOT NULL DEFAULT now()
)
"""


class MigrationError(CustomResourceError):
    """Raised when a migration can't be applied; the schema is that of the migration before."""

    code = "migration_failed"


@dataclass(frozen=True, slots=True)
class Migration:
    """A file: its name, digest and statements."""

    name: str
    digest: str
    sql: str


def load(folder: Path = FOLDER) -> list[Migration]:
    """Return the migrations of a folder, in their order."""
    paths = sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    return [
        Migration(path.stem, sha256(path.read_bytes()).hexdigest(), path.read_text("utf-8"))
        for path in paths
    ]


def pending(migrations: Sequence[Migration], applied: Mapping[str, str]) -> list[Migration]:
    """Return the migrations that the database doesn't have.

    Args:
        migrations: Those of this version.
        applied: Name -> digest of those that the database has.

    Raises:
        MigrationError: An applied file changed, or a new one comes before an applied one.
    """
    last = max(applied, default="")
    result = []
    for migration in migrations:
        digest = applied.get(migration.name)
        if digest is None:
            if migration.name < last:
                raise MigrationError(
                    f"{migration.name} comes before {last}, which was applied. Increase its number."
                )
            result.append(migration)
        elif digest != migration.digest:
            raise MigrationError(
                f"{migration.name} was applied and has changed. Restore it, and add a new file."
            )
    return result


def migrate(connection: Any, migrations: Sequence[Migration]) -> list[str]:
    """Apply the pending migrations, each in its own transaction, and return their names.

    Raises:
        MigrationError: A file changed, or PostgreSQL refused a statement.
    """
    connection.run(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}")
    connection.run(f"SELECT pg_advisory_lock({_LOCK})")
    try:
        connection.run(_TABLE)
        applied = dict(connection.run("SELECT name, digest FROM migrations"))
        names = []
        for migration in pending(migrations, applied):
            _apply(connection, migration)
            names.append(migration.name)
        return names
    finally:
        connection.run(f"SELECT pg_advisory_unlock({_LOCK})")


def _apply(connection: Any, migration: Migration) -> None:
    connection.run("BEGIN")
    try:
        # Without parameters, so that one message may have several statements.
        connection.execute_simple(migration.sql)
        connection.run(
            "INSERT INTO migrations (name, digest) VALUES (:name, :digest)",
            name=migration.name,
            digest=migration.digest,
        )
        connection.run("COMMIT")
    except DatabaseError as error:
        connection.run("ROLLBACK")
        fields = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        raise MigrationError(f"{migration.name}: {fields.get('M', error)}") from error


def connect(environment: Mapping[str, str]) -> Any:
    """Return a connection to the writer as the owner of the tables.

    Raises:
        SettingsError: A variable is missing.
        MigrationError: The database can't be reached.
    """
    address: Address = address_of(environment, "CATALOGUE_WRITER")
    owner, database = environment.get("CATALOGUE_OWNER"), environment.get("CATALOGUE_DATABASE")
    if not owner or not database:
        raise SettingsError("CATALOGUE_OWNER and CATALOGUE_DATABASE are needed.")
    is_local = environment.get("CATALOGUE_AUTH") == "trust"
    password = None if is_local else iam_password(address, owner, environment["AWS_REGION"])
    try:
        return pg8000.native.Connection(
            owner,
            host=address.host,
            port=address.port,
            database=database,
            password=password,
            timeout=CONNECT_TIMEOUT_S + STATEMENT_TIMEOUT_MS / 1000,
            ssl_context=tls() if password else None,
        )
    except (InterfaceError, DatabaseError, OSError) as error:
        raise MigrationError(f"The database can't be reached: {error}") from error


def handler(event: dict[str, Any], context: object) -> dict[str, object]:
    """Migrate for a custom resource. Deleting it leaves the database as it is.

    Raises:
        OSError: CloudFormation's URL doesn't accept the response. Lambda then retries the event.
    """
    return respond(event, _migrate, send_response, context)


def _migrate(event: Mapping[str, Any]) -> dict[str, object]:
    if event["RequestType"] == "Delete":
        return {}
    migrations = load()
    connection = connect(os.environ)
    try:
        names = migrate(connection, migrations)
    finally:
        connection.close()
    print(json.dumps({"level": "INFO", "message": "migrations", "applied": names}))
    return {"Data": {"Newest": migrations[-1].name}}


def main() -> None:
    """Migrate the database that the environment names, and print the names of the files.

    Raises:
        SettingsError: A variable is missing.
        MigrationError: A migration can't be applied.
    """
    connection = connect(os.environ)
    print("\n".join(migrate(connection, load())) or "The schema is the newest.")


if __name__ == "__main__":
    main()
