"""The parameters of one fault injection run."""

from dataclasses import dataclass, field
from secrets import token_hex


@dataclass(frozen=True)
class Plan:
    """One run. The seed determines the events, the changes and the order of the faults.

    `seconds` is the duration of the faults. `reserved_share` of the events and changes is sent
    after them, while the functions can't store anything.
    """

    seed: int
    events: int = 4_000
    changes: int = 1_000
    seconds: float = 15.0
    reserved_share: float = 0.05
    #: A prefix for ids, unique so that a seed can be used again on the same system.
    run: str = field(default_factory=lambda: f"chaos-{token_hex(4)}")
