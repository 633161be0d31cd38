"""The counts of `verify` say whether a lake is complete, as its exit code does."""

import json

from hypothesis import given
from hypothesis import strategies as st

from stream_processor.repair.shard_coverage import Gap
from stream_processor.repair.verify_report import FAULTS, VerifyReport
from tools.chaos import command

SHARD = ("events", "shardId-000000000000")


def report_with(fault: str) -> VerifyReport:
    """Return a report with one fault."""
    report = VerifyReport(objects=1, shards=1, good=1)
    match fault:
        case "gaps":
            report.gaps.append((SHARD, Gap(1, 2)))
        case "missing":
            report.missing["a log"] = [3]
        case "lost" | "waiting":
            getattr(report, fault)[SHARD].append(4)
        case _:
            getattr(report, fault).append("events/a.parquet")
    return report


@given(st.sampled_from([*FAULTS, "unrestorable"]))
def test_report_is_complete_exactly_if_no_fault_is_counted(fault: str) -> None:
    for report in (VerifyReport(), report_with(fault)):
        first, *sentences = str(report).splitlines()
        counts = json.loads(first.removeprefix("verified "))
        assert report.complete == (not any(counts[name] for name in FAULTS))
        assert ("No record is missing." in sentences) == report.complete
    assert report_with(fault).complete == (fault not in FAULTS)


def test_chaos_run_reads_every_fault() -> None:
    assert set(command.FAULTS) == set(FAULTS)
