"""Why the emulator does not start. Each error's text is the sentence that a person reads."""


class EmulatorError(Exception):
    """Base of all errors of the launcher."""


class VersionError(EmulatorError):
    """Raised when the installed MiniStack is another one than the shims were written for."""


class MissingSymbolError(EmulatorError):
    """Raised when MiniStack lacks a name that a shim needs."""


class PortBusyError(EmulatorError):
    """Raised when another program listens on the port."""


class StateBusyError(EmulatorError):
    """Raised when another emulator uses the state directory."""


class RuntimeMissingError(EmulatorError):
    """Raised when the functions' interpreter cannot import the runtime interface client."""
