"""Build MiniStack's ASGI application with all patches installed."""

import gc
from typing import Final

from aws_emulator.ministack import call_counts
from aws_emulator.ministack.control_api import Application, ControlApi
from aws_emulator.ministack.errors import EmulatorError
from aws_emulator.ministack.patches import PATCHES
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols
from aws_emulator.sam_launcher import use_libyaml, validate_policy_templates_once

#: gc.set_threshold: MiniStack keeps all data in memory and creates few cycles, so frequent
#: collections of the whole heap would cause most of its pauses.
_GC_THRESHOLDS: Final = (20_000, 20, 50)


def build(settings: Settings) -> Application:
    """Import MiniStack and install every patch except those in `settings.without`, in order.

    Raises:
        MissingSymbolError: MiniStack lacks a module or a name that a patch uses.
        EmulatorError: `settings.without` contains an unknown name.
    """
    unknown = settings.without - PATCHES.keys()
    if unknown:
        raise EmulatorError(f"--without: unknown patch {', '.join(sorted(unknown))}")
    # MiniStack's loader of templates derives from `yaml.SafeLoader` during its import.
    use_libyaml()
    validate_policy_templates_once()
    control = ControlApi()
    call_counts.install(control)
    application: Application = Symbols("ministack.app", "app")["app"]
    for name, patch in PATCHES.items():
        if name not in settings.without:
            application = patch.install(settings, control, application) or application
    gc.set_threshold(*_GC_THRESHOLDS)
    return control.wrap(application)


def stop() -> None:
    """Stop the workers of all functions.

    Raises:
        MissingSymbolError: MiniStack lacks the function that stops them.
    """
    Symbols("ministack.core.lambda_runtime", "reset")["reset"]()
