"""Advisors' availability, and the checks of a booking that need their time zones."""
