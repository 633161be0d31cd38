"""Each command of the documents is in one class, and a test runs or checks it.

make        a test runs the target (RUN_BY names it), and its options exist
sam         parsed by the SAM CLI's own parser
aws         checked against botocore's service models, from which the AWS CLI is generated
pytest      the paths exist, and the filter selects a test
others      named in OTHERS with the test that runs them, or the reason why none does
"""

import re
import subprocess
from functools import cache
from typing import Any, Final

import botocore.session
import click
import pytest
from botocore import xform_name
from botocore.exceptions import UnknownServiceError

from tests.support.document_commands import document_commands, words
from tests.support.paths import ROOT

MAKEFILE: Final = (ROOT / "Makefile").read_text()
CHECK: Final = ".github/workflows/check.yml"
#: The test that runs the command behind each target, or the workflow that runs the target.
RUN_BY: Final = {
    "bench": "tests/unit/architecture/test_imports.py",
    "build": "tests/support/running.py",
    "chaos": "tests/system/test_chaos.py",
    "check": CHECK,
    "compact": "tests/system/test_compaction.py",
    "debug": "tests/system/test_debug.py",
    "deploy": "tests/system/test_deployment.py",
    "destroy": "tests/system/test_deployment.py",
    "dev": "tests/system/test_reload.py",
    "down": "tests/system/test_faults.py",
    "help": "tests/unit/docs/test_commands.py",
    "integration": CHECK,
    "invoke": "tools/tests/test_invoke.py",
    "lint": CHECK,
    "logs": "tools/tests/test_logs.py",
    "package": CHECK,
    "preflight": "tests/system/test_deployment.py",
    "prose": "tests/unit/docs/test_prose.py",
    "prove": "tests/unit/stream_processor/test_proof.py",
    "reconcile": "tests/system/test_operations.py",
    "redrive": "tests/system/test_operations.py",
    "requirements": "tests/unit/build/test_requirements.py",
    "run": "tests/system/test_faults.py",
    "setup": "tools/tests/setup/test_other_pythons.py",
    "smoke": "tests/system/test_deployment.py",
    "spark": "tests/unit/lake/test_engines.py",
    "sql": "tools/tests/lake_sql/test_tables.py",
    "student": "tools/tests/dev/test_student.py",
    "test": CHECK,
    "trace": "tests/system/test_trace.py",
    "types": CHECK,
    "unit": CHECK,
    "up": "tests/system/test_faults.py",
    "validate": CHECK,
    "verify": "tests/system/test_operations.py",
}
#: Commands of other programs by their beginning: the test that runs them, or why none does.
OTHERS: Final = {
    "curl -u portal-write-key: ": "tests/system/test_journey.py sends the same request",
    "git clone ": "tools/setup/bare_root.sh runs it, and then the two commands",
    "cd meridian": "tools/setup/bare_root.sh runs it",
    "git checkout ": "discards the developer's changes",
    ".venv/bin/python -m tools.setup.disk_usage": "tools/tests/setup/test_disk_usage.py",
    "python -m tools.replay": "tools/tests/replay/test_command.py",
    "python -m tools.report": "tools/tests/report/test_command.py",
    ".venv/bin/python -m tools.recording ": "tools/tests/recording/test_recording.py",
    "sam local invoke": "needs Docker, as the document says",
    "sam sync ": "tests/system/test_reload.py covers the local system",
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


@pytest.mark.parametrize("command", of_program("make"))
def test_make_target_has_a_test_and_its_options_exist(command: str) -> None:
    variables, (_, *rest) = words(command)
    targets = [it for it in rest if "=" not in it]
    options = [it.partition("=")[0] for it in rest if "=" in it]
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target
        assert (ROOT / RUN_BY[target]).exists(), RUN_BY[target]
        text = "\n".join(re.findall(r'@echo "(.*)"', MAKEFILE))
        for option in (*options, *variables):
            assert re.search(rf"\b{option}=", text), f"`make help` doesn't list {option}="


def test_make_help_lists_each_target_of_the_documents() -> None:
    done = subprocess.run(
        ["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True
    )
    listed = set(re.findall(r"^  make ([a-z]+) ", done.stdout, re.MULTILINE))
    used = {it for command in of_program("make") for it in words(command)[1][1:] if "=" not in it}
    assert used <= listed


def test_workflow_runs_every_check() -> None:
    """Targets of RUN_BY that the workflow reaches through `make test`."""
    assert "make test" in (ROOT / CHECK).read_text()
    recipe = MAKEFILE[MAKEFILE.index("\ntest:") : MAKEFILE.index("\nspark:")]
    recipe += MAKEFILE[MAKEFILE.index("\ncheck:") : MAKEFILE.index("\nlint:")]
    for target in ("check", "validate", "package", "integration", "lint", "types", "unit"):
        assert re.search(rf"\b{target}\b", recipe), target


@pytest.mark.parametrize("command", of_program("sam"))
def test_sam_command_is_accepted_by_the_parser_of_the_sam_cli(command: str) -> None:
    from samcli.cli.main import cli  # type: ignore[import-untyped]

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
    return botocore.session.get_session().get_service_model(name)


def check_aws(command: str) -> None:
    """Fail unless the operation, its options and its required options exist."""
    _, (_, service, operation, *rest) = words(command)
    given = {it[2:] for it in rest if it.startswith("--")} - _GLOBAL
    if (service, operation) == ("logs", "tail"):
        assert given <= _LOGS_TAIL
        assert not rest[0].startswith("--")
        return
    model = service_model(service)
    operations = {xform_name(it, "-"): it for it in model.operation_names}
    shape = model.operation_model(operations[operation]).input_shape
    members = {xform_name(it, "-") for it in shape.members} if shape else set()
    required = {xform_name(it, "-") for it in shape.required_members} if shape else set()
    assert given <= members, given - members
    assert required <= given, required - given


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
    if path.endswith(".py") and "test_reload" not in path:
        assert (ROOT / path).exists()
