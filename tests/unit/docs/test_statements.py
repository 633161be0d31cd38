"""Statements of the documents that the code can contradict: counts, platforms, stacks."""

import re
from typing import Final

import pytest

from tests.support.paths import ROOT
from tests.unit.docs.test_links import DOCUMENTS
from tests.unit.stacks.test_templates import load
from tests.unit.stream_processor.proof.alternatives import ALTERNATIVES
from tests.unit.stream_processor.proof.mutations import CHANGES_MUTATIONS, EVENTS_MUTATIONS

MUTATIONS: Final = len(EVENTS_MUTATIONS) + len(CHANGES_MUTATIONS)
NUMBERS: Final = {6: "six", 18: "eighteen", 19: "nineteen", 20: "twenty"}
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
def test_proof_is_described_with_its_number_of_designs_and_mutations(path: str) -> None:
    text = joined(path)
    for count, noun in ((len(ALTERNATIVES), "other designs"), (MUTATIONS, "mutations")):
        assert re.search(rf"\b(?:{count}|{NUMBERS[count]}) (?:single )?{noun}\b", text), (
            count,
            noun,
        )


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
def test_document_limits_enforced_web_acls_to_user_pool(path: str) -> None:
    """The emulator enforces the user pool's web ACL (its patch user_pool_web_acls)."""
    assert (ROOT / "aws_emulator/ministack/patches/user_pool_web_acls.py").exists()
    assert re.search(r"enforce[^.]*user pool|user pool[^.]*enforce", joined(path))
