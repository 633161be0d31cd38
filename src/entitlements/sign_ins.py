"""The newest sign-ins of a user. Pure: times of sign-ins in, those that stay and a bound out.

Times are whole seconds since the epoch, as the claim `auth_time` has them.
"""

from typing import Final

#: Cognito repeats a trigger that doesn't answer in five seconds: a sign-in within this time is the
#: last one.
SAME_SIGN_IN_S: Final = 5


class SignIns:
    """The times of a user's newest sign-ins, oldest first.

    Tokens of a sign-in until `replaced_until` belong to a replaced one.
    """

    __slots__ = ("replaced_until", "times")

    def __init__(self, times: list[int], replaced_until: int) -> None:
        self.times = times
        self.replaced_until = replaced_until


def record(known: SignIns, now: int, limit: int) -> SignIns:
    """Return the sign-ins after one at `now`; the newest `limit` stay."""
    if known.times and now - known.times[-1] <= SAME_SIGN_IN_S:
        return known
    times = [*known.times, now]
    replaced, stay = times[:-limit], times[-limit:]
    until = max([known.replaced_until, *replaced])
    # A sign-in that stays is never replaced by one of the same second.
    return SignIns(stay, min(until, stay[0] - 1))
