"""Send the email of a notice about an appointment, and keep its reminder up to date."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urljoin

from stepfunctions import (
    appointment_templates,
    calendar_entry,
    email_address,
    recipients,
    reminders,
    ses,
)
from stepfunctions.accounts import Accounts
from stepfunctions.appointment_notice import (
    ADVISOR,
    CANCELLED,
    KINDS,
    REMINDER,
    STUDENT,
    NewestChange,
    Notice,
)
from stepfunctions.email_templates import Email
from stepfunctions.outbox import Message
from stepfunctions.recipients import Recipient
from stepfunctions.settings import settings

#: The portal's page of appointments.
PAGE: Final = "/app/"
#: In place of the name of an advisor without an availability.
UNNAMED_ADVISOR: Final = {"en": "your advisor", "hi": "सलाहकार", "vi": "cố vấn"}
#: In place of the name of a student who has none. Advisors get English.
UNNAMED_STUDENT: Final = "A student"


def send(
    message: Message,
    notice: Notice,
    accounts: Accounts,
    check_time: Callable[[], None] = lambda: None,
) -> str:
    """Send the email; return "sent", or why it was skipped.

    The reasons are "withdrawn" for a reminder of another time or a cancelled appointment,
    "declined" for one that the student doesn't want, "unknown" without an address, and
    "suppressed". A repeated call sends another email, and changes no schedule. `check_time` runs
    right before the email is sent, and may raise an error.

    Raises:
        TransientError: A service failed temporarily.
        PermanentError: A service rejected the request.
        SettingsError: An environment variable is missing.
    """
    now = datetime.now(UTC)
    to_student = notice.recipient.startswith(STUDENT)
    if to_student and notice.kind != REMINDER:
        reminders.follow(notice, now)
    newest = accounts.appointment(notice)
    if notice.kind == REMINDER and not _is_ahead(notice, newest, now):
        return "withdrawn"
    advisor = recipients.find(f"{ADVISOR}{notice.advisor}")
    student = recipients.find(f"{STUDENT}{notice.student}", advisor.zone if advisor else None)
    person, other = (student, advisor) if to_student else (advisor, student)
    address = email_address.normalize(person.email) if person and person.email else None
    if person is None or address is None:
        return "unknown"
    if notice.kind == REMINDER and not person.reminders:
        return "declined"
    if accounts.is_suppressed(email_address.email_key(address, accounts.email_secret())):
        return "suppressed"
    reason = newest.reason if newest and newest.is_of(notice) else ""
    email = _email(notice, person, _name(other, person, to_student=to_student), reason, address)
    if email is None:
        return "unknown"
    sender, configuration_set = settings().sender, settings().require("configuration_set")
    check_time()
    ses.send(sender, configuration_set, address, email, message.outbox_id)
    return "sent"


def _is_ahead(notice: Notice, newest: NewestChange | None, now: datetime) -> bool:
    """Return whether an appointment still has the time of a reminder."""
    is_same = newest is not None and newest.is_of(notice) and KINDS[newest.notice] != CANCELLED
    return is_same and datetime.fromisoformat(notice.start) > now


def _name(other: Recipient | None, person: Recipient, *, to_student: bool) -> str:
    if other is not None and other.name:
        return other.name
    return UNNAMED_ADVISOR[person.language] if to_student else UNNAMED_STUDENT


def _email(
    notice: Notice, person: Recipient, other: str, reason: str, address: str
) -> Email | None:
    """Return the email with its calendar entry, or None if the recipient gets none of this kind."""
    to_student = notice.recipient.startswith(STUDENT)
    email = appointment_templates.render(
        notice,
        to_student=to_student,
        language=person.language,
        name=person.name,
        other=other,
        zone=person.zone,
        reason=reason,
        url=urljoin(settings().require("portal_url"), PAGE),
    )
    if email is None or notice.kind == REMINDER or not notice.calendar_id:
        return email
    summary = appointment_templates.summary(person.language, other)
    entry = calendar_entry.render(notice, summary, settings().sender, address, datetime.now(UTC))
    return Email(email.subject, email.text, entry, calendar_entry.method(notice))
