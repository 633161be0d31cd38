"""The recipients of emails about appointments: students and advisors, by their keys.

A student's address and name are those of the user pool; language, time zone and the choice of
reminders are the preferences of the profile. An advisor's are in the item of the availability.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from stepfunctions import accounts, aws, email_templates, users
from stepfunctions.appointment_notice import ADVISOR, STUDENT
from stepfunctions.settings import settings

UTC_NAME: Final = "UTC"


@dataclass(frozen=True, slots=True)
class Recipient:
    """A person who gets emails about appointments. Without an address, `email` is ""."""

    email: str
    name: str
    language: str
    zone: ZoneInfo
    #: Whether the person chose email reminders.
    reminders: bool = False


def find(key: str, fallback_zone: ZoneInfo | None = None) -> Recipient | None:
    """Return the recipient with a key of a notice, or None if there is none.

    `fallback_zone` is the time zone of a student without a preference.

    Raises:
        TransientError: A service failed temporarily.
        PermanentError: A service rejected the request.
        SettingsError: An environment variable is missing.
    """
    if key.startswith(STUDENT):
        return _student(key.removeprefix(STUDENT), fallback_zone)
    if key.startswith(ADVISOR):
        return _advisor(key.removeprefix(ADVISOR))
    return None


def _student(sub: str, fallback_zone: ZoneInfo | None) -> Recipient | None:
    attributes = users.attributes_by_sub(settings().require("user_pool_id"), sub)
    if attributes is None:
        return None
    item = _item(settings().require("profiles_table"), {"pk": {"S": f"STUDENT#{sub}"}})
    preferences: Mapping[str, Any] = json.loads(item.get("preferences", {"S": "{}"})["S"])
    return Recipient(
        attributes.get("email", ""),
        str(preferences.get("displayName") or attributes.get("name", "")),
        email_templates.language(preferences.get("locale") or attributes.get("locale")),
        _zone(preferences.get("timeZone"), fallback_zone or ZoneInfo(UTC_NAME)),
        preferences.get("emailReminders") is True,
    )


def _advisor(advisor: str) -> Recipient | None:
    key = {"pk": {"S": "ADVISORS"}, "sk": {"S": f"ADVISOR#{advisor}"}}
    item = _item(settings().require("appointments_table"), key)
    if not item:
        return None
    document = json.loads(item["document"]["S"])
    return Recipient(
        item.get("email", {}).get("S", ""),
        str(document["name"]),
        email_templates.FALLBACK_LANGUAGE,
        _zone(document["timeZone"], ZoneInfo(UTC_NAME)),
    )


def _zone(name: object, fallback: ZoneInfo) -> ZoneInfo:
    """Return a time zone; the API checks only the form of a preference's name."""
    if not isinstance(name, str):
        return fallback
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return fallback


def _item(table: str, key: Any) -> dict[str, Any]:
    """Return an item, {} without one."""
    with aws.translate_errors("DynamoDB"):
        answer = accounts.client().get_item(TableName=table, Key=key, ConsistentRead=True)
    return dict(answer.get("Item", {}))
