"""Apply the encryption of a Kinesis stream.

Gap: StreamEncryption of a stream in a template is dropped.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _kinesis_stream_create.
Delete when: describe_stream returns the template's encryption. (MiniStack encrypts nothing; it
shows the setting on the stream and on each record.)
"""

from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import checked, extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

PROPERTIES: Final = {"AWS::Kinesis::Stream": {"StreamEncryption"}}


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Start or stop the encryption with the Kinesis operations."""
    service = Symbols(
        "ministack.services.kinesis", "_start_stream_encryption", "_stop_stream_encryption"
    )

    def apply(name: str, props: dict[str, Any], _attributes: dict[str, Any]) -> None:
        if encryption := props.get("StreamEncryption"):
            checked(service["_start_stream_encryption"]({"StreamName": name, **encryption}))
        else:
            checked(service["_stop_stream_encryption"]({"StreamName": name}))

    extend("AWS::Kinesis::Stream", apply)
