"""Refuse to delete a function that a distribution runs at the edge.

Gap: DeleteFunction and CloudFormation delete a function, or a version, that a cache behavior names.
Seen in: ministack 1.5.33, services/lambda_svc.py, _delete_function;
cloudformation/provisioners.py, _lambda_delete.
Delete when: DeleteFunction fails for a function in a distribution's LambdaFunctionAssociations.

"Lambda was unable to delete ... because it is a replicated function" (Amazon CloudFront Developer
Guide, "Delete Lambda@Edge functions and replicas"). On AWS the replicas, and with them the refusal,
stay for hours after the distribution; here they end with it.
"""

import re
from collections.abc import Iterator
from typing import Any

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import extend
from aws_emulator.ministack.refusing import refuse
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Look for the function in the distributions before each deletion."""
    distributions = Symbols("ministack.services.cloudfront", "_distributions")
    functions = Symbols("ministack.services.lambda_svc", "_delete_function", "error_response_json")

    def refusal(name: str, version: str | None = None) -> str | None:
        pattern = re.compile(rf"arn:[\w:-]+:function:{re.escape(name)}:{version or '[0-9]+'}(?!\w)")
        for text in _strings(list(distributions["_distributions"].values())):
            if match := pattern.search(text):
                return (
                    f"Lambda was unable to delete {match[0]} because it is a replicated function. "
                    "Please see our documentation for Deleting Lambda@Edge Functions and Replicas."
                )
        return None

    def error(
        name: str, query: dict[str, Any], qualifier: str | None = None
    ) -> tuple[str, str] | None:
        qualifiers = query.get("Qualifier")
        version = qualifier or (qualifiers[0] if isinstance(qualifiers, list) else qualifiers)
        message = refusal(name, version)
        return ("InvalidParameterValueException", message) if message else None

    def check(name: str, _properties: dict[str, Any]) -> None:
        if message := refusal(name):
            raise ValueError(message)

    refuse(functions, "_delete_function", error)
    extend("AWS::Lambda::Function", before_delete=check)


def _strings(value: Any) -> Iterator[str]:
    """Yield the strings in a nested value. MiniStack keeps a configuration as XML or as a dict."""
    match value:
        case str():
            yield value
        case dict():
            yield from _strings(list(value.values()))
        case list() | tuple():
            for item in value:
                yield from _strings(item)
