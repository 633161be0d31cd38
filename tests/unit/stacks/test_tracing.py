"""Lambda traces each function with AWS X-Ray, and its role may send the segments."""

from typing import Any, Final

import pytest

from tests.support.paths import ROOT
from tests.unit.stacks.test_granted_actions import FUNCTIONS, TRACES, granted, resource_of

#: Functions whose code uses Powertools Tracer (docs/decisions/0029-what-follows-the-x-ray-sdk.md).
TRACED_IN_CODE: Final = {"stream_processor.handlers", "stepfunctions.notify"}


def services(name: str) -> set[str]:
    """Return the services that may assume the role of a function."""
    path, parents, properties = FUNCTIONS[name]
    role: dict[str, Any] = resource_of(path, properties["Role"], parents)["Properties"]
    principals = [
        it["Principal"]["Service"] for it in role["AssumeRolePolicyDocument"]["Statement"]
    ]
    return {service for it in principals for service in ([it] if isinstance(it, str) else it)}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_each_function_except_at_the_edge_has_active_tracing(name: str) -> None:
    """Lambda@Edge refuses a function with X-Ray ("Restrictions on Lambda@Edge")."""
    tracing = FUNCTIONS[name][2].get("TracingConfig")
    if "edgelambda.amazonaws.com" in services(name):
        assert tracing is None
    else:
        assert tracing == {"Mode": "Active"}
        assert granted(name) >= TRACES


def test_only_the_documented_functions_import_the_tracer() -> None:
    """Every other cold start would pay for the X-Ray SDK."""
    users = {
        path.relative_to(ROOT / "src").with_suffix("").as_posix().replace("/", ".")
        for path in (ROOT / "src").rglob("*.py")
        if "telemetry.subsegment(" in path.read_text()
        or "telemetry.instrumented" in path.read_text()
    }
    assert users
    assert {it for it in users if not it.startswith(tuple(TRACED_IN_CODE))} == set()
