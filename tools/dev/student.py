"""The command student: create a user of the running system, or change an existing one."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aws_emulator.errors import CommandError
from tools.demo_students import OPERATORS_GROUP, PAYING_GROUP, STAFF_GROUP, put_user
from tools.paths import STATE
from tools.stack import StackTarget, client, describe_stack, find_running_stack

#: The user pool's password policy (stacks/foundation.yaml).
MIN_PASSWORD_CHARS: Final = 12
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True)
class StudentOptions:
    """EMAIL, PASSWORD, PAYING, STAFF and OPERATOR. `password` is generated if it isn't given."""

    email: str
    password: str = field(repr=False)
    paying: bool
    staff: bool = False
    operator: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "StudentOptions":
        """Read the options from environment variables.

        Raises:
            CommandError: An option is invalid.
        """
        email = environment.get("EMAIL", "").strip()
        if not _EMAIL.fullmatch(email):
            raise CommandError(
                f"EMAIL must be an email address, not {email!r}. "
                "For example: make student EMAIL=asha@example.com PAYING=1"
            )
        password = environment.get("PASSWORD") or secrets.token_urlsafe(12)
        if len(password) < MIN_PASSWORD_CHARS:
            raise CommandError(f"PASSWORD must have at least {MIN_PASSWORD_CHARS} characters.")
        names = ("PAYING", "STAFF", "OPERATOR")
        paying, staff, operator = (environment.get(name, "") not in ("", "0") for name in names)
        return cls(email, password, paying=paying, staff=staff, operator=operator)


def student(environment: Mapping[str, str]) -> int:
    """Create the student in the user pool of the system that `make up` started, and print it.

    An existing user gets the password and the group membership that the options say.

    Raises:
        CommandError: An option is invalid, or no system is running.
    """
    options = StudentOptions.from_environment(environment)
    target = find_running_stack(STATE / "up")
    if target is None:
        raise CommandError("No system is running. Start `make up` in another terminal first.")
    put_student(target, options)
    group = f"in the group {PAYING_GROUP}" if options.paying else f"not in the group {PAYING_GROUP}"
    if options.staff:
        group += f", in the group {STAFF_GROUP}"
    if options.operator:
        group += f", in the group {OPERATORS_GROUP}"
    print(f"{options.email}  password {options.password}  ({group})")
    return 0


def put_student(target: StackTarget, options: StudentOptions) -> None:
    """Create or change a user of the emulator's user pool.

    Raises:
        CommandError: Cognito refused the user.
    """
    cognito = client("cognito-idp", target)
    pool = describe_stack(target).outputs["UserPoolId"]
    put_user(
        cognito,
        pool,
        options.email,
        options.password,
        paying=options.paying,
        staff=options.staff,
        operator=options.operator,
    )
