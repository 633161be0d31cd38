"""Hypothesis strategies for JSON values and event source mappings."""

from typing import Any

from hypothesis import strategies as st

from aws_emulator.simulator.faults import Faults

_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)


def json_values(max_leaves: int = 8) -> st.SearchStrategy[Any]:
    """Generate JSON values that survive a round trip through Python."""
    return st.recursive(
        _scalars,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
        ),
        max_leaves=max_leaves,
    )


# --- event source mappings ---


@st.composite
def mapping_settings(draw: st.DrawFn) -> dict[str, Any]:
    """Generate settings of an event source mapping by their API names."""
    tumbling = draw(st.sampled_from([0, 0, 1]))
    settings: dict[str, Any] = {
        "BatchSize": draw(st.integers(1, 12)),
        "MaximumBatchingWindowInSeconds": draw(st.sampled_from([0, 1])),
        "BisectBatchOnFunctionError": draw(st.booleans()),
        "FunctionResponseTypes": draw(st.sampled_from([[], ["ReportBatchItemFailures"]])),
        "MaximumRetryAttempts": draw(st.sampled_from([-1, 0, 1, 3])),
        "MaximumRecordAgeInSeconds": draw(st.sampled_from([-1, -1, 1, 5])),
        "ParallelizationFactor": draw(st.sampled_from([1, 1, 3])),
        "TumblingWindowInSeconds": tumbling,
    }
    if draw(st.booleans()):
        pattern = '{"data": {"key": [{"anything-but": "b"}]}}'
        settings["FilterCriteria"] = {"Filters": [{"Pattern": pattern}]}
    return settings


def record_payloads() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Generate record data that instructs the handler of test_conservation.py."""
    return st.lists(
        st.fixed_dictionaries(
            {
                "do": st.sampled_from(["", "", "", "raise", "report", "nonsense"]),
                "times": st.integers(0, 2),
                "key": st.sampled_from("abcde"),
            }
        ),
        max_size=30,
    )


def simulator_faults() -> st.SearchStrategy[Faults]:
    """Generate fault probabilities of all kinds, including zero."""
    rates = st.sampled_from([0.0, 0.0, 0.05, 0.2])
    return st.builds(
        Faults,
        crash=rates,
        error=rates,
        timeout=rates,
        overlap=rates,
        throttle=rates,
        restart=st.sampled_from([0.0, 0.0, 0.03]),
        limit=st.integers(0, 12),
    )
