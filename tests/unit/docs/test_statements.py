"""Statements of the documents that the code can contradict: counts, platforms, stacks."""

import json
import re
from typing import Final

import pytest

from reserved_concurrency.plan import Quota, Reservation, make_plan
from tests.support.paths import ROOT
from tests.unit.docs.test_links import DOCUMENTS
from tests.unit.stacks.test_templates import DATA_TYPES, TEMPLATES, load, of_type, resources
from tests.unit.stream_processor.proof.kafka_mutations import KAFKA_MUTATIONS
from tests.unit.stream_processor.proof.mutations import EVENTS_MUTATIONS, MACHINE_MUTATIONS

MUTATIONS: Final = len(EVENTS_MUTATIONS) + len(KAFKA_MUTATIONS) + len(MACHINE_MUTATIONS)
NUMBERS: Final = {
    3: "three",
    4: "four",
    6: "six",
    12: "twelve",
    13: "thirteen",
    15: "fifteen",
    16: "sixteen",
    17: "seventeen",
    18: "eighteen",
    19: "nineteen",
    20: "twenty",
    21: "twenty-one",
    23: "twenty-three",
    24: "twenty-four",
    25: "twenty-five",
    22: "twenty-two",
}
#: A resource that a sentence locates in a stack: "The state machine is in `stacks/x.yaml`".
LOCATED: Final = re.compile(
    r"\b(state machine|user pool|data stream|distribution)s? (?:is|are) in `(stacks/[^`]+)`"
)
TYPES: Final = {
    "state machine": "AWS::Serverless::StateMachine",
    "user pool": "AWS::Cognito::UserPool",
    "data stream": "AWS::Kinesis::Stream",
    "distribution": "AWS::CloudFront::Distribution",
}


def joined(path: str) -> str:
    """Return a document's text with single spaces between words."""
    return " ".join((ROOT / path).read_text().split())


@pytest.mark.parametrize("path", ["Makefile", "docs/proof.md", "docs/testing.md"])
def test_proof_is_described_with_its_number_of_mutations(path: str) -> None:
    assert re.search(rf"\b{MUTATIONS} mutations\b", joined(path))


@pytest.mark.parametrize("path", ["README.md", "CONTRIBUTING.md"])
def test_supported_platform_is_the_same_in_each_document(path: str) -> None:
    assert "You need Linux on x86_64 (arm64 is untested" in joined(path)


@pytest.mark.parametrize("path", DOCUMENTS)
def test_located_resource_is_defined_in_named_stack(path: str) -> None:
    for noun, stack in LOCATED.findall(joined(path)):
        resources = load(ROOT / stack)["Resources"].values()
        assert TYPES[noun] in {it["Type"] for it in resources}, f"{path}: {noun} in {stack}"


def test_documents_locate_some_resources() -> None:
    assert any(LOCATED.search(joined(path)) for path in DOCUMENTS)


@pytest.mark.parametrize("path", ["SECURITY.md", "docs/features.md", "docs/local.md"])
def test_document_names_both_web_acls_that_a_laptop_enforces(path: str) -> None:
    """The emulator enforces the web ACLs of the distribution and of the user pool."""
    assert (ROOT / "aws_emulator/ministack/patches/user_pool_web_acls.py").exists()
    assert (ROOT / "aws_emulator/cloudfront/web_acl/acl.py").exists()
    assert re.search(r"enforce[^.]*user pool|user pool[^.]*enforce", joined(path))
    assert re.search(r"enforce[^.]*distribution|distribution[^.]*enforce", joined(path))


@pytest.mark.parametrize("path", DOCUMENTS)
def test_document_says_that_the_initial_lambda_quota_suffices(path: str) -> None:
    plan = make_plan("auto", [Reservation("validate", 50)], Quota(limit=10, free=0))
    assert plan.executions == 0
    for sentence in re.findall(r"[^.]*\bquota of 10\b[^.]*", joined(path)):
        assert re.search(r"\bcan deploy\b|\bsucceeds\b", sentence), sentence


def test_contributing_names_the_policies_of_resources_with_data() -> None:
    """CONTRIBUTING.md states the policies that all such resources in the templates have."""
    retained = [
        it for path in TEMPLATES for it in resources(path).values() if it["Type"] in DATA_TYPES
    ]
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        (value,) = {it[policy] for it in retained}
        assert re.findall(rf"`{policy}: (\w+)`", joined("CONTRIBUTING.md")) == [value]


def test_documents_name_each_shared_package() -> None:
    architecture = (ROOT / "docs" / "architecture.md").read_text()
    shared = re.findall(r"^\| `src/(\w+)` \|.*\| shared package \|$", architecture, re.MULTILINE)
    assert f"the {NUMBERS[len(shared)]} shared packages" in architecture
    (row,) = re.findall(r"^\| `src/` \|.*", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert re.findall(r"`(\w+)`", row.partition("shared packages")[2]) == shared


def test_local_run_is_described_with_its_number_of_functions() -> None:
    count = sum(len(of_type(path, "AWS::Serverless::Function")) for path in TEMPLATES)
    assert f"builds and packages all {NUMBERS[count]}." in joined("docs/local.md")


def test_deploying_lists_the_default_of_each_parameter() -> None:
    section = (ROOT / "docs" / "deploying.md").read_text().partition("\n## Parameters\n")[2]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section.partition("\n## ")[0], re.MULTILINE)
    assert rows
    parameters = load(ROOT / "template.yaml")["Parameters"]
    for name, default in rows:
        value = str(parameters[name]["Default"])
        if name == "CollectorSources":
            assert default == f"one source, `{json.loads(value)[0]['id']}`"
        else:
            assert default == (f"`{value}`" if value else "empty"), name
