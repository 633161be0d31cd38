"""The deployment of a stage looks the leftovers of each environment up once."""

import subprocess
from collections import Counter
from typing import Any

import pytest

from tools.deployment import deploy as deployment
from tools.deployment import recovery
from tools.deployment.environments import Environment, read_environments
from tools.deployment.leftovers import ExistingResource
from tools.deployment.preflight import checks, command
from tools.deployment.preflight.account import Account, Caller
from tools.deployment.preflight.findings import ok


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Replace AWS, and count the lookups by environment."""
    counts: Counter[str] = Counter()

    def find_leftovers(environment: Environment, *_: Any) -> list[ExistingResource]:
        counts[environment.name] += 1
        return []

    def prepare(environment: Environment, *arguments: Any) -> None:
        # As recover does without a list.
        if arguments[-1] is None:
            counts[environment.name] += 1
        raise StopDeploymentError(environment.name)

    monkeypatch.setattr(recovery, "find_leftovers", find_leftovers)
    monkeypatch.setattr(recovery, "find_taken_names", lambda *_: [])
    monkeypatch.setattr(recovery, "prepare", prepare)
    monkeypatch.setattr(
        Account, "caller", lambda _: Caller("123456789012", "arn:aws:iam::1:role/a")
    )
    monkeypatch.setattr(Account, "region_is_enabled", lambda _: True)
    monkeypatch.setattr(checks, "check_stack", lambda *_: ok("stack", ""))
    for name in ("_home", "_reserved", "_permissions", "_edge_quotas", "_domain"):
        monkeypatch.setattr(command, name, lambda *_: ok("other", ""))
    for name in ("_sender", "_regional"):
        monkeypatch.setattr(command, name, lambda *_: [])
    monkeypatch.setattr(Account, "stack", lambda *_: None)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: None)
    return counts


class StopDeploymentError(Exception):
    """Ends a deployment before it calls AWS."""


def deployed(environments: list[Environment]) -> str:
    """Return the environment before whose deployment the command ended."""
    with pytest.raises(StopDeploymentError) as stopped:
        deployment.deploy_all(environments)
    return str(stopped.value)


def test_stage_with_several_environments_looks_each_up_once(lookups: Counter[str]) -> None:
    environments = read_environments("prod")
    assert len(environments) == 3
    assert deployed(environments) == "london"
    assert lookups == {it.name: 1 for it in environments}


def test_single_environment_is_looked_up_once(lookups: Counter[str]) -> None:
    assert deployed(read_environments("default")) == "default"
    assert lookups == {"default": 1}
