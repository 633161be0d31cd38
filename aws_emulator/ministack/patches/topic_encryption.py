"""A topic shows the key that its template names.

Gap: KmsMasterKeyId of a topic in a template is dropped.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _sns_create.
Delete when: get_topic_attributes shows the key of the template. (Nothing is encrypted.)
"""

from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.provisioning import extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

PROPERTIES = {"AWS::SNS::Topic": {"KmsMasterKeyId"}}


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Store it among the topic's attributes."""
    service = Part("ministack.services.sns", "_topics")

    def apply(arn: str, props: dict[str, Any], _attributes: dict[str, Any]) -> None:
        attributes = service["_topics"][arn]["attributes"]
        if key := props.get("KmsMasterKeyId"):
            attributes["KmsMasterKeyId"] = key
        else:
            attributes.pop("KmsMasterKeyId", None)

    extend("AWS::SNS::Topic", apply)
