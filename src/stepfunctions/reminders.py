"""Reminders: one schedule of EventBridge Scheduler for each appointment and each of its starts.

The schedule sends the notifier's queue a message, whose notice the notifier compares with the
newest change of the appointment. So a schedule that outlives its appointment sends no email: the
deletion after a move or a cancellation only saves an invocation. A schedule deletes itself after
its message.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from stepfunctions import appointment_notice, aws, outbox
from stepfunctions.appointment_notice import CANCELLED, Notice
from stepfunctions.settings import settings

#: The time of a reminder before the start.
BEFORE: Final = timedelta(hours=24)
#: No schedule for a reminder that is due within this time: it was booked a moment ago.
MARGIN: Final = timedelta(minutes=2)


@cache
def client() -> Any:
    """Return the process's client of EventBridge Scheduler, created on the first call."""
    return aws.client("scheduler")


def name(calendar_id: str, revision: int) -> str:
    """Return a schedule's name, up to 64 letters, digits, ".", "_" and "-" (CreateSchedule).

    Raises:
        SettingsError: SCHEDULE_PREFIX is missing.
    """
    return f"{settings().require('schedule_prefix')}{calendar_id}-{revision}"


def follow(notice: Notice, now: datetime) -> None:
    """Create the schedule of a booked or moved appointment, and delete the one before the change.

    A repeated call has no further effect.

    Raises:
        TransientError: EventBridge Scheduler failed temporarily.
        PermanentError: EventBridge Scheduler rejected the request.
        SettingsError: An environment variable is missing.
    """
    if not notice.calendar_id:
        return  # booked by an earlier version
    if notice.revision:
        _delete(name(notice.calendar_id, notice.revision - 1))
    if notice.kind == CANCELLED:
        return
    due = datetime.fromisoformat(notice.start) - BEFORE
    if due > now + MARGIN:
        _create(notice, due)


def _create(notice: Notice, due: datetime) -> None:
    reminder = outbox.about(replace(notice, kind=appointment_notice.REMINDER, moved_from=""))
    aws.ignore_error(
        "ConflictException",  # an earlier delivery created it
        "EventBridge Scheduler",
        lambda: client().create_schedule(
            Name=name(notice.calendar_id, notice.revision),
            ScheduleExpression=f"at({due.astimezone(UTC):%Y-%m-%dT%H:%M:%S})",
            ScheduleExpressionTimezone="UTC",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target={
                "Arn": settings().require("notifications_arn"),
                "RoleArn": settings().require("schedule_role_arn"),
                "Input": json.dumps(reminder.document(), sort_keys=True),
                "SqsParameters": {"MessageGroupId": "emails"},
                "DeadLetterConfig": {"Arn": settings().require("schedule_dead_letters_arn")},
            },
        ),
    )


def _delete(schedule: str) -> None:
    aws.ignore_error(
        "ResourceNotFoundException",  # it has sent its message, or was never due
        "EventBridge Scheduler",
        lambda: client().delete_schedule(Name=schedule),
    )
