"""A short game day on the system in several Regions, with the checks of `make gameday`."""

from typing import Final

import pytest

from tests.support.environments import end_environments
from tests.system.conftest import MUMBAI
from tests.system.test_regions import EDGE_AUTH, EDGE_INGEST
from tools.dev import system
from tools.gameday import catalogue, command
from tools.gameday.acts import move_act, region_act
from tools.gameday.checks import Limits

pytestmark = pytest.mark.integration

#: No duration is limited here: other tests keep the machine busy.
UNLIMITED: Final = Limits(answer_s=60, names_s=60, home_s=60, may_time_out=True)


def test_loss_of_the_further_region_loses_nothing_acknowledged(regions: system.System) -> None:
    # A collector that avoids a Region since an earlier test would store the events elsewhere.
    end_environments(regions, EDGE_AUTH, EDGE_INGEST)
    act = region_act(MUMBAI, "unavailable")
    plan = command.Plan(
        5,
        [act],
        before_s=1,
        lost_s=6,
        after_s=1,
        limits=UNLIMITED,
        checks_alarms=False,
        catalogue_acts=(catalogue.REGION,),
    )
    assert command.run(regions, plan) == 0


@pytest.mark.nightly
def test_bookings_move_with_the_home_and_back(regions: system.System) -> None:
    end_environments(regions, EDGE_AUTH, EDGE_INGEST)
    act = move_act("unavailable")
    plan = command.Plan(
        6,
        [act],
        before_s=1,
        lost_s=8,
        after_s=1,
        limits=UNLIMITED,
        checks_alarms=False,
        catalogue_acts=(),
    )
    assert command.run(regions, plan) == 0
