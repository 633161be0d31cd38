"""Add the courses that a student bought to the access token (pre token generation trigger)."""
