"""The faster SAM CLI: the same templates and the same archives as without `speed_up`."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samcli.lib.package.utils import make_zip_with_lambda_permissions
from samcli.yamlhelper import yaml_dump, yaml_parse

from aws_emulator import sam_launcher

LAUNCHER: Final = Path(sam_launcher.__file__)
TEMPLATE: Final = """
AWSTemplateFormatVersion: '2010-09-09'
x-common: &common {Runtime: python3.13, Timeout: 5}
Resources:
  Function:
    Type: AWS::Serverless::Function
    Condition: Enabled
    Properties:
      <<: *common
      Role: !GetAtt Role.Arn
      Account: '012345678901'
      Since: 2026-01-31
      Octal: 0644
      Environment:
        Variables:
          A: !Sub
            - '${Name}-x'
            - {Name: !Ref AWS::StackName}
          B: !If [Enabled, !ImportValue x, !Ref AWS::NoValue]
          C: !Join ['', [é, "\\u00e9", yes, null]]
"""
#: Calls SAM CLI after `speed_up` and prints what it read and packed.
PROGRAM: Final = """
import json, runpy, sys
runpy.run_path(sys.argv[1])["speed_up"]()
from samcli.lib.package.utils import make_zip_with_lambda_permissions
from samcli.yamlhelper import yaml_dump, yaml_parse
template = yaml_parse(open(sys.argv[2]).read())
make_zip_with_lambda_permissions(sys.argv[4], sys.argv[3])
print(json.dumps([template, yaml_dump(template)]))
"""
#: Validates the SAM translator's policy templates twice, then invalid ones. The second validation
#: would fail, because the schema rejects everything by then.
VALIDATING: Final = """
import runpy, sys
runpy.run_path(sys.argv[1])["speed_up"]()
from samtranslator.policy_template_processor.processor import PolicyTemplatesProcessor
templates = PolicyTemplatesProcessor.get_default_policy_templates_json()
PolicyTemplatesProcessor(templates)
PolicyTemplatesProcessor._read_schema = staticmethod(lambda: False)
PolicyTemplatesProcessor(PolicyTemplatesProcessor.get_default_policy_templates_json())
try:
    PolicyTemplatesProcessor({"Templates": {}})
except ValueError as error:
    print("refused:", error)
"""
#: Calls a waiter like SAM CLI does, with answers instead of a service. At a delay of 15 seconds the
#: program exceeds its time limit.
WAITING: Final = """
import runpy, sys
runpy.run_path(sys.argv[1])["speed_up"]()
import boto3
from botocore.stub import Stubber
client = boto3.Session("x", "x", region_name="us-east-1").client("cloudformation")
def answer(status):
    return {"Stacks": [{"StackName": "s", "CreationTime": "2026-01-01", "StackStatus": status}]}
stubber = Stubber(client)
for status in ["CREATE_IN_PROGRESS"] * 5 + ["CREATE_COMPLETE"]:
    stubber.add_response("describe_stacks", answer(status))
with stubber:
    waiter = client.get_waiter("stack_create_complete")
    waiter.wait(StackName="s", WaiterConfig={"Delay": 15, "MaxAttempts": 60})
    stubber.assert_no_pending_responses()
"""


def entries(archive: Path) -> dict[str, tuple[Any, ...]]:
    with zipfile.ZipFile(archive) as opened:
        return {
            info.filename: (info.date_time, info.external_attr, opened.read(info))
            for info in opened.infolist()
        }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    code = tmp_path / "code"
    (code / "package").mkdir(parents=True)
    (code / "handler.py").write_text("print('handler')\n" * 1000)
    (code / "package" / "run").write_bytes(bytes(range(256)) * 100)
    (code / "package" / "run").chmod(0o700)
    return code


@pytest.mark.slow
def test_sped_up_sam_reads_and_packs_the_same(tmp_path: Path, folder: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE)
    fast, plain = tmp_path / "fast", tmp_path / "plain"
    arguments = map(str, (LAUNCHER, template, folder, fast))
    completed = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    expected = yaml_parse(TEMPLATE)
    assert json.loads(completed.stdout) == [
        json.loads(json.dumps(expected)),
        yaml_dump(expected),
    ]
    make_zip_with_lambda_permissions(str(plain), str(folder))
    assert entries(fast.with_suffix(".zip")) == entries(plain.with_suffix(".zip"))


@pytest.mark.slow
def test_launcher_is_sam_and_ignores_modules_beside_it(tmp_path: Path) -> None:
    completed = subprocess.run(
        [sys.executable, "-P", str(LAUNCHER), "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert completed.stdout.startswith("SAM CLI, version ")


@pytest.mark.slow
def test_waiter_of_sped_up_sam_ignores_long_delay(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-c", WAITING, str(LAUNCHER)]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)


@pytest.mark.slow
def test_policy_templates_are_validated_once_each(tmp_path: Path) -> None:
    completed = subprocess.run(
        [sys.executable, "-P", "-c", VALIDATING, str(LAUNCHER)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert completed.stdout.startswith("refused: ")


@given(st.integers(0, 60), st.integers(1, 200))
def test_waiter_keeps_its_time_limit(delay_s: int, attempts: int) -> None:
    settings = sam_launcher.more_attempts(delay_s, attempts)
    assert settings["Delay"] <= sam_launcher.WAITER_DELAY_S
    assert settings["Delay"] * settings["MaxAttempts"] >= delay_s * attempts
    assert settings["MaxAttempts"] >= attempts
