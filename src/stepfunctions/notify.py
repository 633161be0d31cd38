"""The notifier: one letter for one row of the outbox, however often the queue delivers it.

The guarantee: every message of the queue is tried until a letter was sent or it lies in the dead
letters; a letter is sent once, unless SES took it and that could not be written down: the notifier
was killed in between, SES's answer was lost, or the table did not answer. Then it is sent once more
for each time that this happens. No design closes that gap, because SES knows no token.

The queue has one group, so whatever fails holds up what follows. That is right where SES asks for
patience, and wrong where it refuses one letter: such a message goes to the dead letters at once.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import telemetry
from stepfunctions import address, dead_letters, letters, mail, outbox
from stepfunctions.accounts import Accounts
from stepfunctions.errors import OutboxError, RefusedError, SchoolError
from stepfunctions.outbox import Message
from stepfunctions.settings import settings

#: Milliseconds that one letter may take: SES's patience, the connection, and what is written down.
#: Whoever begins with less may be stopped by Lambda between the letter and the note of it.
ROOM_MS = 12_000
#: What becomes of a message, and the metric that counts it.
COUNTED = {
    "sent": "LettersSent",
    "withdrawn": "LettersToNobody",
    "unknown": "LettersToNobody",
    "dead letter": "LettersRefused",
}
#: How long a repetition is recognised: a queue keeps a message for 4 days, its dead letters 14.
REMEMBERED_S = 30 * 86_400


@cache
def accounts() -> Accounts:
    """The table of this process."""
    return Accounts(settings().need("accounts_table"))


def tell(message: Message) -> str:
    """Write to the account; return "sent", or why there is nobody to write to.

    Raises TransientError and RefusedError where DynamoDB or SES do.
    """
    account, person = accounts().whom(message.account_id)
    if account is None or account.status != "active" or person is None:
        return "withdrawn"
    recipient = address.canonical(person.email)
    url = settings().need("portal_url")
    letter = letters.write(message.kind, person.locale, person.name, url)
    if recipient is None or letter is None:
        return "unknown"
    mail.send(settings().need("sender"), recipient, letter, message.outbox_id)
    return "sent"


@cache
def _once() -> Callable[..., str]:
    """`tell`, at most once per outbox id; Powertools keeps what was done in a table.

    Made at the first message, not at import: it needs the settings.
    """
    from aws_lambda_powertools.utilities.idempotency import (
        DynamoDBPersistenceLayer,
        IdempotencyConfig,
        idempotent_function,
    )

    config = IdempotencyConfig(event_key_jmespath="outboxId", expires_after_seconds=REMEMBERED_S)
    # Without the context an invocation that was killed would lock its message for that long; with
    # it, until it would have timed out.
    kept = DynamoDBPersistenceLayer(settings().need("sent_table"))

    def by_document(*, message: Mapping[str, str], context: Any) -> str:
        config.register_lambda_context(context)
        with telemetry.subsegment("letter", outbox=message["outboxId"]):
            return tell(outbox.from_queue(dict(message)))

    wrapped = idempotent_function(
        by_document, data_keyword_argument="message", config=config, persistence_store=kept
    )

    def once(message: Message, context: Any) -> str:
        config.register_lambda_context(context)
        return str(wrapped(message=message.document(), context=context))

    return once


def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Take a batch of the queue; return the messages that are to be delivered again.

    A FIFO queue's order holds only if everything after the first failure of its group comes again
    too (AWS, "Reporting batch item failures", FIFO); there is one group.
    """
    records, outcomes = event["Records"], Counter[str]()
    try:
        for number, record in enumerate(records):
            if number and context.get_remaining_time_in_millis() < ROOM_MS:
                outcomes["LettersLater"] += len(records) - number
                return _again(records[number:])
            try:
                outcome = _deliver(record, context)
            except Exception as error:  # noqa: BLE001 - whatever it is, the message comes again
                _log("failed", record["messageId"], error)
                outcomes["LettersFailed"] += 1
                return _again(records[number:])
            _log(outcome, record["messageId"])
            outcomes[COUNTED[outcome]] += 1
        return _again([])
    finally:
        for name, number in outcomes.items():
            telemetry.count(name, number)
        if outcomes:
            telemetry.flush_metrics()


def _again(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": it["messageId"]} for it in records]}


def _deliver(record: Mapping[str, Any], context: Any) -> str:
    try:
        return _once()(outbox.from_queue(_json(record["body"])), context)
    except (RefusedError, OutboxError) as error:
        _log("refused", record["messageId"], error)
        dead_letters.put(settings().need("dead_letters"), record["messageId"], record["body"])
        return "dead letter"


def _json(body: str) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _log(outcome: str, message_id: str, error: Exception | None = None) -> None:
    """Print one line of JSON. Only our own sentences are known to hold no personal data."""
    line = {"outcome": outcome, "messageId": message_id}
    if error is not None:
        line["error"] = type(error).__name__
    if isinstance(error, SchoolError):
        line["reason"] = str(error)
    print(json.dumps(line))
