"""Tests that the lake's bucket keeps what the repair commands rely on."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Final

import pytest

from stream_processor.repair import item_states
from stream_processor.storage import lake_keys
from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import resources

STACK: Final = ROOT / "stacks" / "stream.yaml"
#: `verify` restores an object that was deleted by mistake from its version.
MIN_VERSION_DAYS: Final = 30
#: Objects that no row or repair needs: states of items, and the catalogue's flow logs.
EXPIRING: Final = (f"{item_states.PREFIX}/", "flow-logs/")
#: A rule that the parameter of the retention turns on; test_stack.py checks its days.
BY_RETENTION: Final = {"Fn::If": ["HasEventsRetention", "Enabled", "Disabled"]}

type Bucket = dict[str, Any]


def lake_bucket() -> Bucket:
    return deepcopy(dict(resources(STACK)["LakeBucket"]))


def faults_of(bucket: Mapping[str, Any]) -> list[str]:
    """Return the settings of a bucket that would delete rows or their versions."""
    properties = bucket["Properties"]
    faults = []
    if properties.get("VersioningConfiguration") != {"Status": "Enabled"}:
        faults.append("no versions")
    if bucket.get("UpdateReplacePolicy") != "Retain":
        faults.append("deleted when it is replaced")
    for rule in properties["LifecycleConfiguration"]["Rules"]:
        prefix = rule.get("Prefix", rule.get("Filter", ""))
        expires = {"ExpirationInDays", "ExpirationDate", "Expiration"} & rule.keys()
        harmless = rule["Status"] == BY_RETENTION or prefix in EXPIRING
        if expires and not harmless:
            faults.append(f"{rule['Id']} expires objects")
        old = rule.get("NoncurrentVersionExpiration", {"NoncurrentDays": MIN_VERSION_DAYS})
        if old["NoncurrentDays"] < MIN_VERSION_DAYS or "NoncurrentVersionExpirationInDays" in rule:
            faults.append(f"{rule['Id']} expires versions early")
    return faults


def without_versions(bucket: Bucket) -> None:
    del bucket["Properties"]["VersioningConfiguration"]


def with_suspended_versions(bucket: Bucket) -> None:
    bucket["Properties"]["VersioningConfiguration"] = {"Status": "Suspended"}


def with_expiring_objects(bucket: Bucket) -> None:
    rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    rules.append({"Id": "old", "Status": "Enabled", "ExpirationInDays": 400})


def with_expiring_events(bucket: Bucket) -> None:
    rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    prefix = f"{lake_keys.EVENTS}/"
    rules.append({"Id": "old", "Status": "Enabled", "Prefix": prefix, "ExpirationInDays": 400})


def with_short_lived_versions(bucket: Bucket) -> None:
    rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    rules[0]["NoncurrentVersionExpiration"] = {"NoncurrentDays": 1}


def test_lake_bucket_keeps_objects_and_versions() -> None:
    assert faults_of(lake_bucket()) == []


@pytest.mark.parametrize(
    "change",
    [
        without_versions,
        with_suspended_versions,
        with_expiring_objects,
        with_expiring_events,
        with_short_lived_versions,
    ],
)
def test_changed_lake_bucket_is_detected(change: Callable[[Bucket], None]) -> None:
    bucket = lake_bucket()
    change(bucket)
    assert len(faults_of(bucket)) == 1
