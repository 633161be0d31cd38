"""Run SAM CLI with less waiting: `sam_launcher.py deploy ...`.

SAM CLI parses each template several times with PyYAML's Python parser, validates its own policy
templates for each, compresses each function's folder at zlib's default level, and asks
CloudFormation every 5 to 15 seconds whether it is done. Against an emulator, that is most of the
time of `sam deploy`. The templates, the files in the archives and the output of SAM CLI stay the
same. Run the file by its path and with `python -P`: the project's folder needs no package
`aws_emulator`, and the modules beside this file don't hide those of the standard library.
"""

import functools
import math
import zipfile
from typing import Any, Final

import botocore.waiter
import yaml

#: No compression: the archive goes to the same machine, and is unpacked there at once.
COMPRESSION_LEVEL: Final = 0
#: Seconds between two attempts of a boto3 waiter.
WAITER_DELAY_S: Final = 0.5


def use_libyaml() -> None:
    """Make libyaml, which is ten times as fast, the parser behind `yaml.safe_load`."""
    if yaml.__with_libyaml__:
        yaml.SafeLoader = yaml.CSafeLoader  # type: ignore[misc, assignment]


def validate_policy_templates_once() -> None:
    """Let the SAM translator validate its own policy templates once, not for each template."""
    # Imported here: the import takes half a second, which callers of `use_libyaml` don't need.
    from samtranslator.policy_template_processor.processor import PolicyTemplatesProcessor

    # The translator has no public setting for it.
    validate = PolicyTemplatesProcessor._is_valid_templates_dict  # noqa: SLF001
    valid: list[Any] = []

    def validate_once(templates: dict[str, Any], schema: dict[str, Any] | None = None) -> bool:
        if (templates, schema) not in valid:
            validate(templates, schema)
            valid.append((templates, schema))
        return True

    PolicyTemplatesProcessor._is_valid_templates_dict = staticmethod(validate_once)  # noqa: SLF001


def speed_up() -> None:
    """Change PyYAML, `zipfile`, botocore and the SAM translator in this process.

    Call it before SAM CLI is imported: SAM CLI registers its tags with `yaml.SafeLoader`.
    """
    use_libyaml()
    validate_policy_templates_once()
    zipfile.ZipFile.writestr = functools.partialmethod(  # type: ignore[method-assign, assignment]
        zipfile.ZipFile.writestr, compresslevel=COMPRESSION_LEVEL
    )
    wait = botocore.waiter.Waiter.wait

    def wait_often(self: Any, **arguments: Any) -> None:
        settings = {
            "Delay": self.config.delay,
            "MaxAttempts": self.config.max_attempts,
            **arguments.pop("WaiterConfig", {}),
        }
        wait(self, **arguments, WaiterConfig=more_attempts(**settings))

    botocore.waiter.Waiter.wait = wait_often  # type: ignore[method-assign]


def more_attempts(Delay: float, MaxAttempts: int) -> dict[str, float]:  # noqa: N803 -- boto3's names
    """Return a WaiterConfig with at most WAITER_DELAY_S between attempts, and no shorter limit."""
    delay = min(Delay, WAITER_DELAY_S)
    attempts = math.ceil(MaxAttempts * Delay / delay) if delay else MaxAttempts
    return {"Delay": delay, "MaxAttempts": attempts}


if __name__ == "__main__":
    speed_up()
    from samcli.cli.main import cli

    cli(prog_name="sam")
