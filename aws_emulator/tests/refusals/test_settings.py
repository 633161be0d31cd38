"""Settings and requests outside the limits of their services, each at the limit and past it."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import boto3
import pytest
from botocore.config import Config

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import stack
from aws_emulator.tests.refusals.refusing import refused

_TARGET: Final = {
    "Arn": "arn:aws:lambda:us-east-1:000000000000:function:f",
    "RoleArn": "arn:aws:iam::000000000000:role/r",
}
_OFF: Final = {"Mode": "OFF"}
_VISIBILITY: Final = {
    "SampledRequestsEnabled": True,
    "CloudWatchMetricsEnabled": True,
    "MetricName": "m",
}
_PKCS1: Final = "RSASSA_PKCS1_V1_5_SHA_256"


def schedule(emulator: Emulator, **settings: Any) -> None:
    """Create a schedule with valid settings, except the given ones."""
    emulator.client("scheduler").create_schedule(
        **{
            "Name": unique("schedule"),
            "ScheduleExpression": "rate(1 hour)",
            "FlexibleTimeWindow": _OFF,
            "Target": _TARGET,
            **settings,
        }
    )


def alarm(emulator: Emulator, **settings: Any) -> None:
    """Create an alarm with valid settings, except the given ones."""
    emulator.client("cloudwatch").put_metric_alarm(
        **{
            "AlarmName": unique("alarm"),
            "Namespace": "n",
            "MetricName": "m",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            **settings,
        }
    )


def metrics(emulator: Emulator, *data: dict[str, Any]) -> None:
    """Publish metrics with a name and a value, except the given members."""
    emulator.client("cloudwatch").put_metric_data(
        Namespace="n", MetricData=[{"MetricName": "m", "Value": 1.0, **it} for it in data]
    )


def rate_rule(limit: int, priority: int = 0) -> dict[str, Any]:
    return {
        "Name": f"rate-{priority}",
        "Priority": priority,
        "Action": {"Block": {}},
        "VisibilityConfig": _VISIBILITY,
        "Statement": {"RateBasedStatement": {"Limit": limit, "AggregateKeyType": "IP"}},
    }


def web_acl(
    emulator: Emulator, *rules: dict[str, Any], region: str = "us-east-1", **settings: Any
) -> None:
    """Create a web ACL with valid settings, except the given ones."""
    emulator.client("wafv2", region).create_web_acl(
        **{
            "Name": unique("acl"),
            "Scope": "REGIONAL",
            "DefaultAction": {"Allow": {}},
            "VisibilityConfig": _VISIBILITY,
            "Rules": list(rules),
            **settings,
        }
    )


def key(emulator: Emulator) -> str:
    created = emulator.client("kms").create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    return str(created["KeyMetadata"]["KeyId"])


def queue(emulator: Emulator) -> str:
    return str(emulator.client("sqs").create_queue(QueueName=unique("queue"))["QueueUrl"])


def test_cloudwatch_refuses_odd_period(emulator: Emulator) -> None:
    alarm(emulator, Period=30)
    alarm(emulator, Period=120)
    for period in (45, 90):
        refused("ValidationError", alarm, emulator=emulator, Period=period)


def test_cloudwatch_refuses_query_with_period_of_zero(emulator: Emulator) -> None:
    cloudwatch = boto3.client(
        "cloudwatch",
        region_name="us-east-1",
        endpoint_url=emulator.endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(parameter_validation=False),
    )

    def query(period: int) -> None:
        metric = {"Namespace": "shop", "MetricName": "Orders"}
        stat = {"Metric": metric, "Period": period, "Stat": "Sum"}
        cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "m", "MetricStat": stat}],
            StartTime=datetime(2026, 1, 1, tzinfo=UTC),
            EndTime=datetime(2026, 1, 2, tzinfo=UTC),
        )

    query(1)
    refused("ValidationError", query, period=0)


def test_cloudwatch_refuses_alarm_over_a_day(emulator: Emulator) -> None:
    alarm(emulator, Period=60, EvaluationPeriods=1_440)
    refused("ValidationError", alarm, emulator=emulator, Period=60, EvaluationPeriods=1_441)
    alarm(emulator, Period=3_600, EvaluationPeriods=168)
    refused("ValidationError", alarm, emulator=emulator, Period=3_600, EvaluationPeriods=169)


def test_cloudwatch_refuses_more_datapoints_than_periods(emulator: Emulator) -> None:
    alarm(emulator, EvaluationPeriods=3, DatapointsToAlarm=3)
    refused("ValidationError", alarm, emulator=emulator, EvaluationPeriods=3, DatapointsToAlarm=4)


def test_cloudwatch_refuses_two_statistics(emulator: Emulator) -> None:
    refused("InvalidParameterCombination", alarm, emulator=emulator, ExtendedStatistic="p99")


def test_cloudwatch_refuses_unknown_value(emulator: Emulator) -> None:
    alarm(emulator, TreatMissingData="notBreaching")
    refused("ValidationError", alarm, emulator=emulator, TreatMissingData="none")
    refused("ValidationError", alarm, emulator=emulator, ComparisonOperator="Over")


def test_template_with_invalid_alarm_fails(emulator: Emulator) -> None:
    properties = {
        "Namespace": "n",
        "MetricName": "m",
        "Statistic": "Sum",
        "Period": 45,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    template = stack(It={"Type": "AWS::CloudWatch::Alarm", "Properties": properties})
    with pytest.raises(AssertionError, match="Period must be"):
        emulator.deploy(template, unique("alarm"))


def test_cloudwatch_refuses_over_1000_metrics(emulator: Emulator) -> None:
    metrics(emulator, *[{}] * 1_000)
    refused("InvalidParameterValue", lambda: metrics(emulator, *[{}] * 1_001))


def test_cloudwatch_refuses_over_30_dimensions(emulator: Emulator) -> None:
    dimensions = [{"Name": str(number), "Value": "v"} for number in range(31)]
    metrics(emulator, {"Dimensions": dimensions[:30]})
    refused("InvalidParameterValue", lambda: metrics(emulator, {"Dimensions": dimensions}))


def test_cloudwatch_refuses_value_or_time(emulator: Emulator) -> None:
    for value in (float("nan"), float("inf")):
        publish = partial(metrics, emulator, {"Value": value})
        refused("InvalidParameterValue", publish)
    now = datetime.now(UTC)
    metrics(emulator, {"Timestamp": now - timedelta(days=13)})
    old = {"Timestamp": now - timedelta(days=15)}
    refused("InvalidParameterValue", lambda: metrics(emulator, old))


def test_logs_refuses_name_of_group(emulator: Emulator) -> None:
    logs = emulator.client("logs")
    logs.create_log_group(logGroupName=f"/aws/{unique('group')}.a_b#c-d")
    refused("InvalidParameterException", logs.create_log_group, logGroupName="a b")


def test_logs_refuses_other_retention(emulator: Emulator) -> None:
    logs, name = emulator.client("logs"), unique("group")
    logs.create_log_group(logGroupName=name)
    logs.put_retention_policy(logGroupName=name, retentionInDays=30)
    refused(
        "InvalidParameterException",
        logs.put_retention_policy,
        logGroupName=name,
        retentionInDays=31,
    )


def test_dynamodb_refuses_unused_attribute_definition(emulator: Emulator) -> None:
    keys = [{"AttributeName": "a", "KeyType": "HASH"}]
    attributes = [{"AttributeName": name, "AttributeType": "S"} for name in "ab"]
    refused(
        "ValidationException",
        emulator.client("dynamodb").create_table,
        TableName=unique("table"),
        BillingMode="PAY_PER_REQUEST",
        KeySchema=keys,
        AttributeDefinitions=attributes,
    )


def test_eventbridge_refuses_rule_without_pattern(emulator: Emulator) -> None:
    events = emulator.client("events")
    events.put_rule(Name=unique("rule"), EventPattern='{"source": ["a"]}')
    refused("ValidationException", events.put_rule, Name=unique("rule"))


def test_eventbridge_refuses_pattern_that_is_not_json(emulator: Emulator) -> None:
    put_rule = emulator.client("events").put_rule
    refused("InvalidEventPatternException", put_rule, Name=unique("rule"), EventPattern="{")


def test_scheduler_refuses_expression(emulator: Emulator) -> None:
    for valid in ("rate(5 minutes)", "cron(0 3 * * ? *)", "at(2030-01-01T00:00:00)"):
        schedule(emulator, ScheduleExpression=valid)
    for invalid in ("every hour", "rate(0 hours)", "cron(0 3 * * *)", "at(2030-01-01)"):
        refused("ValidationException", schedule, emulator=emulator, ScheduleExpression=invalid)


def test_scheduler_refuses_unknown_time_zone(emulator: Emulator) -> None:
    schedule(emulator, ScheduleExpressionTimezone="Europe/London")
    refused("ValidationException", schedule, emulator=emulator, ScheduleExpressionTimezone="Mars")


def test_scheduler_refuses_window(emulator: Emulator) -> None:
    def window(minutes: int | None) -> dict[str, Any]:
        return {"Mode": "FLEXIBLE"} | ({"MaximumWindowInMinutes": minutes} if minutes else {})

    schedule(emulator, FlexibleTimeWindow=window(1_440))
    for minutes in (None, 1_441):
        refused(
            "ValidationException", schedule, emulator=emulator, FlexibleTimeWindow=window(minutes)
        )


def test_scheduler_refuses_used_name_and_unknown_group(emulator: Emulator) -> None:
    name = unique("schedule")
    schedule(emulator, Name=name)
    refused("ConflictException", schedule, emulator=emulator, Name=name)
    refused("ResourceNotFoundException", schedule, emulator=emulator, GroupName="none")


def test_template_with_invalid_schedule_fails(emulator: Emulator) -> None:
    properties = {
        "ScheduleExpression": "every hour",
        "FlexibleTimeWindow": _OFF,
        "Target": _TARGET,
    }
    template = stack(It={"Type": "AWS::Scheduler::Schedule", "Properties": properties})
    with pytest.raises(AssertionError, match="Invalid Schedule Expression"):
        emulator.deploy(template, unique("schedule"))


def test_kinesis_refuses_retention_over_a_year(emulator: Emulator) -> None:
    kinesis, name = emulator.client("kinesis"), unique("stream")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    increase = kinesis.increase_stream_retention_period
    refused(None, increase, StreamName=name, RetentionPeriodHours=8_761)


def test_kinesis_refuses_used_name(emulator: Emulator) -> None:
    kinesis, name = emulator.client("kinesis"), unique("stream")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    refused("ResourceInUseException", kinesis.create_stream, StreamName=name, ShardCount=1)


def test_kms_refuses_to_sign_over_4096_bytes(emulator: Emulator) -> None:
    sign = emulator.client("kms").sign
    arguments = {"KeyId": key(emulator), "SigningAlgorithm": _PKCS1}
    sign(**arguments, Message=b"x" * 4_096)
    refused("ValidationException", sign, **arguments, Message=b"x" * 4_097)


def test_kms_refuses_digest_and_algorithm(emulator: Emulator) -> None:
    sign, key_id = emulator.client("kms").sign, key(emulator)
    digest = {"KeyId": key_id, "MessageType": "DIGEST", "SigningAlgorithm": _PKCS1}
    sign(**digest, Message=b"x" * 32)
    refused("ValidationException", sign, **digest, Message=b"x" * 31)
    other = {"KeyId": key_id, "SigningAlgorithm": "ECDSA_SHA_256"}
    refused("InvalidKeyUsageException", sign, **other, Message=b"x")


def test_kms_refuses_disabled_or_deleted_key(emulator: Emulator) -> None:
    kms, key_id = emulator.client("kms"), key(emulator)
    arguments = {"KeyId": key_id, "Message": b"x", "SigningAlgorithm": _PKCS1}
    kms.disable_key(KeyId=key_id)
    refused("DisabledException", kms.sign, **arguments)
    kms.enable_key(KeyId=key_id)
    kms.sign(**arguments)
    kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    refused("KMSInvalidStateException", kms.sign, **arguments)


def test_kms_refuses_deletion_before_7_days(emulator: Emulator) -> None:
    schedule_deletion = emulator.client("kms").schedule_key_deletion
    refused(None, schedule_deletion, KeyId=key(emulator), PendingWindowInDays=6)


def test_kms_refuses_plaintext_over_4096_bytes(emulator: Emulator) -> None:
    kms = emulator.client("kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.encrypt(KeyId=key_id, Plaintext=b"x" * 4_096)
    refused("ValidationException", kms.encrypt, KeyId=key_id, Plaintext=b"x" * 4_097)


def test_s3_refuses_range_and_digest(emulator: Emulator) -> None:
    s3, bucket = emulator.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"abc")
    refused("InvalidRange", s3.get_object, Bucket=bucket, Key="k", Range="bytes=3-4")
    wrong = "AAAAAAAAAAAAAAAAAAAAAA=="
    refused("BadDigest", s3.put_object, Bucket=bucket, Key="k", Body=b"abc", ContentMD5=wrong)


def test_secrets_manager_refuses_value_over_64_kib(emulator: Emulator) -> None:
    create = emulator.client("secretsmanager").create_secret
    create(Name=unique("secret"), SecretString="x" * 65_536)
    refused(None, create, Name=unique("secret"), SecretString="x" * 65_537)


def test_sns_refuses_subject(emulator: Emulator) -> None:
    sns = emulator.client("sns")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    sns.publish(TopicArn=topic, Message="m", Subject="s" * 99)
    for subject in ("s" * 100, "a\nb", "é"):
        refused("InvalidParameter", sns.publish, TopicArn=topic, Message="m", Subject=subject)


def test_sns_refuses_name_and_unknown_topic(emulator: Emulator) -> None:
    sns = emulator.client("sns")
    refused("InvalidParameter", sns.create_topic, Name="a b")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    refused("NotFound", sns.publish, TopicArn=f"{topic}x", Message="m")


def test_sqs_refuses_wait_and_visibility_timeout(emulator: Emulator) -> None:
    receive, url = emulator.client("sqs").receive_message, queue(emulator)
    receive(QueueUrl=url, VisibilityTimeout=43_200)
    refused("InvalidParameterValue", receive, QueueUrl=url, VisibilityTimeout=43_201)
    refused("InvalidParameterValue", receive, QueueUrl=url, WaitTimeSeconds=21)


def test_sqs_refuses_delay_over_15_minutes(emulator: Emulator) -> None:
    send, url = emulator.client("sqs").send_message, queue(emulator)
    send(QueueUrl=url, MessageBody="m", DelaySeconds=900)
    refused("InvalidParameterValue", send, QueueUrl=url, MessageBody="m", DelaySeconds=901)


def test_sqs_refuses_name_of_queue(emulator: Emulator) -> None:
    create = emulator.client("sqs").create_queue
    create(QueueName="q" * 80)
    for name in ("q" * 81, "a b", "a.b"):
        refused("InvalidParameterValue", create, QueueName=name)
    fifo = {"FifoQueue": "true"}
    refused("InvalidParameterValue", create, QueueName=unique("queue"), Attributes=fifo)


def test_sqs_refuses_attributes(emulator: Emulator) -> None:
    create, name = emulator.client("sqs").create_queue, unique("queue")
    create(QueueName=name, Attributes={"MessageRetentionPeriod": "1209600"})
    other = {"MessageRetentionPeriod": "60"}
    refused("QueueAlreadyExists", create, QueueName=name, Attributes=other)
    long = {"MessageRetentionPeriod": "1209601"}
    refused("InvalidAttributeValue", create, QueueName=unique("queue"), Attributes=long)


def test_ssm_refuses_standard_parameter_over_4_kb(emulator: Emulator) -> None:
    put = emulator.client("ssm").put_parameter
    put(Name=unique("/p"), Value="x" * 4_096, Type="String")
    refused("ValidationException", put, Name=unique("/p"), Value="x" * 4_097, Type="String")


def test_ssm_refuses_used_and_reserved_name(emulator: Emulator) -> None:
    put, name = emulator.client("ssm").put_parameter, unique("/p")
    put(Name=name, Value="v", Type="String")
    refused("ParameterAlreadyExists", put, Name=name, Value="w", Type="String")
    refused("AccessDeniedException", put, Name="/aws/p", Value="v", Type="String")


def test_waf_refuses_rate_limit(emulator: Emulator) -> None:
    web_acl(emulator, rate_rule(2_000_000_000))
    refused("WAFInvalidParameterException", lambda: web_acl(emulator, rate_rule(2_000_000_001)))


def test_waf_refuses_equal_priorities(emulator: Emulator) -> None:
    web_acl(emulator, rate_rule(100, 0), rate_rule(100, 1))
    same = [rate_rule(100, 0), rate_rule(200, 0)]
    refused("WAFInvalidParameterException", lambda: web_acl(emulator, *same))


def test_waf_refuses_cloudfront_scope_elsewhere(emulator: Emulator) -> None:
    web_acl(emulator, Scope="CLOUDFRONT")
    refused(
        "WAFInvalidParameterException",
        web_acl,
        emulator=emulator,
        region="eu-west-2",
        Scope="CLOUDFRONT",
    )


def test_waf_refuses_name(emulator: Emulator) -> None:
    name = unique("acl")
    web_acl(emulator, Name=name)
    refused("WAFDuplicateItemException", web_acl, emulator=emulator, Name=name)
    refused("WAFInvalidParameterException", web_acl, emulator=emulator, Name="a b")
