"""The group of the school's staff. Pure."""

from typing import Final

STAFF_GROUP: Final = "staff"


def is_staff(groups: str) -> bool:
    """Return whether a caller is staff; `groups` are the token's, joined by API Gateway."""
    return STAFF_GROUP in groups.split(",")
