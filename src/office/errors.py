"""The refusals of a request: each has a stable code and the HTTP status of the API's response."""


class OfficeError(Exception):
    """Base class of the refusals. Messages contain no personal data."""

    code = "office"
    status = 500


class NotStaffError(OfficeError):
    """Raised when the caller isn't in the group staff."""

    code = "not_staff"
    status = 403


class UnknownStudentError(OfficeError):
    """Raised when the user pool has no user with this `sub`."""

    code = "student_unknown"
    status = 404


class AddressDiffersError(OfficeError):
    """Raised when the address that confirms an erasure isn't that of the student."""

    code = "address_differs"
    status = 409


class AccessChangingError(OfficeError):
    """Raised while another change of the student's paid access is being applied."""

    code = "access_changing"
    status = 409


class CourseLimitError(OfficeError):
    """Raised when a student has as many courses as a session's cookies can hold."""

    code = "course_limit"
    status = 409


class RequestReusedError(OfficeError):
    """Raised when a request has the id of an earlier one that asked for something else."""

    code = "request_id_used"
    status = 409


class UnknownFeedbackError(OfficeError):
    """Raised when no feedback has the id."""

    code = "feedback_unknown"
    status = 404


class UnknownParkedError(OfficeError):
    """Raised when no parked request has the id."""

    code = "parked_unknown"
    status = 404


class ParkedSettledError(OfficeError):
    """Raised when a parked request has ended, so there is nothing to finish or undo."""

    code = "parked_settled"
    status = 409


class UnknownRosterError(OfficeError):
    """Raised when no roster has the name."""

    code = "roster_unknown"
    status = 404


class RosterInvalidError(OfficeError):
    """Raised when the content of an upload isn't Base64."""

    code = "roster_invalid"
    status = 400


class UnavailableError(OfficeError):
    """Raised when a service failed. The same request can be sent again."""

    code = "unavailable"
    status = 503


class SettingsError(Exception):
    """Raised when an environment variable is missing."""
