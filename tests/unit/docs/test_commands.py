"""Each command of the documents is in one class, and a test runs or checks it.

live        tests/system/test_document_commands.py runs it as it is written
make        RUN_BY names a file that runs the target, BEHIND a test of the module that it runs
sam         parsed by the SAM CLI's own parser
aws         checked against botocore's service models, from which the AWS CLI is generated
pytest      the paths exist, and the filter selects a test
others      named in OTHERS with the test that runs them, or the reason why none does
"""

import ast
import re
import subprocess
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

import botocore.session
import click
import pytest
from botocore import xform_name
from botocore.exceptions import UnknownServiceError

from tests.support.document_commands import document_commands, words
from tests.support.live_commands import LIVE
from tests.support.paths import ROOT

MAKEFILE: Final = (ROOT / "Makefile").read_text()
CHECK: Final = ".github/workflows/check.yml"
#: Files that run `make <target>`, by target. The workflow's `make test` runs further targets.
RUN_BY: Final = {
    "nightly": ".github/workflows/nightly.yml",
    "check": CHECK,
    "debug": "tests/system/test_debug.py",
    "dev": "tests/system/test_faults.py",
    "down": "tests/system/test_document_commands.py",
    "lint": CHECK,
    "run": CHECK,
    "test": CHECK,
    "trace": "tests/system/test_document_commands.py",
    "types": CHECK,
    "unit": CHECK,
    "up": "tests/system/test_faults.py",
}
#: Targets that take long, need an AWS account or change files: the test that runs the same module,
#: or text of its command.
BEHIND: Final = {
    "build": ("tests/support/running.py", "sam_deployment.build("),
    "catalogue": ("tests/system/catalogue/test_regions.py", "tools.regional"),
    "capacity": ("tests/unit/stacks/test_capacity.py", "benchmarks.capacity"),
    "chaos": ("tests/system/test_chaos.py", "tools.chaos"),
    "destroy": ("tools/tests/deployment/test_destroy.py", "tools.deployment.destroy"),
    "erase": ("tests/system/test_erase.py", "tools.operations"),
    "conflicts": ("tests/system/test_failover.py", "tools.operations"),
    "failover": ("tests/system/test_failover.py", "tools.operations"),
    "rotate": ("tests/system/test_origin_key.py", "tools.operations"),
    "evacuate": ("tests/system/test_names.py", "tools.operations"),
    "gameday": ("tests/system/test_gameday.py", "tools.gameday"),
    "integration": (CHECK, "make test"),
    "leftovers": ("tests/system/test_failed_deployments.py", "recovery.recover"),
    "lint-templates": (CHECK, "make test"),
    "source": ("tests/system/test_sources.py", "tools.operations.source"),
    "suppress": ("tests/system/test_sources.py", "tools.operations.source"),
    "person": ("tests/system/school/test_person.py", "tools.operations"),
    "revoke": ("tests/system/test_revocation.py", "tools.operations.revoke"),
    "marts": ("tests/unit/lake/test_marts.py", "tools.lake_sql.marts"),
    "package": (CHECK, "make test"),
    "preflight": ("tests/system/test_deployment.py", "tools.deployment.preflight.command"),
    "prose": ("tests/unit/docs/test_prose.py", "tools.prose"),
    "prove": ("tests/unit/stream_processor/test_proof.py", "tests.unit.stream_processor.proof"),
    "region": ("tests/system/test_collector_regions.py", "tools.dev.region"),
    "requirements": ("tests/unit/build/test_requirements.py", "tools.setup.requirements"),
    "reprocess": ("tests/system/test_reprocessing.py", "tools.operations"),
    "reference": ("tests/unit/school_api/test_reference.py", "tools.api_reference"),
    "screenshots": (
        "tests/system/portal/test_page_audit.py",
        "SCREENSHOTS",
    ),
    "smoke": ("tests/system/test_deployment.py", "tools.deployment.smoke.command"),
    "spark": ("tests/unit/lake/test_engines.py", "pytest.mark.spark"),
    "readers": ("tests/system/readers/test_table_readers.py", "read(*READERS)"),
    "table": ("tests/system/test_compaction.py", "tools.operations"),
    "why": ("tests/system/test_why.py", "tools.operations"),
}
#: Targets that no test runs, with the reason.
NOT_RUN: Final = {
    "bench": "takes half an hour",
    "deploy": "needs an AWS account",
}
#: Commands of other programs by their beginning: the test that runs them, or why none does.
OTHERS: Final = {
    "curl -u portal-write-key: ": "tests/system/test_document_commands.py",
    "curl -i https://<region>.api.<domain>/health ": "tests/system/test_names.py",
    "git clone ": "tools/setup/bare_root.sh runs it, and then the two commands",
    "cd meridian": "tools/setup/bare_root.sh runs it",
    "pre-commit install": "changes the checkout's hooks; test_editor_files.py checks them",
    ".venv/bin/python -m tests.support.lesson_video ": "tests/unit/portal/test_lesson_video.py",
    ".venv/bin/python -m tests.support.preview_picture ": "tests/unit/portal/test_pages.py",
    "git checkout ": "discards the developer's changes",
    ".venv/bin/python -m tools.setup.disk_usage": "tools/tests/setup/test_disk_usage.py",
    "python -m tools.replay": "tools/tests/replay/test_command.py",
    "python -m tools.report": "tools/tests/report/test_command.py",
    ".venv/bin/python -m tools.recording ": "tools/tests/recording/test_recording.py",
    "sam local invoke": "needs Docker, as the document says",
    "docker build ": "needs Docker; tests/unit/stacks/test_catalogue.py reads the Dockerfile",
}
#: Options of `aws logs tail`, which isn't an operation (AWS CLI Command Reference, "logs tail").
_LOGS_TAIL: Final = {"since", "follow", "format", "filter-pattern", "log-stream-names"}
#: Global options with a value (AWS CLI Command Reference, "aws").
_GLOBAL: Final = {"region", "profile", "output", "query", "endpoint-url"}
COMMANDS: Final = sorted(document_commands())


def of_program(name: str) -> list[str]:
    """Return the commands of a program that OTHERS doesn't name."""
    return [
        it
        for it in COMMANDS
        if (words(it)[1] or [""])[0] == name and not it.startswith(tuple(OTHERS))
    ]


def is_pytest(command: str) -> bool:
    return "-m pytest" in command


def test_documents_contain_commands_of_each_class() -> None:
    assert len(of_program("make")) > 20
    assert len(of_program("aws")) > 10
    assert of_program("sam")
    assert [it for it in COMMANDS if is_pytest(it)]


def test_each_command_is_in_a_class() -> None:
    known = {*of_program("make"), *of_program("aws"), *of_program("sam")}
    others = [it for it in COMMANDS if it not in known and not is_pytest(it)]
    assert [it for it in others if not it.startswith(tuple(OTHERS))] == []


def code_of(path: str) -> str:
    """Return a file's text; of Python code, only the strings that aren't docstrings."""
    text = (ROOT / path).read_text()
    if not path.endswith(".py"):
        return text
    tree = ast.parse(text)
    statements = {id(it.value) for it in ast.walk(tree) if isinstance(it, ast.Expr)}
    constants = (it for it in ast.walk(tree) if isinstance(it, ast.Constant))
    return "\n".join(str(it.value) for it in constants if id(it) not in statements)


def targets_of_make_test() -> set[str]:
    """Return the targets that `make test` runs, also through other targets."""
    reached: set[str] = set()
    waiting = ["test"]
    while waiting:
        target = waiting.pop()
        if target not in reached:
            reached.add(target)
            rule = re.search(rf"^{target}:(.*)\n((?:\t.*\n)*)", MAKEFILE, re.MULTILINE)
            assert rule, target
            waiting += rule[1].partition("##")[0].split()
            for targets in re.findall(r"\$\(MAKE\)(?: -j \d)?((?: [a-z-]+)+)", rule[2]):
                waiting += targets.split()
    return reached


def targets_of(commands: Iterable[str]) -> set[str]:
    return {
        it
        for command in commands
        if words(command)[1][:1] == ["make"]
        for it in words(command)[1][1:]
        if "=" not in it
    }


def test_make_command_is_live_or_its_target_is_in_one_class() -> None:
    # A span such as `make student` names a target whose command with options is live.
    others = targets_of(set(of_program("make")) - set(LIVE)) - targets_of(LIVE)
    classes = [set(RUN_BY), set(BEHIND), set(NOT_RUN)]
    assert others | targets_of(LIVE) >= set.union(*classes) >= others
    assert sum(map(len, classes)) == len(set.union(*classes))


@pytest.mark.parametrize("target", sorted(RUN_BY))
def test_named_file_runs_the_target(target: str) -> None:
    code = code_of(RUN_BY[target])
    runs = re.search(rf"\bmake {target}\b", code)
    assert runs or (RUN_BY[target] == CHECK and target in targets_of_make_test())


def test_workflow_runs_make_test() -> None:
    assert "make test" in code_of(CHECK)
    assert {"check", "validate", "lint", "types", "unit", "run"} <= targets_of_make_test()


@pytest.mark.parametrize("target", sorted(BEHIND))
def test_named_file_has_the_module_behind_the_target(target: str) -> None:
    path, text = BEHIND[target]
    used = (ROOT / path).read_text()
    module, _, name = text.rpartition(".")
    assert text in used or f"from {module} import {name}" in used


def test_live_commands_are_in_the_documents() -> None:
    assert set(LIVE) <= set(COMMANDS)


@pytest.mark.parametrize("command", of_program("make"))
def test_make_target_and_its_options_exist(command: str) -> None:
    variables, (_, *rest) = words(command)
    targets = [it for it in rest if "=" not in it]
    options = [it.partition("=")[0] for it in rest if "=" in it]
    assert targets
    text = "\n".join(re.findall(r'@echo "(.*)"', MAKEFILE))
    for target in targets:
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target
    for option in (*options, *variables):
        assert re.search(rf"\b{option}=", text), f"`make help` doesn't list {option}="


def make(command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )


def test_make_help_lists_each_target_of_the_documents() -> None:
    done = make("make help")
    listed = set(re.findall(r"^  make ([a-z-]+) ", done.stdout, re.MULTILINE))
    used = {it for command in of_program("make") for it in words(command)[1][1:] if "=" not in it}
    assert used <= listed


@pytest.mark.parametrize("command", of_program("sam"))
def test_sam_command_is_accepted_by_the_parser_of_the_sam_cli(command: str) -> None:
    from samcli.cli.main import cli

    _, (_, *arguments) = words(command)
    group: Any = cli
    # The CLI imports a command only if its context has an object.
    context = click.Context(group, info_name="sam", obj=object())
    while isinstance(group, click.MultiCommand) and arguments:
        name = arguments.pop(0)
        group = group.get_command(context, name)
        assert group is not None, name
        context = click.Context(group, info_name=name, parent=context, obj=object())
    group.make_parser(context).parse_args(list(arguments))


def test_parser_of_the_sam_cli_refuses_an_unknown_option() -> None:
    with pytest.raises(click.UsageError):
        test_sam_command_is_accepted_by_the_parser_of_the_sam_cli("sam build --no-such-option")


@cache
def service_model(name: str) -> Any:
    # The AWS CLI's name of the operations of S3's API.
    service = {"s3api": "s3"}.get(name, name)
    return botocore.session.get_session().get_service_model(service)


def check_aws(command: str) -> None:
    """Fail unless the operation, its options and its required options exist."""
    _, (_, service, operation, *rest) = words(command)
    options = {it[2:] for it in rest if it.startswith("--")} - _GLOBAL
    if (service, operation) == ("logs", "tail"):
        assert options <= _LOGS_TAIL
        assert not rest[0].startswith("--")
        return
    model = service_model(service)
    operations = {xform_name(it, "-"): it for it in model.operation_names}
    shape = model.operation_model(operations[operation]).input_shape
    members = {xform_name(it, "-") for it in shape.members} if shape else set()
    # AWS CLI: a Boolean has a second option that means false.
    switches = shape.members.items() if shape else ()
    members |= {f"no-{xform_name(k, '-')}" for k, it in switches if it.type_name == "boolean"}
    required = {xform_name(it, "-") for it in shape.required_members} if shape else set()
    assert options <= members, options - members
    assert required <= options, required - options


@pytest.mark.parametrize("command", of_program("aws"))
def test_aws_command_matches_the_service_model(command: str) -> None:
    check_aws(command)


@pytest.mark.parametrize(
    "command",
    [
        "aws sqs receive-messages --queue-url x",
        "aws sqs receive-message --queue x",
        "aws sqs receive-message",
        "aws sqz receive-message --queue-url x",
        "aws logs tail --since 1h",
        "aws logs tail group --no-such-option 1",
    ],
)
def test_aws_command_with_a_mistake_is_found(command: str) -> None:
    with pytest.raises((AssertionError, KeyError, UnknownServiceError)):
        check_aws(command)


@pytest.mark.parametrize("command", [it for it in COMMANDS if is_pytest(it)])
def test_pytest_command_selects_a_test(command: str) -> None:
    _, (_, _, _, *arguments) = words(command)
    paths = [ROOT / it for it in arguments if it.startswith(("tests/", "tools/", "aws_"))]
    assert paths
    for path in paths:
        assert path.exists(), path
    if "-k" in arguments:
        keyword = arguments[arguments.index("-k") + 1]
        sources = [
            it for path in paths for it in ([path] if path.is_file() else path.rglob("*.py"))
        ]
        assert any(re.search(rf"def test_\w*{keyword}", it.read_text()) for it in sources)


@pytest.mark.parametrize("reason", sorted(OTHERS.values()))
def test_test_that_a_class_names_exists(reason: str) -> None:
    path = reason.partition(" ")[0]
    if path.endswith(".py"):
        assert (ROOT / path).exists()
