"""Generate secrets with the characters that GenerateSecretString allows.

Gap: MiniStack reads ExcludeCharacters only, and generates punctuation despite ExcludePunctuation.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _sm_secret_string.
Delete when: a secret with ExcludePunctuation has letters and digits only.
"""

import json
import random
import secrets
import string
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: Property that excludes a type of characters -> the type.
_TYPES: Final = {
    "ExcludeLowercase": string.ascii_lowercase,
    "ExcludeUppercase": string.ascii_uppercase,
    "ExcludeNumbers": string.digits,
    "ExcludePunctuation": string.punctuation,
}
_DEFAULT_CHARS: Final = 32


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Replace the generation of secrets."""
    service = Symbols("ministack.services.cloudformation.provisioners", "_sm_secret_string")
    service.wrap("_sm_secret_string", _generating)


def _generating(original: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], str]:
    def secret_string(props: dict[str, Any]) -> str:
        settings = props.get("GenerateSecretString")
        if not settings or props.get("SecretString"):
            return original(props)
        generated = generate(settings)
        if "GenerateStringKey" not in settings:
            return generated
        template = json.loads(settings.get("SecretStringTemplate", "{}"))
        return json.dumps({**template, settings["GenerateStringKey"]: generated})

    return secret_string


def generate(settings: dict[str, Any]) -> str:
    """Return a random text (AWS::SecretsManager::Secret GenerateSecretString).

    Each included type of characters occurs at least once, unless RequireEachIncludedType is false.

    Raises:
        ValueError: The settings exclude every character, or the length is too small.
    """
    excluded = set(settings.get("ExcludeCharacters", ""))
    types = [
        "".join(sorted(set(characters) - excluded))
        for name, characters in _TYPES.items()
        if not _is_true(settings.get(name, False))
    ]
    types += [" "] if _is_true(settings.get("IncludeSpace", False)) else []
    types = [characters for characters in types if characters]
    length = int(settings.get("PasswordLength", _DEFAULT_CHARS))
    required = types if _is_true(settings.get("RequireEachIncludedType", True)) else []
    if not types or length < len(required):
        raise ValueError(
            "GenerateSecretString leaves no characters, or PasswordLength is too small."
        )
    drawn = [secrets.choice(characters) for characters in required]
    drawn += [secrets.choice("".join(types)) for _ in range(length - len(drawn))]
    random.SystemRandom().shuffle(drawn)
    return "".join(drawn)


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"
