"""Apply the SAM transform to the project's templates, without calling AWS."""

import copy
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from tools.deployment.templates import load


@cache
def _session() -> boto3.Session:
    return boto3.Session(region_name="us-east-1")


@cache
def transformed(path: Path) -> dict[str, Any]:
    """Return a template after the SAM transform. Callers don't change it."""
    return translate(copy.deepcopy(load(path)))


def translate(
    template: dict[str, Any], parameters: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Apply the SAM transform to a template with values of its parameters; return the result."""
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            properties["CodeUri"] = "s3://bucket/package.zip"
        if resource["Type"] == "AWS::Serverless::StateMachine":
            properties["DefinitionUri"] = "s3://bucket/definition.json"
        if resource["Type"] == "AWS::Serverless::Application":
            properties["Location"] = f"https://bucket.s3.amazonaws.com/{properties['Location']}"
    template.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
    translator = Translator({}, Parser(), [], _session())
    result: dict[str, Any] = translator.translate(template, dict(parameters or {}))
    return result
