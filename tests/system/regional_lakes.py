"""The rows of the lakes of both Regions of the system with several Regions."""

from typing import Any

from tests.support.waiting import wait_until
from tests.system.conftest import LONDON, MUMBAI
from tests.system.draining import progress_shown, wait_until_drained
from tests.system.test_journey import STORED_WITHIN_S, rows
from tools.dev import system


def stored_in_lakes(
    regions: system.System, condition: str, accepted: set[str]
) -> list[dict[str, Any]]:
    """Wait until the lakes of both Regions have the accepted events; return all matching rows."""
    lakes = [f"meridian-{regions.target.stage}-lake-000000000000-{it}" for it in (LONDON, MUMBAI)]

    def read() -> list[dict[str, Any]]:
        return [row for lake in lakes for row in rows(regions, condition, lake)]

    with progress_shown(regions):
        wait_until(
            lambda: accepted <= {row["message_id"] for row in read()},
            f"{len(accepted)} accepted events in the lakes",
            STORED_WITHIN_S,
            interval_s=0.5,
        )
    # Unexpected further rows would come from records that are in the streams now.
    for region in (LONDON, MUMBAI):
        wait_until_drained(regions, region)
    return read()
