"""Publish bounces and complaints of the SES mailbox simulator to EventBridge.

Gap: MiniStack stores the event destinations of configuration sets, and publishes no events. It
accepts a configuration set that doesn't exist.
Seen in: ministack 1.5.33, ses_v2.py, handle_request, and cloudformation/provisioners.py,
_ses_configuration_set_event_destination_create.
Delete when: an email to bounce@simulator.amazonses.com causes the event "Email Bounced".

Only permanent bounces and complaints are published, as the mailbox simulator causes them; a label
(`bounce+label@…`) distinguishes recipients. Other addresses cause no events.

Sources: Amazon SES developer guide, "Using the mailbox simulator manually", "Monitoring SES events
using Amazon EventBridge" and "Contents of event data that Amazon SES publishes to Amazon SNS"; API
reference, SendEmail.
"""

import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: The path of SendEmail.
EMAILS_PATH: Final = "/v2/email/outbound-emails"
_SIMULATOR: Final = re.compile(
    r"(bounce|complaint)(?:\+[^@]*)?@simulator\.amazonses\.com", re.IGNORECASE
)
_DETAIL_TYPES: Final = {"Bounce": "Email Bounced", "Complaint": "Email Complaint Received"}


def install(_settings: Settings, _control: ControlApi, _application: object) -> None:
    """Refuse an unknown configuration set, and publish events after a successful SendEmail."""
    api = Symbols("ministack.services.ses_v2", "handle_request", "_config_sets", "_json_err")
    bus = Symbols("ministack.services.eventbridge", "_put_events")

    def publishing(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
            if (method, path.rstrip("/")) != ("POST", EMAILS_PATH):
                return await original(method, path, headers, body, query)
            name = _document(body).get("ConfigurationSetName")
            if name and name not in api["_config_sets"]:
                message = f"Configuration set <{name}> does not exist."
                return api["_json_err"]("NotFoundException", message, 404)
            answer = await original(method, path, headers, body, query)
            if name and answer[0] == 200:
                destinations = api["_config_sets"][name].get("EventDestinations") or {}
                for entry in _entries(_document(body), destinations):
                    bus["_put_events"]({"Entries": [entry]}, allow_aws_source=True)
            return answer

        return handle

    api.wrap("handle_request", publishing)


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _entries(email: dict[str, Any], destinations: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events of an email that its configuration set sends to EventBridge."""
    wanted = {
        kind
        for it in destinations.values()
        if it["Enabled"] and "EventBridgeDestination" in it
        for kind in it["MatchingEventTypes"]
    }
    recipients = (email.get("Destination") or {}).get("ToAddresses") or []
    returned = [(it, match[1].title()) for it in recipients if (match := _SIMULATOR.fullmatch(it))]
    return [
        {
            "Source": "aws.ses",
            "DetailType": _DETAIL_TYPES[kind],
            "Detail": json.dumps(_detail(email, recipient, kind)),
        }
        for recipient, kind in returned
        if kind.upper() in wanted
    ]


def outcomes(email: dict[str, Any]) -> list[str]:
    """Return what becomes of each recipient: "Delivery", "Bounce" or "Complaint"."""
    recipients = (email.get("Destination") or {}).get("ToAddresses") or []
    matches = [_SIMULATOR.fullmatch(it) for it in recipients]
    return [match[1].title() if match else "Delivery" for match in matches]


def _detail(email: dict[str, Any], recipient: str, kind: str) -> dict[str, Any]:
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    tags = {it["Name"]: [it["Value"]] for it in email.get("EmailTags") or []}
    about: dict[str, Any] = {"feedbackId": uuid.uuid4().hex, "timestamp": now}
    if kind == "Bounce":
        about |= {"bounceType": "Permanent", "bounceSubType": "General"}
        about["bouncedRecipients"] = [{"emailAddress": recipient, "status": "5.1.1"}]
    else:
        about |= {"complaintFeedbackType": "abuse"}
        about["complainedRecipients"] = [{"emailAddress": recipient}]
    mail = {
        "timestamp": now,
        "source": email.get("FromEmailAddress", ""),
        "destination": [recipient],
        "tags": {**tags, "ses:configuration-set": [email["ConfigurationSetName"]]},
    }
    return {"eventType": kind, kind.lower(): about, "mail": mail}
