"""Tests that the tables in README.md agree with the CloudFront API and with the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import botocore.session
import pytest

from aws_emulator import cloudfront
from aws_emulator.cloudfront.settings import parse
from aws_emulator.errors import CommandError
from aws_emulator.tests.cloudfront.deployment import items
from aws_emulator.tests.cloudfront.test_distribution_config import build, default, s3_origin

PACKAGE: Final = Path(cloudfront.__file__).parent
NOTHING: Final = "\N{EN DASH}"
README: Final = (PACKAGE / "README.md").read_text()
SHAPES: Final = re.findall(r"^### (\w+)$", README, re.MULTILINE)


def rows(title: str) -> dict[str, tuple[str, str, str]]:
    """Return (supported, refused, ignored) by property, from the table under a heading."""
    section = re.split(r"\n#{2,3} ", README.partition(f"### {title}\n")[2])[0]
    cells = re.findall(r"^\| (\w+) \| (.+) \| (.+) \| (.+) \|$", section, re.MULTILINE)
    return {name: (supported, refused, ignored) for name, supported, refused, ignored in cells[1:]}


def literals() -> set[str]:
    """Return the string literals of the modules that parse the configuration."""
    names: set[str] = set()
    for path in (PACKAGE / "distribution").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                names.add(node.value)
    return names


@pytest.mark.parametrize("shape", SHAPES)
def test_table_lists_every_member_of_api_shape(shape: str) -> None:
    model = botocore.session.get_session().get_service_model("cloudfront")
    members: Any = model.shape_for(shape)
    assert list(rows(shape)) == list(members.members)


@pytest.mark.parametrize("shape", SHAPES)
def test_code_reads_exactly_supported_refused_and_reported_properties(shape: str) -> None:
    known = literals()
    for name, (supported, refused, ignored) in rows(shape).items():
        used = supported != NOTHING or refused != NOTHING or "†" in ignored

        assert (name in known) is used, name


def example(name: str) -> dict[str, Any]:
    """Return a cache behavior with one ignored property that the parser reports."""
    values: dict[str, Any] = {
        "Compress": True,
        "FieldLevelEncryptionId": "f",
    }
    return default(**{name: values[name]})


def reported() -> Iterator[Any]:
    for name, (_, _, ignored) in rows("CacheBehavior").items():
        if "†" in ignored:
            yield pytest.param(example(name), id=name)
    values: dict[str, Any] = {
        "Restrictions": {"GeoRestriction": {"RestrictionType": "blacklist"}},
    }
    for name, (_, _, ignored) in rows("DistributionConfig").items():
        if "†" in ignored:
            yield pytest.param({name: values[name]}, id=name)


@pytest.mark.parametrize("changes", list(reported()))
def test_marked_property_is_reported(changes: dict[str, Any]) -> None:
    assert len(build(**changes).notes) == 1


LEGACY: Final = {"QueryString": False, "Cookies": {"Forward": "none"}}
REFUSED: Final[dict[str, dict[str, Any]]] = {
    "DistributionConfig.WebACLId": {"WebACLId": "473e64fd-f30b-4765-81a0-62ad96dd167a"},
    "DistributionConfig.Aliases": {"Aliases": items(["www.example.com"])},
    "DistributionConfig.ViewerCertificate": {
        "Aliases": items(["www.example.com"]),
        "ViewerCertificate": {
            "ACMCertificateArn": "arn:aws:acm:eu-west-2:123456789012:certificate/1"
        },
    },
    "CacheBehavior.TargetOriginId": default(TargetOriginId="missing"),
    "CacheBehavior.LambdaFunctionAssociations": default(
        LambdaFunctionAssociations=items([{"EventType": "x", "LambdaFunctionARN": "a"}])
    ),
    "CacheBehavior.TrustedSigners": default(
        TrustedSigners={"Enabled": True, "Quantity": 1, "Items": ["self"]}
    ),
    "CacheBehavior.TrustedKeyGroups": default(
        TrustedKeyGroups={"Enabled": True, "Quantity": 1, "Items": ["missing"]}
    ),
    "CacheBehavior.FunctionAssociations": default(
        FunctionAssociations=items([{"EventType": "viewer-request"}])
    ),
    "CacheBehavior.CachePolicyId": default(CachePolicyId=""),
    "CacheBehavior.OriginRequestPolicyId": default(
        CachePolicyId="", ForwardedValues=LEGACY, OriginRequestPolicyId="x"
    ),
    "CacheBehavior.ForwardedValues": default(ForwardedValues=LEGACY),
    "CacheBehavior.MinTTL": default(
        CachePolicyId="",
        ForwardedValues={**LEGACY, "Headers": items(["*"])},
        MinTTL=1,
        TargetOriginId="live",
    ),
    "ForwardedValues.Cookies": default(
        CachePolicyId="", ForwardedValues={**LEGACY, "Cookies": {"Forward": "some"}}
    ),
    "ForwardedValues.Headers": default(
        CachePolicyId="", ForwardedValues={**LEGACY, "Headers": items(["Host"])}
    ),
    "LambdaFunctionAssociation.EventType": default(
        LambdaFunctionAssociations=items([{"EventType": "x", "LambdaFunctionARN": "a"}])
    ),
    "Origin.S3OriginConfig": {"Origins": items([s3_origin("invalid")])},
    "Origin.VpcOriginConfig": {
        "Origins": items([{**s3_origin(""), "VpcOriginConfig": {"VpcOriginId": "v"}}])
    },
    "OriginGroup.Members": default(
        TargetOriginId="group",
        AllowedMethods=items(["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]),
    ),
}


def test_every_refused_property_has_an_example() -> None:
    listed = {
        f"{shape}.{name}"
        for shape in SHAPES
        for name, (_, refused, _) in rows(shape).items()
        if refused != NOTHING
    }
    assert listed == set(REFUSED)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_property_is_rejected(name: str) -> None:
    with pytest.raises(CommandError):
        build(**REFUSED[name])


def test_options_table_equals_help(capsys: pytest.CaptureFixture[str]) -> None:
    documented = re.findall(r"^\| `(--[a-z-]+)` \|", README, re.MULTILINE)
    with pytest.raises(SystemExit):
        parse(["--help"])
    printed = re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE)
    assert documented == printed
