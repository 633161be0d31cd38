"""Property test: no record is lost or skipped, for any settings, handler and faults."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.records import Record, queue_index
from aws_emulator.simulator import Faults, Report, Simulator, fault_point, kinesis_records, mapping
from aws_emulator.tests import strategies

DESTINATION: Final = "arn:aws:sqs:us-east-1:000000000000:discards"


@dataclass
class Handler:
    """Fails as the records request, and asserts that no earlier record was skipped."""

    config: EventSourceMapping
    records: list[Record]
    tries: dict[str, int] = field(default_factory=dict)
    report: Report = field(default_factory=Report)

    def __call__(self, event: dict[str, Any]) -> Any:
        numbers = [record["kinesis"]["sequenceNumber"] for record in event["Records"]]
        self._assert_no_record_is_skipped(numbers)
        fault_point("handler: begin", error=ConnectionError)
        answer: dict[str, Any] = {"batchItemFailures": []}
        if "state" in event:
            answer["state"] = event["state"]
        for record, number in zip(event["Records"], numbers, strict=True):
            instructions = json.loads(_decoded(record))
            self.tries[number] = self.tries.get(number, 0) + 1
            if self.tries[number] > instructions["times"]:
                continue
            if instructions["do"] == "raise":
                raise ValueError
            if instructions["do"] == "report":
                answer["batchItemFailures"].append({"itemIdentifier": number})
            if instructions["do"] == "nonsense":
                return "nonsense"
        fault_point("handler: end", error=ConnectionError)
        return answer

    def _assert_no_record_is_skipped(self, numbers: list[str]) -> None:
        if not numbers:
            return
        queues = self.config.parallelization_factor
        first = int(numbers[0])
        keys = {record.sequence: record.key for record in self.records}
        queue = queue_index(keys[numbers[0]], queues)
        settled = {s for done in self.report.delivered.values() for s in done}
        settled |= {*self.report.discarded, *self.report.filtered}
        before = [
            r for r in self.records if r.number < first and queue_index(r.key, queues) == queue
        ]
        assert settled.issuperset(record.sequence for record in before)
        assert all(queue_index(keys[number], queues) == queue for number in numbers)
        assert numbers == sorted(numbers, key=int)
        assert len(numbers) <= self.config.batch_size


def _decoded(record: dict[str, Any]) -> bytes:
    return base64.b64decode(record["kinesis"]["data"])


def simulate(
    settings: dict[str, Any], payloads: list[dict[str, Any]], rng: Any, faults: Faults
) -> tuple[Report, list[Record], EventSourceMapping]:
    config = mapping({**settings, "DestinationConfig": {"OnFailure": {"Destination": DESTINATION}}})
    records = kinesis_records(
        [json.dumps(payload).encode() for payload in payloads],
        keys=[payload["key"] for payload in payloads],
    )
    handler = Handler(config, records)
    simulator = Simulator(records, config, handler, rng, faults)
    handler.report = simulator.report
    return simulator.run(), records, config


@given(
    strategies.mapping_settings(),
    strategies.record_payloads(),
    st.randoms(use_true_random=False),
    strategies.simulator_faults(),
)
def test_every_record_is_delivered_discarded_or_filtered(
    settings: dict[str, Any],
    payloads: list[dict[str, Any]],
    rng: Any,
    faults: Faults,
) -> None:
    report, records, config = simulate(settings, payloads, rng, faults)
    assert report.unaccounted == set()
    known = [record.sequence for record in records]
    for discard in report.discards:
        info = json.loads(discard.document)["KinesisBatchInfo"]
        first, last = (
            known.index(discard.sequence_numbers[0]),
            known.index(discard.sequence_numbers[-1]),
        )
        assert (info["startSequenceNumber"], info["endSequenceNumber"]) == (
            known[first],
            known[last],
        )
        assert info["batchSize"] == len(discard.sequence_numbers)
        sent = json.loads(discard.event)["Records"]
        assert [r["kinesis"]["sequenceNumber"] for r in sent] == discard.sequence_numbers
    if config.max_retry_attempts is None and config.max_record_age_s is None:
        assert report.discards == []
    for written in report.checkpoints.values():
        assert report.restarts or written == sorted(written, key=int)
        assert written[-1:] in ([], [known[-1]])


@given(
    strategies.mapping_settings(),
    strategies.record_payloads(),
    st.randoms(use_true_random=False),
)
def test_every_record_finishes_once_without_restarts(
    settings: dict[str, Any], payloads: list[dict[str, Any]], rng: Any
) -> None:
    report, records, _ = simulate(settings, payloads, rng, Faults())
    ends = [s for done in report.delivered.values() for s in done]
    ends += [*report.discarded, *report.filtered]
    assert sorted(ends, key=int) == [record.sequence for record in records]


def test_bisect_discards_only_poison_records() -> None:
    payloads: list[dict[str, Any]] = [{"do": "", "times": 0, "key": "k"} for _ in range(40)]
    for position in (3, 17, 18):
        payloads[position] = {"do": "raise", "times": 10_000, "key": "k"}
    settings = {"BatchSize": 40, "BisectBatchOnFunctionError": True, "MaximumRetryAttempts": 1}
    report, records, _ = simulate(settings, payloads, 1, Faults())
    assert report.discarded == [records[position].sequence for position in (3, 17, 18)]


def test_simulated_batches_differ_by_seed() -> None:
    payloads: list[dict[str, Any]] = [{"do": "", "times": 0, "key": "k"} for _ in range(60)]
    sizes = {
        tuple(
            len(call.sequence_numbers)
            for call in simulate({"BatchSize": 9}, payloads, seed, Faults())[0].calls
        )
        for seed in range(10)
    }
    assert len(sizes) == 10
