"""DynamoDB adapter of erasures: items of the accounts table, beside accounts.py.

| pk | sk | attributes |
|---|---|---|
| ERASURE#<key> | ERASURE | an erasure; `key` is the HMAC of the user's `sub` |
| ERASED#<key> | EMAIL | status for the office's search; `key` is the HMAC of the address |
| ACCOUNT#<key> | OUTBOX#EraseAccount-<requestId> | the proof in the email's link |
| ACCOUNT#<key> | OUTBOX#AccountErased-<requestId> | the notification at the end |

| status | meaning |
|---|---|
| `waiting` | for the proof |
| `running` | the workflow `erase` erases the student |
| `erased` | nothing of the student is left; `report` says what was erased |

`email`, `name` and `locale` of the recipient, and `work`, what the workflow knows, are removed with
the status `erased`. No attribute that stays until `expires_at` names the student.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from stepfunctions import email_proofs
from stepfunctions.account_items import AccountItems, Item
from stepfunctions.accounts import item_key
from stepfunctions.errors import TransientError
from stepfunctions.transactions import transact

WAITING: Final = "waiting"
RUNNING: Final = "running"
ERASED: Final = "erased"
#: How long the report stays: as long as the tables' recovery points, which still have the student.
KEEP_REPORT_S: Final = 35 * 86_400


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who confirms the erasure and gets the notification: the student, or a minor's guardian."""

    email: str
    name: str
    locale: str = ""


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure. `proof` is a digest; `by` is "student", "guardian", "staff" or "operator".

    `proof_expires_at` is in seconds since the epoch. `work` is what the workflow knows: see
    erasure.py. `report` is empty until the end.
    """

    key: str
    request_id: str
    by: str
    status: str = WAITING
    proof: str = ""
    proof_expires_at: int = 0
    version: int = 0
    emailed: bool = False
    erased_at: str = ""
    work: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)


class ErasureTable(AccountItems):
    """The accounts table, for erasures in a Region."""

    def read(self, key: str) -> Erasure | None:
        """Return an erasure, or None.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        item = self._item(item_key(f"ERASURE#{key}", "ERASURE"))
        return None if item is None else _erasure(key, item)

    def ask(
        self,
        erasure: Erasure,
        recipient: Recipient,
        token: str,
        *,
        email_key: str,
        now: int,
        day: str,
        correlation_id: str,
    ) -> bool:
        """Store an erasure that waits for the `token`, and its email; False if one is running.

        An address that has got its emails of the `day`, a date, gets no further one, and the
        earlier erasure stays. `email_key` is that of the recipient, `now` in seconds since the
        epoch.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        item = self._new(erasure, recipient) | {"expires_at": {"N": str(now + email_proofs.KEEP_S)}}
        failed = transact(
            self._dynamodb,
            [
                email_proofs.count_email(self._table, self._region, email_key, day, now),
                self._put_first(item),
                self._message(
                    erasure, "EraseAccount", now, correlation_id, f"{erasure.key}.{token}"
                ),
            ],
        )
        return 1 not in failed

    def begin(self, erasure: Erasure, email_key: str, now: int) -> bool:
        """Let a proved erasure run; False if it doesn't wait any more, or another one replaced it.

        `email_key` is that of the student.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        update = {
            "TableName": self._table,
            "Key": item_key(f"ERASURE#{erasure.key}", "ERASURE"),
            "ConditionExpression": "request_id = :request AND #status = :waiting",
            "UpdateExpression": "SET #status = :running REMOVE expires_at",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": {
                ":request": {"S": erasure.request_id},
                ":waiting": {"S": WAITING},
                ":running": {"S": RUNNING},
            },
        }
        return not transact(
            self._dynamodb, [{"Update": update}, self._mark(email_key, RUNNING, now)]
        )

    def order(self, erasure: Erasure, recipient: Recipient, email_key: str, now: int) -> bool:
        """Store an erasure that runs without a proof; False if one is running or has ended.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        item = self._new(erasure, recipient) | {"status": {"S": RUNNING}}
        return not transact(
            self._dynamodb, [self._put_first(item), self._mark(email_key, RUNNING, now)]
        )

    def save(self, erasure: Erasure, work: Mapping[str, Any]) -> None:
        """Store what the workflow knows.

        Raises:
            TransientError: DynamoDB failed temporarily, or another invocation was faster.
            PermanentError: DynamoDB rejected the request.
        """
        self._write(erasure, [self._update(erasure, work=json.dumps(work))])

    def notify(self, erasure: Erasure, work: Mapping[str, Any], now: int, correlation: str) -> None:
        """Store what the workflow knows, and the outbox item of the notification.

        Raises:
            TransientError: DynamoDB failed temporarily, or another invocation was faster.
            PermanentError: DynamoDB rejected the request.
        """
        message = self._message(erasure, "AccountErased", now, correlation)
        update = self._update(erasure, work=json.dumps(work))
        self._write(erasure, [update, message])

    def finish(
        self, erasure: Erasure, report: Mapping[str, Any], email_key: str, erased_at: str, now: int
    ) -> None:
        """Store the report, and remove what names the student.

        Raises:
            TransientError: DynamoDB failed temporarily, or another invocation was faster.
            PermanentError: DynamoDB rejected the request.
        """
        values = {"status": ERASED, "report": json.dumps(report), "erased_at": erased_at}
        update = self._update(erasure, ("work", "email", "name", "locale"), **values)
        request = update["Update"]
        request["UpdateExpression"] += " ADD expires_at :expires"
        request["ExpressionAttributeValues"][":expires"] = {"N": str(now + KEEP_REPORT_S)}
        self._write(erasure, [update, self._mark(email_key, ERASED, now)])

    def _write(self, erasure: Erasure, actions: list[dict[str, Any]]) -> None:
        if transact(self._dynamodb, actions):
            raise TransientError(f"Another invocation has changed version {erasure.version}.")

    def _update(
        self, erasure: Erasure, removed: Sequence[str] = (), **values: str
    ) -> dict[str, Any]:
        """Return the update of a version of an erasure: texts to set, and attributes to remove."""
        # "name", "status" and "work" are reserved words: each attribute has a substitute.
        names = {f"#{name}": name for name in (*values, *removed, "version")}
        sets = ", ".join(f"#{name} = :{name}" for name in values)
        removal = f" REMOVE {', '.join(f'#{name}' for name in removed)}" if removed else ""
        return {
            "Update": {
                "TableName": self._table,
                "Key": item_key(f"ERASURE#{erasure.key}", "ERASURE"),
                "ConditionExpression": "#version = :version",
                "UpdateExpression": f"SET {sets}, #version = :next{removal}",
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": {
                    ":version": {"N": str(erasure.version)},
                    ":next": {"N": str(erasure.version + 1)},
                    **{f":{name}": {"S": it} for name, it in values.items()},
                },
            }
        }

    def _new(self, erasure: Erasure, recipient: Recipient) -> Item:
        return {
            **item_key(f"ERASURE#{erasure.key}", "ERASURE"),
            "request_id": {"S": erasure.request_id},
            "status": {"S": WAITING},
            "ordered_by": {"S": erasure.by},
            "proof": {"S": erasure.proof},
            "proof_expires_at": {"N": str(erasure.proof_expires_at)},
            "version": {"N": "0"},
            "work": {"S": json.dumps(erasure.work)},
            "email": {"S": recipient.email},
            "name": {"S": recipient.name},
            "locale": {"S": recipient.locale},
            "origin_region": {"S": self._region},
        }

    def _put_first(self, item: Item) -> dict[str, Any]:
        """Return the action that stores an erasure, unless one is running or has ended."""
        return {
            "Put": {
                "TableName": self._table,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(pk) OR #status = :waiting",
                "ExpressionAttributeNames": {"#status": "status"},
                "ExpressionAttributeValues": {":waiting": {"S": WAITING}},
            }
        }

    def _mark(self, email_key: str, status: str, now: int) -> dict[str, Any]:
        """Return the action that tells the office's search about an address."""
        item = {
            **item_key(f"ERASED#{email_key}", "EMAIL"),
            "status": {"S": status},
            "at": {"N": str(now)},
            "origin_region": {"S": self._region},
            "expires_at": {"N": str(now + KEEP_REPORT_S)},
        }
        return {"Put": {"TableName": self._table, "Item": item}}

    def _message(
        self, erasure: Erasure, kind: str, now: int, correlation_id: str, proof: str = ""
    ) -> dict[str, Any]:
        name = f"{kind}-{erasure.request_id}"
        return email_proofs.put_message(
            self._table, self._region, erasure.key, name, now, correlation_id, proof
        )


def _erasure(key: str, item: Mapping[str, Any]) -> Erasure:
    return Erasure(
        key=key,
        request_id=item["request_id"]["S"],
        by=item["ordered_by"]["S"],
        status=item["status"]["S"],
        proof=item["proof"]["S"],
        proof_expires_at=int(item["proof_expires_at"]["N"]),
        version=int(item["version"]["N"]),
        emailed="emailed" in item,
        erased_at=item.get("erased_at", {}).get("S", ""),
        work=json.loads(item.get("work", {}).get("S", "{}")),
        report=json.loads(item.get("report", {}).get("S", "{}")),
    )
