"""A Kinesis stream is encrypted as its template says.

Gap: StreamEncryption of a stream in a template is dropped.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _kinesis_stream_create.
Delete when: describe_stream shows the encryption of the template. (Nothing is encrypted: it is
shown, on the stream and on each record.)
"""

from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.provisioning import checked, extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

PROPERTIES = {"AWS::Kinesis::Stream": {"StreamEncryption"}}


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Switch it on or off through Kinesis's own calls."""
    service = Part(
        "ministack.services.kinesis", "_start_stream_encryption", "_stop_stream_encryption"
    )

    def apply(name: str, props: dict[str, Any], _attributes: dict[str, Any]) -> None:
        if encryption := props.get("StreamEncryption"):
            checked(service["_start_stream_encryption"]({"StreamName": name, **encryption}))
        else:
            checked(service["_stop_stream_encryption"]({"StreamName": name}))

    extend("AWS::Kinesis::Stream", apply)
