"""The disruptions of a history, and the settings of its mappings."""

import json
import random
from collections.abc import Set as AbstractSet
from typing import Final

from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.simulator import mapping

MAX_AGE_S: Final = 86_400

#: The disruptions besides faults of calls. Each history draws some of them.
DISRUPTIONS: Final = (
    "arrival times of other hours and days",
    "clocks hours apart",
    "redrives beside the function",
    "restores beside the function",
    "two mappings of a stream",
    "two streams with equal shards and sequence numbers",
    "filters changed",
    "parallel batches of a shard",
    "waits around the maximum record age",
    "series of 409 responses",
    "rows lost",
    "mappings restarted from an older checkpoint",
    "mappings recreated at TRIM_HORIZON",
    "batches delivered twice at once",
    "invocations timed out",
)
#: Those of the histories of Kafka.
KAFKA_DISRUPTIONS: Final = (
    "timestamps of any time",
    "topics created again",
    "partial batch responses of Kafka",
    "clocks hours apart",
    "rows lost",
    "series of 409 responses",
    "invocations timed out",
)
#: Of these, the settings of a history, which are counted once.
ONCE_PER_HISTORY: Final = frozenset(
    {
        "two mappings of a stream",
        "two streams with equal shards and sequence numbers",
        "parallel batches of a shard",
    }
)


def draw_config(rng: random.Random, drawn: AbstractSet[str]) -> EventSourceMapping:
    """Draw the settings of a mapping, with the disruptions of its history."""
    parallel = "parallel batches of a shard" in drawn
    keys = rng.choice([["key-0", "key-1"], ["key-1", "key-2", "key-3"]])
    pattern = json.dumps({"partitionKey": keys})
    filtered = "filters changed" in drawn and rng.random() < 0.5
    return mapping(
        {
            "BatchSize": rng.choice([2, 3, 7]),
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "BisectBatchOnFunctionError": rng.random() < 0.5,
            "MaximumRetryAttempts": rng.choice([-1, 1]),
            "MaximumRecordAgeInSeconds": rng.choice([-1, MAX_AGE_S]),
            "ParallelizationFactor": rng.choice([2, 3, 10]) if parallel else 1,
            **({"FilterCriteria": {"Filters": [{"Pattern": pattern}]}} if filtered else {}),
        }
    )
