"""The names of MiniStack that the patches use, checked before the emulator starts."""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

from aws_emulator.ministack.errors import MissingSymbolError


class Symbols:
    """The names of one MiniStack module that a patch uses, public or private.

    Only declared names can be used, so the check at the start covers all of them.
    """

    def __init__(self, module: str, *names: str) -> None:
        """Import the module.

        Raises:
            MissingSymbolError: The module or a name is missing.
        """
        try:
            self._module: ModuleType = importlib.import_module(module)
        except ImportError as error:
            raise MissingSymbolError(f"MiniStack lacks the module {module}: {error}") from error
        missing = [name for name in names if not hasattr(self._module, name)]
        if missing:
            raise MissingSymbolError(f"MiniStack's {module} lacks {', '.join(missing)}")
        self._names = frozenset(names)

    def __getitem__(self, name: str) -> Any:
        """Return the current value of a declared name.

        Raises:
            MissingSymbolError: The name wasn't declared.
        """
        return getattr(self._module, self._declared(name))

    def __setitem__(self, name: str, value: Any) -> None:
        """Replace the value of a declared name.

        Raises:
            MissingSymbolError: The name wasn't declared.
        """
        setattr(self._module, self._declared(name), value)

    def wrap(self, name: str, wrapper: Callable[[Any], Any]) -> None:
        """Replace the value of a declared name by `wrapper(value)`."""
        self[name] = wrapper(self[name])

    def _declared(self, name: str) -> str:
        if name not in self._names:
            raise MissingSymbolError(f"{self._module.__name__}.{name} was used but not declared")
        return name
