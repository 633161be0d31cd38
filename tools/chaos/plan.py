"""How much is sent, for how long the faults last, and what every draw begins with."""

from dataclasses import dataclass, field
from secrets import token_hex


@dataclass(frozen=True)
class Plan:
    """One run. The seed decides what is sent and which faults come when; `seconds` is the storm.

    `last` is the share of events and changes that is kept back until batches are given up.
    """

    seed: int
    events: int = 4_000
    changes: int = 1_000
    seconds: float = 15.0
    last: float = 0.05
    #: Names of this run's own: a seed may be used again on the same system.
    run: str = field(default_factory=lambda: f"chaos-{token_hex(4)}")
