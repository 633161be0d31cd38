"""Run the smoke test of a deployed system and print its results."""

import time
from collections.abc import Callable
from typing import Final

from aws_emulator.errors import CommandError
from tools.deployment.environments import Environment
from tools.deployment.smoke.account import check_account
from tools.deployment.smoke.direct_request import check_direct_request
from tools.deployment.smoke.event import check_event
from tools.deployment.smoke.paid_page import check_paid_page
from tools.deployment.smoke.sign_in import check_sign_in
from tools.deployment.smoke.target import Target, target_of

CHECKS: Final[dict[str, Callable[[Target], list[str]]]] = {
    "only a paying student reads /premium/": check_paid_page,
    "a visitor gets the sign-in page": check_sign_in,
    "an event reaches the data lake": check_event,
    "a form creates an account": check_account,
    "the API refuses requests past CloudFront": check_direct_request,
}


def smoke(environment: Environment) -> None:
    """Check the system of an environment through its public address.

    Raises:
        CommandError: A check failed, or the environment has no address.
    """
    check_target(target_of(environment))


def check_target(target: Target) -> None:
    """Run all checks and print one line for each.

    Raises:
        CommandError: At least one check failed.
    """
    print(f"Smoke test of {target.url}")
    failed = 0
    for name, check in CHECKS.items():
        started = time.monotonic()
        problems = check(target)
        failed += bool(problems)
        print(f"  {'✗' if problems else '✓'} {name} ({time.monotonic() - started:.1f} s)")
        for problem in problems:
            print(f"      {problem}")
    if failed:
        raise CommandError(
            f"{failed} of {len(CHECKS)} checks of {target.url} failed; see above. Solve the "
            "causes, then run `make smoke` again."
        )
