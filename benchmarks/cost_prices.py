"""AWS's list prices for `cost.py`, in USD and without free tiers, each with its page and month."""

import math
import re
from pathlib import Path
from typing import Final, NamedTuple

GB: Final = 1024**3
MILLION: Final = 1_000_000
MONTH_HOURS: Final = 730
# "Apache Kafka event poller scaling modes in Lambda": event pollers of one unit, by default.
POLLERS_PER_UNIT: Final = 10
_ROOT: Final = Path(__file__).resolve().parent.parent
_KAFKA_STACK: Final = _ROOT / "stacks" / "stream-kafka.yaml"
_MARTS: Final = _ROOT / "src" / "stepfunctions" / "marts.asl.yaml"


class Price(NamedTuple):
    """The price of one unit in USD, in us-east-1."""

    dollars: float
    unit: str
    page: str
    month: str


PRICES: Final = {
    "waf_request": Price(
        0.60 / MILLION, "request that the web ACL inspects", "aws.amazon.com/waf/pricing", "2026-11"
    ),
    "edge_request": Price(
        0.60 / MILLION, "Lambda@Edge request", "aws.amazon.com/lambda/pricing", "2026-11"
    ),
    "edge_gb_second": Price(
        0.00005001, "Lambda@Edge GB-second", "aws.amazon.com/lambda/pricing", "2026-11"
    ),
    "log_byte": Price(
        0.50 / GB, "byte of CloudWatch Logs", "aws.amazon.com/cloudwatch/pricing", "2026-11"
    ),
    "kinesis_in": Price(
        0.08 / GB,
        "byte in, each record rounded up to 1 KB",
        "kinesis/data-streams/pricing",
        "2026-11",
    ),
    "kinesis_retention": Price(
        0.10 / GB / MONTH_HOURS,
        "byte and hour after the first day",
        "kinesis/data-streams/pricing",
        "2026-11",
    ),
    "kinesis_stream_hour": Price(
        0.04, "hour of an on-demand stream", "kinesis/data-streams/pricing", "2026-11"
    ),
    "kinesis_shard_hour": Price(
        0.015, "hour of a provisioned shard", "kinesis/data-streams/pricing", "2026-11"
    ),
    "kinesis_shard_retention_hour": Price(
        0.020, "hour of a shard's retention of 7 days", "kinesis/data-streams/pricing", "2026-11"
    ),
    "kinesis_put_unit": Price(
        0.014 / MILLION, "25 KB of a record to a shard", "kinesis/data-streams/pricing", "2026-11"
    ),
    "kinesis_out": Price(0.04 / GB, "byte out", "kinesis/data-streams/pricing", "2026-11"),
    "lambda_request": Price(
        0.20 / MILLION, "Lambda request", "aws.amazon.com/lambda/pricing", "2026-11"
    ),
    "lambda_gb_second": Price(
        0.0000166667, "Lambda GB-second, x86", "aws.amazon.com/lambda/pricing", "2026-11"
    ),
    "xray_trace": Price(
        5.00 / MILLION, "trace that X-Ray records", "aws.amazon.com/xray/pricing", "2026-11"
    ),
    "event_poller_unit_hour": Price(
        0.185, "hour of an event poller unit of Kafka", "aws.amazon.com/lambda/pricing", "2026-11"
    ),
    # Of x86: the most that the application, which is on ARM64, costs.
    "emr_vcpu_hour": Price(
        0.052624, "vCPU and hour of EMR Serverless, x86", "aws.amazon.com/emr/pricing", "2026-11"
    ),
    "emr_gb_hour": Price(
        0.0057785, "GB and hour of EMR Serverless, x86", "aws.amazon.com/emr/pricing", "2026-11"
    ),
    "api_request": Price(
        3.50 / MILLION, "REST API request", "aws.amazon.com/api-gateway/pricing", "2026-11"
    ),
    "kms_sign": Price(
        0.03 / 10_000, "request with an RSA 2048 key", "aws.amazon.com/kms/pricing", "2026-11"
    ),
    "alarm_metric": Price(
        0.10, "metric of an alarm and month", "aws.amazon.com/cloudwatch/pricing", "2026-11"
    ),
    "metric": Price(
        0.30, "custom metric and month", "aws.amazon.com/cloudwatch/pricing", "2026-11"
    ),
    "dashboard": Price(3.0, "dashboard and month", "aws.amazon.com/cloudwatch/pricing", "2026-11"),
    "web_acl": Price(5.0, "web ACL and month", "aws.amazon.com/waf/pricing", "2026-11"),
    "waf_rule": Price(1.0, "rule and month", "aws.amazon.com/waf/pricing", "2026-11"),
    "kms_key": Price(1.0, "key and month", "aws.amazon.com/kms/pricing", "2026-11"),
    "secret": Price(0.40, "secret and month", "aws.amazon.com/secrets-manager/pricing", "2026-11"),
    "health_check": Price(
        0.50, "health check and month", "aws.amazon.com/route53/pricing", "2026-11"
    ),
    "health_check_feature": Price(
        1.0, "feature of a health check and month", "aws.amazon.com/route53/pricing", "2026-11"
    ),
    "s3_gb_month": Price(0.023, "GB and month", "aws.amazon.com/s3/pricing", "2026-11"),
    "s3_get": Price(0.0004 / 1000, "GET", "aws.amazon.com/s3/pricing", "2026-11"),
    "s3_put": Price(0.005 / 1000, "PUT", "aws.amazon.com/s3/pricing", "2026-11"),
    "dynamodb_read": Price(
        0.125 / MILLION, "read request unit", "dynamodb/pricing/on-demand", "2026-11"
    ),
    "dynamodb_write": Price(
        0.625 / MILLION, "write unit, on demand", "dynamodb/pricing/on-demand", "2026-11"
    ),
}


class Delivery(NamedTuple):
    """CloudFront's prices in USD where a viewer is: an HTTPS request, and bytes out.

    `to_function` is the price of "data transfer out to origin": CloudFront charges it for request
    bodies that go to an edge function, too.
    """

    request: float
    to_viewer: float
    to_function: float


# aws.amazon.com/cloudfront/pricing, 2026-11, first tier.
CLOUDFRONT: Final = {
    "United States, Canada, Mexico": Delivery(1.00 / MILLION, 0.085 / GB, 0.020 / GB),
    "Europe, Israel": Delivery(1.20 / MILLION, 0.085 / GB, 0.020 / GB),
    "India": Delivery(1.20 / MILLION, 0.109 / GB, 0.160 / GB),
    "Japan": Delivery(1.20 / MILLION, 0.114 / GB, 0.060 / GB),
    "Australia, New Zealand": Delivery(1.25 / MILLION, 0.114 / GB, 0.080 / GB),
    "South Africa, Kenya, Middle East": Delivery(1.20 / MILLION, 0.110 / GB, 0.060 / GB),
    "South America": Delivery(2.20 / MILLION, 0.110 / GB, 0.125 / GB),
}
# The limits apply to these viewers.
REFERENCE: Final = "United States, Canada, Mexico"


def token_dollars(memory_mb: int, seconds: float = 0.01) -> float:
    """Return the cost in USD of a million tokens with courses (src/entitlements).

    `seconds` is an assumption for an invocation, which reads an item of DynamoDB.
    """
    price = {name: known.dollars for name, known in PRICES.items()}
    function = seconds * memory_mb / 1024 * price["lambda_gb_second"]
    return MILLION * (price["lambda_request"] + function + price["dynamodb_read"])


def kafka_dollars() -> float:
    """Return the charge of a month in USD of the mappings that read a cluster of Amazon MSK.

    They share the units of one group. Lambda adds units beyond 20 MB/s.
    """
    from tools.deployment.templates import load

    pollers = sum(
        it["Properties"]["ProvisionedPollerConfig"]["MinimumPollers"]
        for it in load(_KAFKA_STACK)["Resources"].values()
    )
    units = math.ceil(int(pollers) / POLLERS_PER_UNIT)
    return MONTH_HOURS * units * PRICES["event_poller_unit_hour"].dollars


def spark_dollars(minutes: float = 10, days: int = 30) -> float:
    """Return the charge of a month in USD of a daily Spark job with all its workers.

    `minutes` is an assumption for the time of a job. Each worker has 20 GB of disk without charge.
    """
    text = _MARTS.read_text()

    def setting(name: str) -> int:
        match = re.search(rf"spark\.{name}=(\d+)", text)
        if match is None:
            raise ValueError(f"{_MARTS.name} doesn't set spark.{name}")
        return int(match[1])

    dollars = 0.0
    for kind, workers in (("driver", 1), ("executor", setting("dynamicAllocation.maxExecutors"))):
        # A worker has the memory and 10% more, at least 384 MB, rounded up to whole GB.
        memory_gb = setting(f"{kind}.memory")
        size_gb = math.ceil(memory_gb + max(0.1 * memory_gb, 0.375))
        dollars += workers * setting(f"{kind}.cores") * PRICES["emr_vcpu_hour"].dollars
        dollars += workers * size_gb * PRICES["emr_gb_hour"].dollars
    return dollars * minutes / 60 * days
