"""The jobs of the pipeline's workflows have the permissions that their steps need."""

from typing import Any, Final

import pytest

from tools.paths import ROOT
from tools.template_yaml import yaml_parse

WORKFLOWS: Final = ROOT / ".github" / "workflows"
#: Permissions of the job's token by a text of a step. Sources: GitHub, "Permissions required for
#: GitHub Apps", and the READMEs of aws-actions/configure-aws-credentials and actions/attest.
NEEDED: Final = {
    "actions/checkout@": {"contents": "read"},
    "gh attestation verify": {"attestations": "read"},
    "aws-actions/configure-aws-credentials@": {"id-token": "write"},
    "actions/attest@": {"attestations": "write", "id-token": "write"},
}
_LEVELS: Final = ("none", "read", "write")


def jobs() -> dict[str, dict[str, Any]]:
    """Return the jobs of all workflows by file and ID."""
    return {
        f"{path.name}: {name}": job
        for path in sorted(WORKFLOWS.glob("*.yml"))
        for name, job in yaml_parse(path.read_text())["jobs"].items()
    }


def lacking(job: dict[str, Any], needed: dict[str, str]) -> list[str]:
    """Return the permissions that a job doesn't have."""
    permissions = job["permissions"]
    return [
        f"{name}: {level}"
        for name, level in needed.items()
        if _LEVELS.index(permissions.get(name, "none")) < _LEVELS.index(level)
    ]


@pytest.mark.parametrize("text", NEEDED)
def test_job_has_the_permissions_of_its_steps(text: str) -> None:
    users = {
        name: job
        for name, job in jobs().items()
        for step in job.get("steps", [])
        if text in step.get("uses", "") + step.get("run", "")
    }
    assert users
    assert {name: it for name, job in users.items() if (it := lacking(job, NEEDED[text]))} == {}


def test_caller_of_a_workflow_has_the_permissions_of_its_jobs() -> None:
    """GitHub, "Reusing workflow configurations": a called workflow can't raise permissions."""
    callers = {name: job for name, job in jobs().items() if "uses" in job}
    assert callers
    for name, caller in callers.items():
        file = caller["uses"].rsplit("/", 1)[-1]
        called = yaml_parse((WORKFLOWS / file).read_text())["jobs"].values()
        for job in called:
            assert lacking(caller, job["permissions"]) == [], name


def test_jobs_that_run_all_tests_have_the_same_time() -> None:
    """A release whose tests end in time must not have had them cancelled on the push before."""
    limits = {
        name: job["timeout-minutes"]
        for name, job in jobs().items()
        if "make test" in [step.get("run") for step in job.get("steps", [])]
    }
    assert limits == {"check.yml: test": 90, "deploy.yml: test": 90}
