"""docs/deploying.md gives a reason for each type of resource with a fixed name."""

import re

from tests.support.paths import ROOT
from tools.deployment.templates import named_resources

#: SAM's types and the types that they become.
TRANSFORMED = {
    "AWS::Serverless::Function": "AWS::Lambda::Function",
    "AWS::Serverless::StateMachine": "AWS::StepFunctions::StateMachine",
}


def test_docs_give_a_reason_for_each_fixed_name() -> None:
    section = (ROOT / "docs/deploying.md").read_text().partition("### Fixed names")[2]
    table = section.partition("\n## ")[0]
    listed = re.findall(r"^\| `(AWS::[\w:]+)` \| \S", table, re.MULTILINE)
    types = {it.type for it in named_resources("dev", "us-east-1", "123456789012")}
    assert set(listed) == {TRANSFORMED.get(it, it) for it in types}
    assert listed == sorted(listed)
