"""NotifyFunction: send one email for each outbox item, however often SQS delivers its message.

Guarantee: SQS redelivers a message until its email was sent or the message is in the dead-letter
queue. An email is sent once, with one exception: if SES accepted the email but the notifier could
not record it (Lambda stopped the process, the response was lost, or DynamoDB failed), the next
delivery sends it again. SendEmail has no idempotency token, so no design can close this gap.

The FIFO queue has one message group, so a failed message blocks those behind it. That is correct
while SES throttles. If SES rejects one email permanently, its message goes to the dead-letter queue
at once and the others continue.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final
from urllib.parse import urljoin

import telemetry
from stepfunctions import (
    appointment_emails,
    dead_letter_queue,
    email_address,
    email_templates,
    outbox,
    recipients,
    ses,
)
from stepfunctions.accounts import Accounts
from stepfunctions.errors import OutboxError, PermanentError, SchoolError, TransientError
from stepfunctions.outbox import Message
from stepfunctions.recipients import Recipient
from stepfunctions.settings import settings
from stepfunctions.validation_rules import Person

#: Kinds of messages about a request without an account; any other kind is about an account.
PROOF_REQUESTED: Final = "ProofRequested"
ACCOUNT_EXISTS: Final = "AccountExists"
#: The message to a minor's guardian.
CONSENT_REQUESTED: Final = "ConsentRequested"
#: Kinds of messages about a change of address, followed by its id: to the new one, and to the old.
NEW_ADDRESS: Final = frozenset({"NewAddress", "AddressTaken", "AddressChanged"})
OLD_ADDRESS: Final = "OldAddress"
ADDRESS_PAGE: Final = "/address.html"
#: Kinds of messages about an erasure, followed by the request's id: the link, and the end.
ERASE_ACCOUNT: Final = "EraseAccount"
ACCOUNT_ERASED: Final = "AccountErased"
ERASE_PAGE: Final = "/erase.html"
#: The kind of the message with the link to an export's file, followed by the request's id.
EXPORT_READY: Final = "ExportReady"
EXPORT_PAGE: Final = "/export.html"
#: Kinds of messages with a proof, and the portal's pages that send it to the API.
PROOF_PAGES: Final = {PROOF_REQUESTED: "/confirm.html", CONSENT_REQUESTED: "/consent.html"}
#: The kinds of SES events that a rule sends to the queue ("Event publishing", eventType).
FEEDBACK: Final = frozenset({"Bounce", "Complaint"})
#: How long an address gets no emails after a bounce or a complaint.
SUPPRESSION_S: Final = 90 * 86_400
#: Milliseconds that one email can take: connect, SES's read timeout, and the idempotency record.
#: With less time left, Lambda could stop the function between sending and recording.
MIN_REMAINING_MS: Final = 12_000
#: Milliseconds that SES and the record can take.
MIN_SENDING_MS: Final = ses.READ_TIMEOUT_S * 1000 + 2_000
#: Outcome of a message → CloudWatch metric. The idempotency table stores these outcomes.
METRICS: Final = {
    "sent": "EmailsSent",
    "no sender": "EmailsSkipped",
    "withdrawn": "EmailsSkipped",
    "declined": "EmailsSkipped",
    "suppressed": "EmailsSuppressed",
    "returned": "EmailsReturned",
    "unknown": "EmailsSkipped",
    "dead letter": "EmailsRejected",
}
#: The ids of CloudFront and S3, and a row's number. Any other text in a message isn't logged.
CORRELATION_ID: Final = re.compile(r"[A-Za-z0-9_=.-]{1,80}")
#: How long a repetition is detected. The queue keeps a message for 4 days, its DLQ for 14.
IDEMPOTENCY_TTL_S: Final = 30 * 86_400
#: Powertools builds the records' keys from this name. With another name the notifier would not find
#: the existing records, and a redelivered message would send its email again.
IDEMPOTENT_FUNCTION_NAME: Final = "_once.<locals>.by_document"


@cache
def accounts() -> Accounts:
    """Return the process's accounts table.

    Raises:
        SettingsError: ACCOUNTS_TABLE is missing.
    """
    return Accounts(settings().require("accounts_table"))


def require_time(context: Any) -> None:
    """Refuse to send an email that Lambda could stop before it is recorded.

    The calls before it can take long if a service is slow. SQS delivers the message again.

    Raises:
        TransientError: The function has too little time left.
    """
    if context.get_remaining_time_in_millis() < MIN_SENDING_MS:
        raise TransientError("Too little time is left to send the email.")


def send_email(message: Message, check_time: Callable[[], None] = lambda: None) -> str:
    """Send the message's email; return "sent", or why it was skipped.

    `check_time` runs right before the email is sent, and may raise an error.

    The reasons are "no sender", "withdrawn", "declined", "unknown" and "suppressed". An event about
    a bounce or a complaint suppresses the address instead, and returns "returned".

    Raises:
        TransientError: DynamoDB or SES failed temporarily.
        PermanentError: DynamoDB or SES rejected the request.
        SettingsError: An environment variable is missing.
    """
    if message.kind in FEEDBACK:
        return _suppress(message)
    if not settings().sender:
        return "no sender"
    if message.notice is not None:
        return appointment_emails.send(message, message.notice, accounts(), check_time)
    person, url = _person_and_link(message)
    if person is None:
        return "withdrawn"
    recipient = email_address.normalize(_address(person, message.kind))
    kind = message.kind.partition("-")[0]
    email = email_templates.render(kind, person.locale, person.name, url)
    if recipient is None or email is None:
        return "unknown"
    if accounts().is_suppressed(email_address.email_key(recipient, accounts().email_secret())):
        return "suppressed"
    sender, configuration_set = settings().sender, settings().require("configuration_set")
    check_time()
    ses.send(sender, configuration_set, recipient, email, message.outbox_id)
    if kind == ACCOUNT_ERASED:
        _mark_emailed(message.account_id)
    return "sent"


def _mark_emailed(key: str) -> None:
    """Let the workflow of an erasure delete the address now, instead of after hours."""
    try:
        accounts().mark_emailed(key)
    except (TransientError, PermanentError) as error:
        # The email is sent: a repetition would send another one.
        print(json.dumps({"outcome": "not marked", "error": type(error).__name__}))


def _suppress(message: Message) -> str:
    """Stop emails to the address of a returned email, which the rule names by its tag."""
    person: Person | Recipient | None = recipients.find(message.account_id)
    if person is None:
        _, form = accounts().account_and_person(message.account_id)
        # The outbox ID of a returned email begins with the tag of the email.
        to_guardian = message.outbox_id.startswith(f"{message.account_id}_{CONSENT_REQUESTED}/")
        kind = CONSENT_REQUESTED if to_guardian else message.kind
        person = form and replace(form, email=_address(form, kind))
        # The outbox ID is "<accountId>_<kind>-<changeId>/Bounce" for an email about an address.
        sent = message.outbox_id.partition("_")[2].partition("/")[0]
        if sent.partition("-")[0] in NEW_ADDRESS:
            person = _new_address(message.account_id, sent)
    address = None if person is None else email_address.normalize(person.email)
    if address is None:
        return "unknown"
    email_key = email_address.email_key(address, accounts().email_secret())
    expires_at = int(time.time()) + SUPPRESSION_S
    accounts().suppress(email_key, message.kind, message.account_id, expires_at)
    return "returned"


def _address(person: Person, kind: str) -> str:
    """Return the address of the form that gets messages of a kind."""
    return (person.guardian_email or "") if kind == CONSENT_REQUESTED else person.email


def _person_and_link(message: Message) -> tuple[Person | None, str]:
    """Return the student, None if the message no longer applies, and the email's link."""
    url = settings().require("portal_url")
    kind = message.kind.partition("-")[0]
    if kind in NEW_ADDRESS or kind == OLD_ADDRESS:
        person, _, proof = accounts().person_and_change(message.account_id, message.kind)
        if kind in NEW_ADDRESS:
            person = _new_address(message.account_id, message.kind)
        if kind in {"NewAddress", OLD_ADDRESS}:
            url = f"{urljoin(url, ADDRESS_PAGE)}#{proof}"
            return (person if proof else None), url
        return person, url
    if kind in {ERASE_ACCOUNT, ACCOUNT_ERASED}:
        person, proof = accounts().erasure(message.account_id, message.kind)
        if kind == ACCOUNT_ERASED:
            return person, url
        return (person if proof else None), f"{urljoin(url, ERASE_PAGE)}#{proof}"
    if kind == EXPORT_READY:
        person, proof = accounts().export(message.account_id, message.kind)
        return (person if proof else None), f"{urljoin(url, EXPORT_PAGE)}#{proof}"
    if page := PROOF_PAGES.get(message.kind):
        person, proof = accounts().person_and_proof(message.account_id, message.kind)
        # In the fragment, which browsers don't send: no access log has the proof.
        return (person if proof else None), f"{urljoin(url, page)}#{proof}"
    account, person = accounts().account_and_person(message.account_id)
    if message.kind == ACCOUNT_EXISTS:
        return (person if account is None else None), url
    active = account is not None and account.status == "active"
    return (person if active else None), url


def _new_address(account_id: str, kind: str) -> Person | None:
    """Return the student with the new address of a message, None if there is another change."""
    person, email, _ = accounts().person_and_change(account_id, kind)
    return replace(person, email=email) if person and email else None


@cache
def _send_once() -> Callable[..., str]:
    """Return `send_email`, made idempotent per outbox id by Powertools and a DynamoDB table.

    Created for the first message, because it needs the settings.
    """
    from aws_lambda_powertools.utilities.idempotency import (
        DynamoDBPersistenceLayer,
        IdempotencyConfig,
        idempotent_function,
    )

    config = IdempotencyConfig(
        event_key_jmespath="outboxId", expires_after_seconds=IDEMPOTENCY_TTL_S
    )
    store = DynamoDBPersistenceLayer(settings().require("sent_table"))

    def by_document(*, message: Mapping[str, str], context: Any) -> str:
        config.register_lambda_context(context)
        with telemetry.subsegment("email", outbox=message["outboxId"]):
            return send_email(outbox.from_queue(dict(message)), lambda: require_time(context))

    by_document.__qualname__ = IDEMPOTENT_FUNCTION_NAME
    wrapped = idempotent_function(
        by_document,
        data_keyword_argument="message",
        config=config,
        persistence_store=store,
    )

    def once(message: Message, context: Any) -> str:
        # The context limits the lock of an interrupted invocation to its remaining time. Without
        # it, the lock would last until the record expires.
        config.register_lambda_context(context)
        return str(wrapped(message=message.document(), context=context))

    return once


def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Process an SQS batch; return the messages that SQS must deliver again.

    After a failure it returns that message and all later ones: a FIFO queue keeps its order only if
    the function stops at the first failure of a group (AWS, "Reporting batch item failures").
    """
    records, outcomes = event["Records"], Counter[str]()
    try:
        for index, record in enumerate(records):
            # The first message always starts: a batch must make progress.
            if index and context.get_remaining_time_in_millis() < MIN_REMAINING_MS:
                outcomes["EmailsDeferred"] += len(records) - index
                return _batch_item_failures(records[index:])
            try:
                outcome = _deliver(record, context)
            except Exception as error:  # noqa: BLE001 - SQS redelivers the message after any error
                _log("failed", record, error)
                outcomes["EmailsFailed"] += 1
                return _batch_item_failures(records[index:])
            _log(outcome, record)
            outcomes[METRICS[outcome]] += 1
        return _batch_item_failures([])
    finally:
        for name, number in outcomes.items():
            telemetry.count(name, number)
        if outcomes:
            telemetry.flush_metrics()


def _batch_item_failures(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": it["messageId"]} for it in records]}


def _deliver(record: Mapping[str, Any], context: Any) -> str:
    try:
        return _send_once()(outbox.from_queue(_json(record["body"])), context)
    except (PermanentError, OutboxError) as error:
        _log("rejected", record, error)
        url = settings().require("dead_letter_queue_url")
        dead_letter_queue.send(url, record["messageId"], record["body"])
        return "dead letter"


def _json(body: str) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _log(outcome: str, record: Mapping[str, Any], error: Exception | None = None) -> None:
    """Print one JSON line. Only messages of SchoolError are known to hold no personal data."""
    line = {"outcome": outcome, "messageId": record["messageId"]}
    body = _json(record["body"])
    correlation_id = body.get("correlationId") if isinstance(body, dict) else None
    if isinstance(correlation_id, str) and CORRELATION_ID.fullmatch(correlation_id):
        line["correlation_id"] = correlation_id
    if error is not None:
        line["error"] = type(error).__name__
    if isinstance(error, SchoolError):
        line["reason"] = str(error)
    print(json.dumps(line))
