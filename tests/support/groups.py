"""Groups of tests that share a running system, an emulator or a server.

`make test` runs tests in parallel processes, and each group in one of them: its system starts once,
and its tests run in the order of their files.
"""

from typing import Final

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

#: Group → the beginnings of its test IDs. The longest beginning of a test's ID decides. The order
#: is the order of the start: groups with a longer duration first.
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "school": (
        "tests/system/portal/",
        "tests/system/school/",
        "tests/system/test_sign_in_browser.py",
    ),
    "events": ("tests/system/",),
    "deployments": (
        "tests/system/test_deployer_stack.py",
        "tests/system/test_failed_deployments.py",
    ),
    "regions": (
        "tests/system/test_collector_regions.py",
        "tests/system/test_failover.py",
        "tests/system/test_degraded_network.py",
        "tests/system/test_edge_outage.py",
        "tests/system/test_gameday.py",
        "tests/system/test_names.py",
        "tests/system/test_origin_key.py::test_rotation_with_a_separate_home",
        "tests/system/test_portal_copies.py",
        "tests/system/test_regions.py",
        "tests/system/test_waiting_sign_ups.py",
    ),
    # The commands of test_faults.py build, and wait for the tests of the packages, which read it.
    "build": ("tests/package/", "tests/system/test_build.py", "tests/system/test_faults.py"),
    "poller": ("aws_emulator/tests/event_sources/",),
    "emulator": ("aws_emulator/tests/ministack/",),
    "edge": ("aws_emulator/tests/cloudfront/",),
    "reload": ("aws_emulator/tests/reload/test_watch.py",),
    "states": ("tests/system/stepfunctions/",),
    "catalogue": ("tests/system/catalogue/",),
    "legacy": ("aws_emulator/tests/cloudfront/test_legacy_app.py",),
}
#: The beginnings of the IDs of tests that share nothing: they run in any process, after the groups.
INDEPENDENT: Final = (
    "aws_emulator/tests/ministack/test_patches.py::test_contract_fails_without_patch",
)
_GROUP_BY_BEGINNING: Final = {
    beginning: name for name, beginnings in GROUPS.items() for beginning in beginnings
} | dict.fromkeys(INDEPENDENT)
_POSITIONS: Final = {name: number for number, name in enumerate(GROUPS)}


def find_group(test_id: str) -> str | None:
    """Return the group of a test, or None if it shares nothing with other tests."""
    beginnings = [beginning for beginning in _GROUP_BY_BEGINNING if test_id.startswith(beginning)]
    return _GROUP_BY_BEGINNING[max(beginnings, key=len)] if beginnings else None


def position(test_id: str) -> int:
    """Return the position of a test's group in a run; tests without a group come last."""
    group = find_group(test_id)
    return len(_POSITIONS) if group is None else _POSITIONS[group]


def ends_group(test_id: str, next_id: str) -> bool:
    """Return whether a test is the last one of its group that this process runs."""
    group = find_group(test_id)
    return group is not None and group != find_group(next_id)


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]  # without types
    """Give each group to one process, and each other test to the next free process.

    pytest-xdist's own `--dist loadgroup` marks a test's ID, which pytest 9 doesn't allow.
    """

    def _split_scope(self, nodeid: str) -> str:
        return find_group(nodeid) or nodeid
