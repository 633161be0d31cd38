"""What a deployed system needs before anyone can look at it: pages, and two demo students."""

import json
import mimetypes
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.sam import ROOT, Place, client

#: The group that may read what is under /premium/ (stacks/foundation.yaml).
PAYING = "paying"


@dataclass(frozen=True)
class Student:
    """A demo user; the token is an access token of the deployed user pool."""

    email: str
    password: str = field(repr=False)
    paying: bool
    token: str = field(repr=False)


@dataclass(frozen=True)
class Deployed:
    """What the stack says of itself: its outputs, and the collector's first source."""

    outputs: dict[str, str]
    write_key: str


def describe(place: Place) -> Deployed:
    """Read the deployed stack's outputs and the write key of the collector's first source."""
    return deployed(client("cloudformation", place), place.stack)


def deployed(cloudformation: Any, name: str) -> Deployed:
    """Do the same with a client of one's own, for a stack of any name."""
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    parameters = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}
    return Deployed(
        outputs={o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])},
        write_key=str(json.loads(parameters["CollectorSources"])[0]["write_key"]),
    )


def upload_portal(s3: Any, bucket: str, write_key: str, folder: Path = ROOT / "web") -> int:
    """Put every file of the portal into its bucket with an S3 client; return how many.

    With `write_key`, which every browser may know, the pages report their views to the collector.
    """
    s3.put_object(
        Bucket=bucket,
        Key="public/portal.json",
        Body=json.dumps({"writeKey": write_key}).encode(),
        ContentType="application/json",
    )
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in files:
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        s3.put_object(
            Bucket=bucket,
            Key=path.relative_to(folder).as_posix(),
            Body=path.read_bytes(),
            ContentType=f"{kind}; charset=utf-8" if kind.startswith("text/") else kind,
        )
    return len(files)


def verify_sender(place: Place) -> None:
    """Do what a person does once in Amazon SES: make the stack's sender an identity of ours."""
    (stack,) = client("cloudformation", place).describe_stacks(StackName=place.stack)["Stacks"]
    sender = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}["Sender"]
    client("sesv2", place).create_email_identity(EmailIdentity=sender)


def demo_students(place: Place, outputs: dict[str, str]) -> list[Student]:
    """Make one student in the paying group and one outside it, and sign both in."""
    cognito = client("cognito-idp", place)
    pool, app = outputs["UserPoolId"], outputs["UserPoolClientId"]
    students = []
    for name, paying in (("paying.student", True), ("new.student", False)):
        email, password = f"{name}@example.com", secrets.token_urlsafe(12)
        cognito.admin_create_user(
            UserPoolId=pool,
            Username=email,
            MessageAction="SUPPRESS",
            UserAttributes=[
                {"Name": "email", "Value": email},
                {"Name": "email_verified", "Value": "true"},
            ],
        )
        cognito.admin_set_user_password(
            UserPoolId=pool, Username=email, Password=password, Permanent=True
        )
        if paying:
            cognito.admin_add_user_to_group(UserPoolId=pool, Username=email, GroupName=PAYING)
        answer = cognito.admin_initiate_auth(
            UserPoolId=pool,
            ClientId=app,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": password},
        )
        token = answer["AuthenticationResult"]["AccessToken"]
        students.append(Student(email, password, paying, token))
    return students
