"""What can go wrong in this room. A name is what the workflow's retriers and catchers read."""


class SchoolError(Exception):
    """An error of this room. Its sentence holds no personal data: it is kept in the history."""

    code = "school"


class SettingsError(SchoolError):
    """The environment lacks a name, or it has a value that is none."""

    code = "settings"


class TransientError(SchoolError):
    """A service did not answer, or asked for patience: the workflow tries again."""

    code = "transient"


class RefusedError(SchoolError):
    """A service said no, and would say it again."""

    code = "refused"


class IdentityTakenError(SchoolError):
    """The address has a user of another account, or of none."""

    code = "identity_taken"


class AbsentError(SchoolError):
    """The row that the workflow was started for is not there."""

    code = "absent"


class RosterError(SchoolError):
    """The roster is no CSV that can be imported; the sentence says which rule it breaks."""

    code = "roster"


class OutboxError(SchoolError):
    """A row of the outbox that cannot be read."""

    code = "outbox"
