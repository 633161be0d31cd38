"""`make destroy` prints why it keeps a resource."""

from tests.unit.stacks.transformed import all_stacks, transformed
from tools.deployment.stacks import DELETED_WITH_PARENT, REASONS

NESTED = "AWS::CloudFormation::Stack"


def test_each_retained_resource_has_a_reason_or_is_deleted_with_its_parent() -> None:
    retained = {
        str(it["Type"])
        for path, _ in all_stacks()
        for it in transformed(path)["Resources"].values()
        if str(it.get("DeletionPolicy", "")).startswith("Retain")
    }
    assert retained == {*REASONS, *DELETED_WITH_PARENT, NESTED}
