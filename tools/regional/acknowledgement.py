"""Acknowledge a change only when every connected replica has it: semi-synchronous replication.

Amazon Aurora doesn't offer this between Regions: there, `rds.global_db_rpo` limits how far a
secondary Region may be behind before commits wait ("Managing RPOs for Aurora PostgreSQL-based
global databases").
"""

import contextlib
import time
from typing import Final

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from tools.regional.postgres import DATABASE, HOST, OWNER

#: How soon a lost replica stops changes from waiting for it.
INTERVAL_S: Final = 0.2
_TIMEOUT_S: Final = 5.0
#: The default name of a replica's connection; a base backup has another one.
_REPLICA: Final = "walreceiver"
_STATE: Final = f"""
SELECT pg_is_in_recovery(), current_setting('synchronous_standby_names'),
    (SELECT count(*) FROM pg_stat_replication
     WHERE application_name = '{_REPLICA}' AND state = 'streaming')
"""  # noqa: S608 # the name is a constant


def wanted(replicas: int) -> str:
    """Return the setting `synchronous_standby_names` for a number of connected replicas."""
    return f"FIRST {replicas} ({_REPLICA})" if replicas else ""


def watch(port: int) -> None:
    """Set for how many replicas the commits of a primary wait, until the process ends."""
    while True:
        # The server starts, ends, or has been lost.
        with contextlib.suppress(DatabaseError, InterfaceError, OSError):
            connection = pg8000.native.Connection(
                OWNER, host=HOST, port=port, database=DATABASE, timeout=_TIMEOUT_S
            )
            with contextlib.closing(connection):
                while True:
                    adjust(connection)
                    time.sleep(INTERVAL_S)
        time.sleep(INTERVAL_S)


def adjust(connection: pg8000.native.Connection) -> None:
    """Set for how many replicas the commits of a primary wait now."""
    is_replica, present, replicas = connection.run(_STATE)[0]
    setting = wanted(int(replicas))
    if is_replica or present == setting:
        return
    # It can't be a parameter of the statement.
    connection.run(f"ALTER SYSTEM SET synchronous_standby_names = '{setting}'")
    connection.run("SELECT pg_reload_conf()")
