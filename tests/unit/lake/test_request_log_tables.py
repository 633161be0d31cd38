"""The tables over log files of CloudFront and AWS WAF read records, without data of visitors."""

import gzip
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
import sqlglot

from tests.support.paths import ROOT
from tests.unit.lake.test_audit_tables import nested_type
from tests.unit.stacks.test_templates import of_type, resources

STACK: Final = ROOT / "stacks" / "request-log-tables.yaml"
LOGS: Final = ROOT / "stacks" / "edge-request-logs.yaml"
TODAY: Final = datetime.now(UTC).date()
#: A request, as in "Standard log file fields", with the fields of the delivery.
REQUEST: Final = {
    "date": "2026-11-28",
    "time": "21:02:12",
    "x-edge-location": "LHR62-P4",
    "cs-method": "GET",
    "cs(Host)": "d111111abcdef8.cloudfront.net",
    "cs-uri-stem": "/courses/algebra.html",
    "sc-status": "502",
    "sc-bytes": "1045",
    "cs-bytes": "422",
    "time-taken": "1.502",
    "time-to-first-byte": "1.502",
    "x-edge-result-type": "Error",
    "x-edge-response-result-type": "Error",
    "x-edge-detailed-result-type": "OriginConnectError",
    "x-edge-request-id": "k6WGMNkEzR5BEM_SaF47gjtX9zBDO2m349OY2an0QPEaUum1ZOLrow==",
    "cs-protocol": "https",
    "cs-protocol-version": "HTTP/2.0",
    "ssl-protocol": "TLSv1.3",
    "sc-content-type": "text/html",
    "c-country": "GB",
}
#: A blocked request, as in "Log examples for web ACL traffic".
BLOCKED: Final[dict[str, Any]] = {
    "timestamp": 1796000000000,
    "formatVersion": 1,
    "webaclId": "arn:aws:wafv2:us-east-1:123456789012:global/webacl/meridian-dev/1a2b",
    "terminatingRuleId": "too-many-forms-from-one-address",
    "terminatingRuleType": "RATE_BASED",
    "action": "BLOCK",
    "terminatingRuleMatchDetails": [],
    "httpSourceName": "CF",
    "httpSourceId": "123456789012-E1A2B3C4D5E6F7",
    "ruleGroupList": [],
    "rateBasedRuleList": [],
    "nonTerminatingMatchingRules": [],
    "requestHeadersInserted": None,
    "responseCodeSent": 429,
    "httpRequest": {
        "clientIp": "198.51.100.7",
        "country": "DE",
        "headers": [{"name": "cookie", "value": "REDACTED"}],
        "uri": "/api/accounts",
        "args": "REDACTED",
        "httpVersion": "HTTP/2.0",
        "httpMethod": "POST",
        "requestId": "A1",
    },
    "labels": [{"name": "awswaf:clientip:geo:country:DE"}],
}
#: What a log of the collector's and the portal's visitors may not have (decision 0102).
PERSONAL: Final = {
    *("c-ip", "c-port", "x-forwarded-for", "cs(Cookie)", "cs(Referer)", "cs(User-Agent)"),
    *("cs-uri-query", "asn"),
}


def tables() -> dict[str, dict[str, Any]]:
    listed = of_type(STACK, "AWS::Glue::Table").values()
    return {it["Properties"]["TableInput"]["Name"]: it["Properties"]["TableInput"] for it in listed}


def queries() -> dict[str, str]:
    saved = of_type(STACK, "AWS::Athena::NamedQuery").values()
    return {it["Properties"]["Name"]: it["Properties"]["QueryString"] for it in saved}


def lowered(value: Any) -> Any:
    """Return a record with names in lower case: the SerDe ignores the case of names."""
    if isinstance(value, dict):
        return {name.lower(): lowered(it) for name, it in value.items()}
    return [lowered(it) for it in value] if isinstance(value, list) else value


def row_of(name: str, record: dict[str, Any], days_ago: int = 0) -> dict[str, Any]:
    """Return a record as the SerDe of a table reads it."""
    mapping = tables()[name]["StorageDescriptor"]["SerdeInfo"].get("Parameters", {})
    names = {field: column.removeprefix("mapping.") for column, field in mapping.items()}
    row = {names.get(field, field): value for field, value in lowered(record).items()}
    return row | {"day": f"{TODAY - timedelta(days_ago):%Y/%m/%d}"}


def answers(folder: Path, name: str, query: str, *rows: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return a saved query's answer from a table over rows in a file."""
    file = folder / "records.json.gz"
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    file.write_bytes(gzip.compress(lines.encode(), mtime=0))
    table = tables()[name]
    listed = [*table["StorageDescriptor"]["Columns"], *table["PartitionKeys"]]
    columns = {it["Name"]: nested_type(it["Type"]) for it in listed}
    (statement,) = sqlglot.transpile(queries()[query], read="athena", write="duckdb")
    with duckdb.connect(":memory:") as connection:
        source = connection.read_json(str(file), columns=columns, format="newline_delimited")
        source.create_view(name)
        return connection.execute(statement).fetchall()


def test_errors_are_counted_by_path_and_status(tmp_path: Path) -> None:
    slower = REQUEST | {"time-taken": "2.25"}
    good = REQUEST | {"sc-status": "200", "x-edge-result-type": "Hit"}
    rows = [row_of("cloudfront_requests", it) for it in (REQUEST, slower, good)]
    old = row_of("cloudfront_requests", REQUEST, days_ago=10)
    assert answers(tmp_path, "cloudfront_requests", "request_errors", *rows, old) == [
        ("/courses/algebra.html", "502", "Error", 2, 2.25)
    ]


def test_blocked_requests_are_counted_by_rule_and_addresses(tmp_path: Path) -> None:
    other = BLOCKED | {"httpRequest": BLOCKED["httpRequest"] | {"clientIp": "203.0.113.9"}}
    rows = [row_of("waf_blocked", it) for it in (BLOCKED, BLOCKED, other)]
    old = row_of("waf_blocked", BLOCKED, days_ago=10)
    assert answers(tmp_path, "waf_blocked", "blocked_requests", *rows, old) == [
        ("too-many-forms-from-one-address", "POST", "/api/accounts", 3, 2)
    ]


def test_each_delivered_field_is_a_column() -> None:
    delivery = resources(LOGS)["RequestLogsDelivery"]["Properties"]
    assert set(delivery["RecordFields"]) == set(REQUEST)
    columns = [it["Name"] for it in tables()["cloudfront_requests"]["StorageDescriptor"]["Columns"]]
    assert set(row_of("cloudfront_requests", REQUEST)) - {"day"} == set(columns)


def test_no_delivered_field_is_of_the_visitor() -> None:
    delivery = resources(LOGS)["RequestLogsDelivery"]["Properties"]
    assert not PERSONAL & set(delivery["RecordFields"])
    columns = {it["Name"] for it in tables()["waf_blocked"]["StorageDescriptor"]["Columns"]}
    assert {it.lower() for it in BLOCKED} >= columns
    (request,) = [
        it["Type"]
        for it in tables()["waf_blocked"]["StorageDescriptor"]["Columns"]
        if it["Name"] == "httprequest"
    ]
    assert not {"headers", "args"} & set(re.findall(r"(\w+):", request))


def test_firewall_logs_blocked_requests_only_and_redacts_secrets() -> None:
    logging = resources(LOGS)["FirewallLogs"]["Properties"]
    assert logging["LoggingFilter"]["DefaultBehavior"] == "DROP"
    ((action,),) = [it["Conditions"] for it in logging["LoggingFilter"]["Filters"]]
    assert action == {"ActionCondition": {"Action": "BLOCK"}}
    redacted = [it.get("SingleHeader", {}).get("Name") for it in logging["RedactedFields"]]
    assert {"authorization", "cookie", "referer"} <= set(redacted)
    assert {"QueryString": {}} in logging["RedactedFields"]


def test_tables_read_the_folders_of_the_log_files() -> None:
    """The bucket is in us-east-1 and the tables are in the home Region, so its name is fixed."""
    name = resources(LOGS)["RequestLogsBucket"]["Properties"]["BucketName"]["Fn::Sub"]
    assert name.startswith("aws-waf-logs-")
    locations = {
        table: it["Parameters"]["storage.location.template"]["Fn::Sub"]
        for table, it in tables().items()
    }
    destination = resources(LOGS)["RequestLogsDestination"]["Properties"]
    assert destination["DestinationResourceArn"] == {
        "Fn::Sub": "${RequestLogsBucket.Arn}/cloudfront"
    }
    assert locations == {
        "cloudfront_requests": f"s3://{name}/cloudfront/${{DistributionId}}/${{!day}}",
        "waf_blocked": f"s3://{name}/AWSLogs/${{AWS::AccountId}}/WAFLogs/cloudfront/"
        "meridian-${Stage}/${!day}",
    }
    acl = resources(ROOT / "stacks" / "edge-firewall.yaml")["WebAcl"]["Properties"]
    assert acl["Name"] == {"Fn::Sub": "meridian-${Stage}"}


def test_log_files_expire() -> None:
    bucket = resources(LOGS)["RequestLogsBucket"]["Properties"]
    expiring = [it for it in bucket["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in it]
    assert [it["ExpirationInDays"] for it in expiring] == [{"Ref": "AccessLogsRetentionDays"}]


@pytest.mark.parametrize("name", queries())
def test_saved_query_is_valid_in_athena(name: str) -> None:
    assert len(sqlglot.parse(queries()[name], read="athena")) == 1
