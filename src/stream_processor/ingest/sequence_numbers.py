"""Sequence numbers as text that sorts like the numbers."""

from typing import Final

#: Kinesis sequence numbers have up to 56 decimal digits, and a DynamoDB Number holds 38 (DynamoDB,
#: "Supported data types"). They are compared as integers and stored as text of this width.
SEQUENCE_DIGITS: Final = 56


def padded(sequence: int) -> str:
    """Return the sequence number as zero-padded text, so that text order is numeric order."""
    return str(sequence).zfill(SEQUENCE_DIGITS)
