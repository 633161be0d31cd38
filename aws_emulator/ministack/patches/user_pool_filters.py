"""Read the filter of ListUsers as AWS does, and refuse what AWS refuses.

Gap: a filter that MiniStack can't parse is ignored, and all users are returned. A quotation mark
that is escaped with a backslash ends the value. Attributes that AWS can't search are searched.
Seen in: ministack 1.5.33, cognito.py, _apply_user_filter and _list_users.
Delete when: MiniStack refuses invalid filters, and unescapes values.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.refusing import refuse
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: "You can only search for the following standard attributes" (API reference, ListUsers).
SEARCHABLE: Final = {
    *("username", "email", "phone_number", "name", "given_name", "family_name", "sub"),
    *("preferred_username", "cognito:user_status", "status"),
}
#: "Maximum value of 60" of Limit, and "Maximum length of 256" of Filter.
MAX_LIMIT: Final = 60
MAX_FILTER_CHARS: Final = 256
_FILTER: Final = re.compile(r'\s*"?([\w:]+)"?\s*(\^?=)\s*"((?:[^"\\]|\\.)*)"\s*', re.DOTALL)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Check the request before the operation, and compare the unescaped value."""
    service = Symbols(
        "ministack.services.cognito",
        *("_list_users", "_apply_user_filter", "_attr_list_to_dict", "error_response_json"),
    )

    def wrapper(original: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
        def apply(users: list[dict[str, Any]], text: str) -> Any:
            match = _FILTER.fullmatch(text)
            assert match is not None, "the request was checked"
            name, operator, value = match[1], match[2], re.sub(r"\\(.)", r"\1", match[3])
            if not set('"\\') & set(value):
                return original(users, text)
            wanted = value.casefold()

            def matches(user: dict[str, Any]) -> bool:
                attributes = service["_attr_list_to_dict"](user.get("Attributes", []))
                stored = str(attributes.get(name, "")).casefold()
                return stored == wanted if operator == "=" else stored.startswith(wanted)

            return [user for user in users if matches(user)]

        return apply

    refuse(service, "_list_users", refusal)
    service.wrap("_apply_user_filter", wrapper)


def refusal(request: dict[str, Any]) -> tuple[str, str] | None:
    """Return the error of an invalid request, or None."""
    text, limit = request.get("Filter", ""), request.get("Limit", 1)
    if not 0 <= limit <= MAX_LIMIT:
        return "InvalidParameterException", f"Limit must be at most {MAX_LIMIT}."
    if len(text) > MAX_FILTER_CHARS:
        return "InvalidParameterException", f"Filter has more than {MAX_FILTER_CHARS} characters."
    match = _FILTER.fullmatch(text)
    if text and (match is None or match[1] not in SEARCHABLE):
        return "InvalidParameterException", "Error while parsing filter"
    return None
