"""The position in a pass at which the next slice begins."""

from typing import Final, NamedTuple


class Position(NamedTuple):
    """A stage, and the last key of it that is done. A key of the stream is a shard and a time."""

    stage: str
    after: str

    def as_list(self) -> list[str]:
        """Return the position for the result of a function.

        Lambda's runtime encodes with simplejson, which makes an object of a named tuple.
        """
        return list(self)


BEGIN: Final = Position("", "")
