"""DynamoDB adapter of exports: items of the accounts table, beside erasure_table.py.

| pk | sk | attributes |
|---|---|---|
| EXPORT#<key> | EXPORT | an export; `key` is the HMAC of the user's `sub` |
| ACCOUNT#<key> | OUTBOX#ExportReady-<requestId> | the proof in the email's link |

`email`, `name` and `locale` are the recipient's, and `work` is what the workflow knows. The item
expires with the file; an erasure deletes both.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from stepfunctions import aws, email_proofs
from stepfunctions.account_items import AccountItems, Item
from stepfunctions.accounts import item_key
from stepfunctions.erasure_table import Recipient
from stepfunctions.errors import TransientError
from stepfunctions.transactions import transact

RUNNING: Final = "running"
READY: Final = "ready"
#: How long the link works, in seconds. The bucket deletes the file a day later.
LINK_S: Final = 7 * 86_400
#: How long the item of an export stays that doesn't end, in seconds.
KEEP_S: Final = 8 * 86_400
#: A student's exports begin at least this many seconds apart: each reads the data lakes.
PAUSE_S: Final = 3_600


@dataclass(frozen=True, slots=True)
class Export:
    """An export. `proof` is a digest; `by` is "student", "staff" or "operator".

    `request_id` is unique among a student's exports. `started_at` and `proof_expires_at` are in
    seconds since the epoch. `work` is what the workflow knows: see person_export.py.
    """

    key: str
    request_id: str
    by: str
    started_at: int
    status: str = RUNNING
    proof: str = ""
    proof_expires_at: int = 0
    version: int = 0
    work: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The prefix of the keys of its files."""
        return f"{folder_of(self.key)}{self.request_id}/"


def folder_of(key: str) -> str:
    """Return the prefix of the keys of all exports of a student."""
    return f"exports/{key}/"


class ExportTable(AccountItems):
    """The accounts table, for exports in a Region."""

    def read(self, key: str) -> Export | None:
        """Return an export, or None.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        item = self._item(_key(key))
        return None if item is None else _export(key, item)

    def begin(self, export: Export, recipient: Recipient) -> bool:
        """Store an export; False if another one began less than PAUSE_S ago.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        item: Item = {
            **_key(export.key),
            "request_id": {"S": export.request_id},
            "status": {"S": RUNNING},
            "ordered_by": {"S": export.by},
            "started_at": {"N": str(export.started_at)},
            "version": {"N": "0"},
            "work": {"S": json.dumps(export.work)},
            "email": {"S": recipient.email},
            "name": {"S": recipient.name},
            "locale": {"S": recipient.locale},
            "origin_region": {"S": self._region},
            "expires_at": {"N": str(export.started_at + KEEP_S)},
        }
        put = {
            "TableName": self._table,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(pk) OR started_at < :before",
            "ExpressionAttributeValues": {":before": {"N": str(export.started_at - PAUSE_S)}},
        }
        return not transact(self._dynamodb, [{"Put": put}])

    def delete(self, key: str) -> None:
        """Delete an export's item, for an erasure; again without an effect.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        with aws.translate_errors("DynamoDB"):
            self._dynamodb.delete_item(TableName=self._table, Key=_key(key))

    def save(self, export: Export, work: Mapping[str, Any]) -> None:
        """Store what the workflow knows.

        Raises:
            TransientError: DynamoDB failed temporarily, or another invocation was faster.
            PermanentError: DynamoDB rejected the request.
        """
        self._write([self._update(export, work={"S": json.dumps(work)})])

    def finish(self, export: Export, token: str, now: int, correlation_id: str) -> None:
        """Store the proof, and the email with it; `now` is in seconds since the epoch.

        Raises:
            TransientError: DynamoDB failed temporarily, or another invocation was faster.
            PermanentError: DynamoDB rejected the request.
        """
        update = self._update(
            export,
            status={"S": READY},
            work={"S": "{}"},
            proof={"S": email_proofs.digest(token)},
            proof_expires_at={"N": str(now + LINK_S)},
            expires_at={"N": str(now + LINK_S)},
        )
        name = f"ExportReady-{export.request_id}"
        proof = f"{export.key}.{token}"
        message = email_proofs.put_message(
            self._table, self._region, export.key, name, now, correlation_id, proof
        )
        self._write([update, message])

    def _write(self, actions: list[dict[str, Any]]) -> None:
        if transact(self._dynamodb, actions):
            raise TransientError("Another invocation or an erasure has changed the export.")

    def _update(self, export: Export, **values: Any) -> dict[str, Any]:
        # "status" and "work" are reserved words: each attribute has a substitute.
        sets = ", ".join(f"#{name} = :{name}" for name in values)
        return {
            "Update": {
                "TableName": self._table,
                "Key": _key(export.key),
                "ConditionExpression": "request_id = :request AND #version = :version",
                "UpdateExpression": f"SET {sets}, #version = :next",
                "ExpressionAttributeNames": {f"#{name}": name for name in (*values, "version")},
                "ExpressionAttributeValues": {
                    ":request": {"S": export.request_id},
                    ":version": {"N": str(export.version)},
                    ":next": {"N": str(export.version + 1)},
                    **{f":{name}": it for name, it in values.items()},
                },
            }
        }


def _key(key: str) -> Item:
    return item_key(f"EXPORT#{key}", "EXPORT")


def _export(key: str, item: Mapping[str, Any]) -> Export:
    return Export(
        key=key,
        request_id=item["request_id"]["S"],
        by=item["ordered_by"]["S"],
        started_at=int(item["started_at"]["N"]),
        status=item["status"]["S"],
        proof=item.get("proof", {}).get("S", ""),
        proof_expires_at=int(item.get("proof_expires_at", {}).get("N", "0")),
        version=int(item["version"]["N"]),
        work=json.loads(item["work"]["S"]),
    )
