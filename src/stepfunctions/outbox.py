"""The outbox: what must be told, read from the table's stream as ids and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stepfunctions.errors import OutboxError

SORT_KEY = "OUTBOX#"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell one account. `outbox_id` is the same however often it is delivered."""

    outbox_id: str
    account_id: str
    kind: str

    def document(self) -> dict[str, str]:
        """Return the event's detail, which is the queue's body too."""
        return {"outboxId": self.outbox_id, "accountId": self.account_id, "kind": self.kind}


def from_stream(record: Mapping[str, Any]) -> Message:
    """Read a record of the stream. Raises OutboxError where it is no row of the outbox."""
    try:
        keys = record["dynamodb"]["Keys"]
        pk, sk = keys["pk"]["S"], keys["sk"]["S"]
    except (KeyError, TypeError) as error:
        raise OutboxError(f"A record of the stream lacks {error}.") from None
    if not (isinstance(pk, str) and pk.startswith("ACCOUNT#") and sk.startswith(SORT_KEY)):
        raise OutboxError("A record of the stream is no row of the outbox.")
    account_id, kind = pk.removeprefix("ACCOUNT#"), sk.removeprefix(SORT_KEY)
    return Message(f"{account_id}/{kind}", account_id, kind)


def from_queue(body: object) -> Message:
    """Read the body of a message of the queue. Raises OutboxError."""
    if not isinstance(body, dict):
        raise OutboxError("A message of the queue is no object.")
    values = [body.get(name) for name in ("outboxId", "accountId", "kind")]
    if not all(isinstance(value, str) and value for value in values):
        raise OutboxError("A message of the queue lacks outboxId, accountId or kind.")
    return Message(*(str(value) for value in values))
