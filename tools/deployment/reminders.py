"""The schedules of reminders, which the notifier creates: no stack deletes them.

They have the name of src/stepfunctions/reminders.py, with the prefix that the template gives it.
"""

from typing import Any

from botocore.exceptions import ClientError


def schedules_of(stage: str, scheduler: Any) -> list[str]:
    """Return the names of a stage's schedules.

    Args:
        stage: The stage's name.
        scheduler: boto3's client of EventBridge Scheduler in the home Region.

    Raises:
        ClientError: EventBridge Scheduler refused the call.
    """
    pages = scheduler.get_paginator("list_schedules").paginate(
        NamePrefix=f"meridian-{stage}-reminder-"
    )
    return [str(it["Name"]) for page in pages for it in page["Schedules"]]


def delete_schedules(names: list[str], scheduler: Any) -> None:
    """Delete schedules; one that has sent its message meanwhile is gone.

    Raises:
        ClientError: EventBridge Scheduler refused a call.
    """
    for name in names:
        try:
            scheduler.delete_schedule(Name=name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
