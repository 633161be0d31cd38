"""Clients with the permissions of a role or of a user."""

import json
from collections.abc import Mapping
from typing import Any

import boto3

from aws_emulator.tests.ministack.running import Emulator

_TRUST = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}


def client_with(emulator: Emulator, name: str, statement: dict[str, Any], service: str) -> Any:
    """Create a role with one statement, and return a client of a service with its credentials."""
    iam = emulator.client("iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": [_TRUST]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=name, PolicyName="only", PolicyDocument=policy)
    assumed = emulator.client("sts").assume_role(RoleArn=role, RoleSessionName="test")
    return _client(emulator, service, assumed["Credentials"])


def client_of_user(emulator: Emulator, name: str, service: str) -> Any:
    """Create a user without permissions, and return a client of a service with its credentials."""
    users = emulator.client("iam")
    users.create_user(UserName=name)
    return _client(emulator, service, users.create_access_key(UserName=name)["AccessKey"])


def _client(emulator: Emulator, service: str, credentials: Mapping[str, Any]) -> Any:
    make: Any = boto3.client
    return make(
        service,
        region_name="us-east-1",
        endpoint_url=emulator.endpoint,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials.get("SessionToken"),
    )
