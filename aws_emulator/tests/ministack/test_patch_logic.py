"""Logic of the patches that needs no running MiniStack."""

import csv
import io
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.ministack import delimited_text
from aws_emulator.ministack.patches import (
    bucket_properties,
    generated_secrets,
    health_checks,
    jsonata_parsing,
    record_sets,
    region_outage,
    weighted_aliases,
)

_WEIGHTS = st.dictionaries(st.sampled_from(["1", "2", "3", "4"]), st.floats(0, 0.25), max_size=4)
_REGIONS = st.sampled_from(["us-east-1", "eu-west-2", "ap-south-1", "ap-southeast-3"])


@given(_WEIGHTS, st.integers(0, 999))
def test_version_gets_share_of_its_weight(weights: dict[str, float], start: int) -> None:
    """Of 1,000 evenly spread draws each version gets the share of its weight."""
    draws = [((start + index) % 1000) / 1000 for index in range(1000)]
    chosen = [weighted_aliases.choose(weights, draw) for draw in draws]
    for version, weight in weights.items():
        assert chosen.count(version) == pytest.approx(weight * 1000, abs=1.001)
    assert chosen.count(None) == pytest.approx((1 - sum(weights.values())) * 1000, abs=4.001)


class _Gateway:
    """Fake of the symbols that find the owner of an API."""

    def __getitem__(self, _: str) -> Any:
        return {"abc": ("000000000000", "eu-west-2")}.get


def _region(path: str = "/", query: str = "", **headers: str) -> str | None:
    scope = {
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    return region_outage._region(scope, _Gateway())  # type: ignore[arg-type]  # a fake of it


@given(_REGIONS, st.sampled_from(["kinesis", "s3", "lambda", "dynamodb"]))
def test_region_of_signed_request_is_that_of_credential_scope(region: str, service: str) -> None:
    scope = f"ASIA1234/20261121/{region}/{service}/aws4_request"
    signature = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=ab"
    assert _region(authorization=signature) == region
    presigned = "X-Amz-Credential=" + scope.replace("/", "%2F")
    assert _region(query=presigned) == region


@given(_REGIONS, st.sampled_from(["iam", "cloudfront", "route53"]))
def test_control_plane_of_global_service_is_in_us_east_1(region: str, service: str) -> None:
    scope = f"AKIA/20261121/{region}/{service}/aws4_request"
    signature = f"AWS4-HMAC-SHA256 Credential={scope}, Signature=ab"
    assert _region(authorization=signature) == "us-east-1"


@given(_REGIONS)
def test_security_token_service_fails_with_no_region(region: str) -> None:
    scope = f"AKIA/20261121/{region}/sts/aws4_request"
    assert _region(authorization=f"AWS4-HMAC-SHA256 Credential={scope}, Signature=ab") is None


@given(_REGIONS)
def test_region_of_jwks_request_is_that_of_pool(region: str) -> None:
    assert _region(path=f"/{region}_AbC123/.well-known/jwks.json") == region


def test_region_of_api_request_is_that_of_api() -> None:
    assert _region(path="/_aws/execute-api/abc/local/accounts") == "eu-west-2"
    assert _region(path="/_aws/execute-api/xyz/local/accounts") is None


@pytest.mark.parametrize("path", ["/", "/oauth2/token", "/_ministack/ready", "/bucket/key"])
def test_other_request_has_no_region(path: str) -> None:
    assert _region(path=path) is None


def test_unsupported_lifecycle_rule_is_rejected() -> None:
    with pytest.raises(ValueError, match="TagFilters"):
        bucket_properties._lifecycle_rule({"Status": "Enabled", "TagFilters": []})


@pytest.mark.parametrize(
    ("text", "records"),
    [
        # "How Step Functions parses input CSV files": its examples and rules.
        ("path,size\nC:\\\\Program Files\\\\MyApp.exe,6534512\n",
         [["path", "size"], ["C:\\Program Files\\MyApp.exe", "6534512"]]),
        ('abc,123,"commas, (""), and a newline (\n)",{""MyKey"":""MyValue""},"[1,2,3]"\n',
         [["abc", "123", 'commas, ("), and a newline (\n)', '{"MyKey":"MyValue"}', "[1,2,3]"]]),
        ("a\\b,c\\,d\r\ne", [["ab", "c,d"], ["e"]]),
        ("a,\n,b", [["a", ""], ["", "b"]]),
        ('"",x\n', [["", "x"]]),
        ("", []),
    ],
)  # fmt: skip
def test_delimited_text_follows_rules_of_step_functions(
    text: str, records: list[list[str]]
) -> None:
    assert delimited_text.parse(text) == records


@given(st.lists(st.lists(st.text(), min_size=2, max_size=3), min_size=1, max_size=4))
def test_delimited_text_with_repeated_backslashes_keeps_every_field(
    records: list[list[str]],
) -> None:
    written = io.StringIO(newline="")
    csv.writer(written).writerows(
        [[field.replace("\\", "\\\\") for field in record] for record in records]
    )
    assert delimited_text.parse(written.getvalue()) == records


_EXCLUSIONS = st.fixed_dictionaries(
    {
        name: st.booleans()
        for name in ("ExcludeLowercase", "ExcludeUppercase", "ExcludeNumbers", "ExcludePunctuation")
    }
)


@given(_EXCLUSIONS, st.text(string.printable[:94], max_size=20), st.integers(4, 60))
def test_generated_secret_contains_each_allowed_type_and_nothing_else(
    exclusions: dict[str, bool], excluded: str, length: int
) -> None:
    types = {
        "ExcludeLowercase": string.ascii_lowercase,
        "ExcludeUppercase": string.ascii_uppercase,
        "ExcludeNumbers": string.digits,
        "ExcludePunctuation": string.punctuation,
    }
    left = [set(it) - set(excluded) for name, it in types.items() if not exclusions[name]]
    settings = {**exclusions, "ExcludeCharacters": excluded, "PasswordLength": length}
    if not any(left):
        with pytest.raises(ValueError, match="leaves no characters"):
            generated_secrets.generate(settings)
        return
    text = generated_secrets.generate(settings)
    assert len(text) == length
    assert set(text) <= set().union(*left)
    assert all(characters & set(text) for characters in left if characters)


_CHECK: dict[str, Any] = {"Type": "HTTPS", "FullyQualifiedDomainName": "api.example.com"}
_CALCULATED: dict[str, Any] = {"Type": "CALCULATED", "ChildHealthChecks": ["known"]}


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (_CHECK, None),
        (_CHECK | {"RequestInterval": "10", "Regions": ["a", "b", "c"]}, None),
        (_CHECK | {"RequestInterval": 20}, "RequestInterval"),
        (_CHECK | {"FailureThreshold": 11}, "FailureThreshold"),
        (_CHECK | {"Regions": ["us-east-1"]}, "Regions"),
        (_CHECK | {"ResourcePath": "/" * 256}, "ResourcePath"),
        (_CHECK | {"SearchString": "ok"}, "SearchString"),
        (_CHECK | {"Type": "HTTPS_STR_MATCH"}, "SearchString"),
        ({"Type": "HTTPS"}, "FullyQualifiedDomainName"),
        ({"Type": "CLOUDWATCH_METRIC"}, "CLOUDWATCH_METRIC"),
        (_CALCULATED | {"HealthThreshold": 1}, None),
        (_CALCULATED | {"ChildHealthChecks": ["unknown"]}, "ChildHealthChecks"),
        (_CALCULATED | {"FullyQualifiedDomainName": "x"}, "FullyQualifiedDomainName"),
    ],
)
def test_route_53_refuses_invalid_health_check(config: dict[str, Any], reason: str | None) -> None:
    refused = health_checks.refusal(config, {"known"})
    assert refused is None if reason is None else reason in (refused or "")


_ALIAS: dict[str, Any] = {
    "Name": "api.example.com.",
    "Type": "A",
    "AliasTarget": {"HostedZoneId": "Z1", "DNSName": "x.", "EvaluateTargetHealth": False},
}
_VALUES: dict[str, Any] = {
    "Name": "api.example.com.",
    "Type": "A",
    "TTL": "60",
    "ResourceRecords": ["192.0.2.1"],
}
_NEAREST: dict[str, Any] = {**_ALIAS, "SetIdentifier": "eu-west-2", "Region": "eu-west-2"}
_DISTRIBUTION: dict[str, Any] = {
    "HostedZoneId": record_sets.CLOUDFRONT_ZONE,
    "DNSName": "d1.cloudfront.net.",
    "EvaluateTargetHealth": True,
}


@pytest.mark.parametrize(
    ("record", "others", "reason"),
    [
        (_ALIAS, [], None),
        (_VALUES, [], None),
        (_NEAREST | {"HealthCheckId": "known"}, [], None),
        (_NEAREST, [_NEAREST | {"SetIdentifier": "x", "Region": "ap-south-1"}], None),
        (_ALIAS | {"TTL": "60"}, [], "can't have a TTL"),
        (_VALUES | {"TTL": None}, [], "needs a TTL"),
        (_ALIAS | {"Name": "api.example.org."}, [], "not permitted in zone"),
        (_ALIAS | {"AliasTarget": _DISTRIBUTION}, [], "CloudFront distribution"),
        (_NEAREST | {"Weight": 1}, [], "several routing policies"),
        (_ALIAS | {"Region": "eu-west-2"}, [], "SetIdentifier"),
        (_NEAREST, [_ALIAS | {"SetIdentifier": "x", "Weight": 1}], "another routing policy"),
        (_NEAREST, [_NEAREST | {"SetIdentifier": "x"}], "latency record for eu-west-2"),
        (_NEAREST | {"HealthCheckId": "unknown"}, [], "No health check"),
    ],
)
def test_route_53_refuses_invalid_record_set(
    record: dict[str, Any], others: list[dict[str, Any]], reason: str | None
) -> None:
    refused = record_sets.refusal(record, "example.com.", others, {"known"})
    assert refused is None if reason is None else reason in (refused or "")


_NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,5}", fullmatch=True).filter(
    lambda it: it not in {"and", "or", "in"}
)


@given(st.lists(_NAMES, max_size=3), st.text(string.ascii_letters, max_size=5), _NAMES)
def test_texts_at_a_path_are_read_without_the_engine(
    names: list[str], value: str, other: str
) -> None:
    document: Any = value
    for name in reversed(names):
        document = {name: document}
    path = ".".join(["$states.input", *names])
    read = jsonata_parsing.reader(path)
    joined = jsonata_parsing.reader(f"'A#' & {path} & '/'")
    assert read is not None
    assert joined is not None
    assert read({"input": document}) == value
    assert joined({"input": document}) == f"A#{value}/"
    longer = jsonata_parsing.reader(f"{path}.{other}")
    assert longer is not None
    for missing in (document, None, [document]):
        with pytest.raises(LookupError):
            longer({"input": missing})
    with pytest.raises(LookupError):
        joined({"input": {}} if names else {"input": 5})


@pytest.mark.parametrize(
    "expression",
    [
        *("$states.input.a = 'b'", "$states.input.a[0]", "$states.input.in", "a.b", "$string(1)"),
        *("'a' & 5", "'a\\n'", "$states.errorOutput.Cause", "$states.input.a.b & ", "1 & 'a'"),
    ],
)
def test_any_other_expression_is_left_to_the_engine(expression: str) -> None:
    assert jsonata_parsing.reader(expression) is None
