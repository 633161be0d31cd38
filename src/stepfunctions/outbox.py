"""Outbox messages: parsed from DynamoDB stream records and from SQS messages; ids only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stepfunctions import appointment_notice
from stepfunctions.appointment_notice import Notice
from stepfunctions.errors import OutboxError

SORT_KEY_PREFIX: Final = "OUTBOX#"


@dataclass(frozen=True, slots=True)
class Message:
    """One notification for one account. `outbox_id` is the same for every delivery.

    `correlation_id` is the id of the request that created the account, "" if it is unknown. Of a
    message about an appointment, `account_id` is the key of the notice's recipient.
    """

    outbox_id: str
    account_id: str
    kind: str
    correlation_id: str = ""
    notice: Notice | None = None

    def document(self) -> dict[str, Any]:
        """Return the EventBridge detail, which is also the SQS message body."""
        document: dict[str, Any] = {
            "outboxId": self.outbox_id,
            "accountId": self.account_id,
            "kind": self.kind,
        }
        if self.correlation_id:
            document["correlationId"] = self.correlation_id
        if self.notice is not None:
            document["appointment"] = self.notice.document()
        return document


def about(notice: Notice, correlation_id: str = "") -> Message:
    """Return the message of a notice."""
    return Message(notice.outbox_id, notice.recipient, notice.kind, correlation_id, notice)


def from_stream(record: Mapping[str, Any]) -> list[Message]:
    """Parse a DynamoDB stream record: one message, or one for each recipient of a notice.

    Raises:
        OutboxError: The record isn't an outbox item.
    """
    try:
        keys = record["dynamodb"]["Keys"]
        pk, sk = keys["pk"]["S"], keys["sk"]["S"]
    except (KeyError, TypeError) as error:
        raise OutboxError(f"Can't parse a stream record: {error} is missing.") from None
    image = record["dynamodb"].get("NewImage") or {}
    correlation_id = str((image.get("correlation_id") or {}).get("S", ""))
    owner = appointment_notice.OWNER_PREFIX
    if str(pk).startswith(owner) and str(sk).startswith(appointment_notice.SORT_KEY_PREFIX):
        slot = sk.removeprefix(appointment_notice.SORT_KEY_PREFIX)
        notices = appointment_notice.from_image(pk.removeprefix(owner), slot, image)
        return [about(it, correlation_id) for it in notices]
    if not (isinstance(pk, str) and pk.startswith("ACCOUNT#") and sk.startswith(SORT_KEY_PREFIX)):
        raise OutboxError("Can't parse a stream record: its key isn't that of an outbox item.")
    account_id, kind = pk.removeprefix("ACCOUNT#"), sk.removeprefix(SORT_KEY_PREFIX)
    return [Message(f"{account_id}/{kind}", account_id, kind, correlation_id)]


def tag_value(outbox_id: str) -> str:
    """Return an email's tag: SES allows letters, digits, "-" and "_" in a tag's value."""
    return outbox_id.replace("/", "_")


def _returned(body: Mapping[str, Any]) -> Message:
    """Parse the message of the rule about an email that came back: its kind and tags.

    Raises:
        OutboxError: The email wasn't sent by the notifier.
    """
    tags, kind = body["tags"], body.get("kind")
    if not (isinstance(tags, list) and len(tags) == 1 and isinstance(kind, str)):
        raise OutboxError("Can't parse a queue message: the returned email has no outbox tag.")
    tag = str(tags[0])
    return Message(f"{tag}/{kind}", tag.partition("_")[0], kind)


def from_queue(body: object) -> Message:
    """Parse a decoded SQS message body.

    Raises:
        OutboxError: The body is neither a message of the relay nor of the rule of SES events.
    """
    if not isinstance(body, dict):
        raise OutboxError("Can't parse a queue message: the body isn't a JSON object.")
    if "tags" in body:
        return _returned(body)
    values = [body.get(name) for name in ("outboxId", "accountId", "kind")]
    if not all(isinstance(value, str) and value for value in values):
        raise OutboxError("Can't parse a queue message: outboxId, accountId or kind is missing.")
    # An item that an older version wrote has no correlation id.
    outbox_id, account_id, kind = (str(value) for value in values)
    correlation_id = str(body.get("correlationId") or "")
    notice = None
    if "appointment" in body:
        notice = appointment_notice.from_document(account_id, kind, body["appointment"])
    return Message(outbox_id, account_id, kind, correlation_id, notice)
