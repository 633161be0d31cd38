"""The refusals of a request: each has a stable code and the HTTP status of the API's response."""


class BookingError(Exception):
    """Base class of the refusals. Messages contain no personal data."""

    code = "booking"
    status = 500


class NotStaffError(BookingError):
    """Raised when the caller of an operation for staff isn't in the group staff."""

    code = "not_staff"
    status = 403


class InvalidAvailabilityError(BookingError):
    """Raised when a part of an advisor's availability is invalid; the message names it."""

    code = "availability_invalid"
    status = 400


class AvailabilityChangedError(BookingError):
    """Raised when another change of the availability was first."""

    code = "availability_changed"
    status = 409


class UnknownAdvisorError(BookingError):
    """Raised when the school has no such advisor: no availability is stored."""

    code = "advisor_unknown"
    status = 404


class UnknownAppointmentError(BookingError):
    """Raised when the student doesn't have the appointment."""

    code = "appointment_unknown"
    status = 404


class SlotNotOfferedError(BookingError):
    """Raised when the advisor's availability has no slot with this start."""

    code = "slot_not_offered"
    status = 409


class SlotTakenError(BookingError):
    """Raised when a student has the slot, or an appointment that overlaps it."""

    code = "slot_taken"
    status = 409


class NoticeTooShortError(BookingError):
    """Raised when the slot starts sooner than the advisor's notice allows."""

    code = "notice_too_short"
    status = 409


class TooManyBookingsError(BookingError):
    """Raised when the student has the maximum of coming appointments with the advisor."""

    code = "too_many_bookings"
    status = 409


class TooLateToChangeError(BookingError):
    """Raised when the time to move or cancel the appointment is over."""

    code = "too_late_to_change"
    status = 409


class UnavailableError(BookingError):
    """Raised when DynamoDB failed, or when other changes were faster in every attempt."""

    code = "unavailable"
    status = 503


class NotHomeError(BookingError):
    """Raised when the record of the home doesn't name this Region, or the home is moving."""

    code = "not_home"
    status = 503


class HomeChangeError(Exception):
    """Raised when the home can't move as an operator asked; the message says why."""

    code = "home_change"
    status = 409


class ConflictError(Exception):
    """Raised when a condition of a transaction failed: read the items again, and decide again."""


class SettingsError(Exception):
    """Raised when an environment variable is missing."""
