"""Show the KMS key of an SNS topic.

Gap: KmsMasterKeyId of a topic in a template is dropped.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _sns_create.
Delete when: get_topic_attributes returns the template's key. (MiniStack encrypts nothing.)
"""

from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

PROPERTIES: Final = {"AWS::SNS::Topic": {"KmsMasterKeyId"}}


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Store the key in the topic's attributes."""
    service = Symbols("ministack.services.sns", "_topics")

    def apply(arn: str, props: dict[str, Any], _attributes: dict[str, Any]) -> None:
        attributes = service["_topics"][arn]["attributes"]
        if key := props.get("KmsMasterKeyId"):
            attributes["KmsMasterKeyId"] = key
        else:
            attributes.pop("KmsMasterKeyId", None)

    extend("AWS::SNS::Topic", apply)
