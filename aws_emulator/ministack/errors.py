"""The errors that keep MiniStack from starting. Each text is one complete message for the user."""


class EmulatorError(Exception):
    """Base class of the errors of this package."""


class VersionError(EmulatorError):
    """Raised when the installed MiniStack is not the version that the patches are written for."""


class MissingSymbolError(EmulatorError):
    """Raised when MiniStack lacks a module or name that a patch uses."""


class PortBusyError(EmulatorError):
    """Raised when another program uses the port."""


class StateBusyError(EmulatorError):
    """Raised when another emulator uses the state directory."""


class RuntimeMissingError(EmulatorError):
    """Raised when the functions' interpreter can't import the runtime interface client."""
