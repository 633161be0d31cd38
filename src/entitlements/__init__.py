"""Add a student's courses and replaced sign-ins to the access token (pre token generation)."""
