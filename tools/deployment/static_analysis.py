"""`python -m tools.deployment.static_analysis`: run checkov and zizmor, and print their figures.

checkov checks the root template and the nested ones after the SAM transform, so that it sees the
resources that SAM generates. A check is skipped in the `Metadata` of its resource, with a reason.
It also checks the image of the catalogue's tasks; a comment there skips a check, with a reason.
zizmor checks the workflows of GitHub Actions. Both run offline.
"""

import json
import logging
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aws_emulator.errors import CommandError
from tools.cli import exit_code
from tools.deployment.sam_transform import transformed
from tools.paths import ROOT, STATE

BIN: Final = ROOT / ".venv-checks" / "bin"
IMAGE: Final = ROOT / "stacks" / "catalogue" / "Dockerfile"
_TEMPLATES: Final = STATE / "checkov"
_API: Final = "AWS::ApiGateway::RestApi"
_STAGE: Final = "AWS::ApiGateway::Stage"


@dataclass(frozen=True)
class Result:
    """Hold what checkov reports: counts, and one line for each problem."""

    passed: int
    failed: int
    skipped: int
    problems: list[str]

    def line(self) -> str:
        """Return the counts as one line."""
        return f"checkov: {self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def parse(report: dict[str, Any]) -> Result:
    """Parse a report of `checkov --output json`. A skipped check without a reason is a problem."""
    results, summary = report["results"], report["summary"]
    problems = [f"failed: {_describe(it)}" for it in results["failed_checks"]]
    problems += [
        f"skipped without a reason: {_describe(it)}"
        for it in results["skipped_checks"]
        if len(it["check_result"].get("suppress_comment") or "") < len("No reason")
    ]
    problems += [f"not parsed: {it}" for it in results["parsing_errors"]]
    return Result(summary["passed"], summary["failed"], summary["skipped"], problems)


def with_stage_metadata(template: dict[str, Any]) -> dict[str, Any]:
    """Give each stage the metadata of its API.

    SAM generates the stage of an AWS::Serverless::Api and copies the metadata to the API only.
    """
    resources = template["Resources"]
    for logical_id, resource in list(resources.items()):
        api = resource.get("Properties", {}).get("RestApiId")
        if resource["Type"] == _STAGE and isinstance(api, dict) and "Ref" in api:
            source = resources.get(api["Ref"], {})
            if source.get("Type") == _API and "Metadata" in source:
                resources = resources | {logical_id: resource | {"Metadata": source["Metadata"]}}
    return template | {"Resources": resources}


def main() -> int:
    """Run both programs and return the exit code: 0 if neither reports a problem."""
    return exit_code(_run)


def _run() -> int:
    # The SAM translator warns about metrics that it would send to AWS.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    directory = _write_templates(_TEMPLATES)
    results = [
        parse(json.loads(_checkov("cloudformation", "--directory", directory))),
        parse(json.loads(_checkov("dockerfile", "--file", IMAGE))),
    ]
    problems = [problem for it in results for problem in it.problems]
    print(*problems, *(it.line() for it in results), sep="\n")
    workflows = subprocess.run(
        [str(BIN / "zizmor"), "--offline", "--no-progress", "--quiet", ".github"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if workflows.returncode:
        print(workflows.stdout + workflows.stderr)
    print(f"zizmor: {'findings above' if workflows.returncode else '0 findings'}")
    return 1 if problems or workflows.returncode else 0


def _templates() -> Iterator[Path]:
    yield ROOT / "template.yaml"
    yield from sorted((ROOT / "stacks").glob("*.yaml"))
    yield from sorted((ROOT / "stacks" / "catalogue").glob("*.yaml"))


def _write_templates(directory: Path) -> Path:
    """Write the transformed templates as JSON, and return the folder."""
    directory.mkdir(parents=True, exist_ok=True)
    for stale in directory.glob("*.json"):
        stale.unlink()
    for path in _templates():
        document = with_stage_metadata(transformed(path))
        name = "-".join(path.relative_to(ROOT).with_suffix(".json").parts)
        (directory / name).write_text(json.dumps(document, indent=1))
    return directory


def _checkov(framework: str, option: str, path: Path) -> str:
    """Return checkov's report about a folder or a file as JSON.

    Raises:
        CommandError: There is no checkov, or it ended without a report.
    """
    command = [str(BIN / "python"), str(BIN / "checkov"), option, str(path)]
    command += ["--framework", framework, "--output", "json", "--skip-download"]
    process = subprocess.run(
        command,
        env={**os.environ, "BC_SKIP_MAPPING": "TRUE"},
        capture_output=True,
        text=True,
        check=False,
    )
    if not process.stdout.startswith("{"):
        raise CommandError(
            f"checkov ended without a report: {process.stderr.strip()[-300:]}. Delete .venv-checks "
            "and run `make lint-templates` again."
        )
    return process.stdout


def _describe(check: dict[str, Any]) -> str:
    return f"{check['check_id']} {check['check_name']}: {check['file_path']} {check['resource']}"


if __name__ == "__main__":
    raise SystemExit(main())
