"""Exceptions of the account workflow. The state machines match them by class name."""


class SchoolError(Exception):
    """Base class. Messages contain no personal data, because execution histories keep them."""

    code = "school"


class SettingsError(SchoolError):
    """An environment variable is missing or invalid."""

    code = "settings"


class TransientError(SchoolError):
    """A service did not respond or throttled the call; the state machine retries."""

    code = "transient"


class PermanentError(SchoolError):
    """A service rejected the request; a retry would fail in the same way."""

    code = "permanent"


class IdentityTakenError(SchoolError):
    """The user pool has a user with this address that does not belong to the account."""

    code = "identity_taken"


class PersonNotFoundError(SchoolError):
    """The accounts table has no submitted form for the account."""

    code = "person_not_found"


class RosterError(SchoolError):
    """The roster isn't a CSV file that can be imported; the message names the broken rule."""

    code = "roster"


class OutboxError(SchoolError):
    """An outbox item or message has an invalid format."""

    code = "outbox"
