"""MiniStack's ASGI application with all shims put in."""

import gc

from aws_emulator.ministack.control import Application, Control
from aws_emulator.ministack.errors import EmulatorError
from aws_emulator.ministack.patches import SHIMS
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

#: Objects made between two collections of the youngest, and of older ones. MiniStack keeps whatever
#: it is given and makes few cycles: looking at all of it every few seconds is most of the pauses.
_COLLECT = (20_000, 20, 50)


def build(settings: Settings) -> Application:
    """Import MiniStack, put in every shim but those in `settings.without`, in order.

    Raises MissingSymbolError when a shim finds MiniStack other than it expects.
    """
    unknown = settings.without - SHIMS.keys()
    if unknown:
        raise EmulatorError(f"there is no shim {', '.join(sorted(unknown))}")
    control = Control()
    application: Application = Part("ministack.app", "app")["app"]
    for name, shim in SHIMS.items():
        if name not in settings.without:
            application = shim.install(settings, control, application) or application
    gc.set_threshold(*_COLLECT)
    return control.wrap(application)


def stop() -> None:
    """Stop the functions' workers."""
    Part("ministack.core.lambda_runtime", "reset")["reset"]()
