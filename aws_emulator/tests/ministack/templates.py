"""Builders of templates for the tests."""

import io
import json
import zipfile
from typing import Any

from aws_emulator.tests.ministack.running import Emulator, unique

ROLE: dict[str, Any] = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
    },
}


def function(name: str, code: str, **properties: Any) -> dict[str, Any]:
    """Return a function with inline code, handler index.handler and the resource Role as role."""
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": name,
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Timeout": 20,
            "Code": {"ZipFile": code},
            **properties,
        },
    }


def package(**files: str | bytes) -> bytes:
    """Return a zipped package of Python modules. `a__b` is the name of a/b.py."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{name.replace('__', '/')}.py", content)
    return buffer.getvalue()


def stack(**resources: Any) -> dict[str, Any]:
    """Return a template with these resources."""
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


def stored(emulator: Emulator, template: dict[str, Any]) -> str:
    """Put a template into a bucket and return its URL."""
    bucket = unique("templates")
    storage = emulator.client("s3")
    storage.create_bucket(Bucket=bucket)
    storage.put_object(Bucket=bucket, Key="child.json", Body=json.dumps(template).encode())
    return f"{emulator.endpoint}/{bucket}/child.json"
