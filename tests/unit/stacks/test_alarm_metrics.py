"""Every alarm watches a metric that its service publishes, with the dimensions it has there."""

import re
from typing import Any, Final

import pytest

from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import TEMPLATES, of_type

#: Namespace and metric -> dimension names and allowed statistics, as AWS's pages list them: Lambda
#: "Types of metrics for Lambda functions", Kinesis "Monitor the Amazon Kinesis Data Streams
#: service", CloudFront "Types of metrics for CloudFront", Step Functions "Monitoring Step Functions
#: metrics using Amazon CloudWatch", SQS "Available CloudWatch metrics for Amazon SQS", API Gateway
#: "Amazon API Gateway dimensions and metrics", DynamoDB "DynamoDB metrics and dimensions", SES
#: "Creating reputation monitoring alarms using CloudWatch".
_FUNCTION: Final = {"FunctionName"}
_MAPPING: Final = {"EventSourceMappingUUID"}
_STREAM: Final = {"StreamName"}
_DISTRIBUTION: Final = {"DistributionId", "Region"}
_MACHINE: Final = {"StateMachineArn"}
_QUEUE: Final = {"QueueName"}
_REPLICATION: Final = {"SourceBucket", "DestinationBucket", "RuleId"}
_BALANCER: Final = {"LoadBalancer"}
_TARGETS: Final = {"LoadBalancer", "TargetGroup"}
_CLUSTER: Final = {"DBClusterIdentifier"}
_ANY: Final = {"Sum", "Average", "Maximum", "Minimum", "SampleCount"}
PUBLISHED: Final[dict[tuple[str, str], tuple[list[set[str]], set[str]]]] = {
    ("AWS/Lambda", "Errors"): ([_FUNCTION, _FUNCTION | {"Resource"}, set()], {"Sum"}),
    ("AWS/Lambda", "Throttles"): ([_FUNCTION, set()], {"Sum"}),
    ("AWS/Lambda", "IteratorAge"): ([_FUNCTION], {"Average", "Maximum"}),
    ("AWS/Lambda", "OnFailureDestinationDeliveredEventCount"): ([_MAPPING], {"Sum"}),
    ("AWS/Lambda", "DroppedEventCount"): ([_MAPPING], {"Sum"}),
    ("AWS/Kinesis", "WriteProvisionedThroughputExceeded"): ([_STREAM], _ANY),
    ("AWS/Kinesis", "ReadProvisionedThroughputExceeded"): ([_STREAM], _ANY),
    ("AWS/CloudFront", "5xxErrorRate"): ([_DISTRIBUTION], {"Average"}),
    ("AWS/CloudFront", "Requests"): ([_DISTRIBUTION], {"Sum"}),
    ("AWS/CloudFront", "LambdaExecutionError"): ([_DISTRIBUTION], {"Sum"}),
    ("AWS/CloudFront", "LambdaLimitExceededErrors"): ([_DISTRIBUTION], {"Sum"}),
    ("AWS/States", "ExecutionsFailed"): ([_MACHINE], {"Sum"}),
    ("AWS/States", "ExecutionsTimedOut"): ([_MACHINE], {"Sum"}),
    ("AWS/States", "ExecutionsAborted"): ([_MACHINE], {"Sum"}),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): ([_QUEUE], _ANY),
    ("AWS/SQS", "ApproximateNumberOfMessagesNotVisible"): ([_QUEUE], _ANY),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): ([_QUEUE], _ANY),
    ("AWS/ApiGateway", "5XXError"): ([{"ApiName"}, {"ApiName", "Stage"}], {"Sum", "Average"}),
    ("AWS/ApiGateway", "4XXError"): ([{"ApiName"}, {"ApiName", "Stage"}], {"Sum", "Average"}),
    ("AWS/ApiGateway", "Latency"): ([{"ApiName"}, {"ApiName", "Stage"}], {"p50", "p90", "p99"}),
    ("AWS/DynamoDB", "WriteThrottleEvents"): ([{"TableName"}], {"Sum", "SampleCount"}),
    ("AWS/DynamoDB", "ReplicationLatency"): (
        [{"TableName", "ReceivingRegion"}],
        {"Average", "Minimum", "Maximum"},
    ),
    # Amazon S3 User Guide, "Metrics and dimensions": S3 Replication metrics.
    ("AWS/S3", "ReplicationLatency"): ([_REPLICATION], {"Maximum"}),
    ("AWS/S3", "OperationsFailedReplication"): ([_REPLICATION], {"Sum", "Average", "SampleCount"}),
    # Route 53 Developer Guide, "Monitoring health checks using CloudWatch".
    ("AWS/Route53", "HealthCheckStatus"): ([{"HealthCheckId"}], {"Minimum", "Maximum", "Average"}),
    # Elastic Load Balancing, "CloudWatch metrics for your Application Load Balancer".
    ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count"): ([_BALANCER, _TARGETS], {"Sum"}),
    ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count"): ([_BALANCER], {"Sum"}),
    ("AWS/ApplicationELB", "TargetResponseTime"): ([_BALANCER, _TARGETS], {"Average", "p99"}),
    ("AWS/ApplicationELB", "HealthyHostCount"): ([_TARGETS], {"Average", "Maximum", "Minimum"}),
    # Amazon Aurora, "Cluster-level metrics for Amazon Aurora"; the third one in further Regions.
    ("AWS/RDS", "ACUUtilization"): ([_CLUSTER], _ANY),
    ("AWS/RDS", "AuroraReplicaLagMaximum"): ([_CLUSTER], _ANY),
    ("AWS/RDS", "AuroraGlobalDBReplicationLag"): ([_CLUSTER], _ANY),
    ("AWS/RDS", "DatabaseConnections"): ([_CLUSTER], _ANY),
    # ElastiCache, "Metrics and events for Valkey and Redis OSS serverless caches".
    ("AWS/ElastiCache", "ThrottledCmds"): ([{"clusterId"}], {"Sum"}),
    ("AWS/SES", "Reputation.BounceRate"): ([set()], {"Average", "Maximum"}),
    ("AWS/SES", "Reputation.ComplaintRate"): ([set()], {"Average", "Maximum"}),
}

ALARMS: Final = {
    name: it["Properties"]
    for path in TEMPLATES
    for name, it in of_type(path, "AWS::CloudWatch::Alarm").items()
}


#: The metrics of metric filters on log groups; they have no dimensions.
FILTERED: Final = {
    transformation["MetricName"]
    for path in TEMPLATES
    for it in of_type(path, "AWS::Logs::MetricFilter").values()
    for transformation in it["Properties"]["MetricTransformations"]
}


def is_emitted(metric: str) -> bool:
    """Return whether code in src emits a metric of this name."""
    sources = [it.read_text() for it in (ROOT / "src").rglob("*.py")]
    return any(re.search(rf'"{metric}"', text) for text in sources)


def metrics(alarm: dict[str, Any]) -> list[tuple[Any, str, set[str], str]]:
    """Return the namespace, name, dimension names and statistic of each metric of an alarm."""
    if "MetricName" in alarm:
        statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
        return [(alarm["Namespace"], alarm["MetricName"], names(alarm), statistic)]
    stats = [it["MetricStat"] for it in alarm["Metrics"] if "MetricStat" in it]
    return [
        (it["Metric"]["Namespace"], it["Metric"]["MetricName"], names(it["Metric"]), it["Stat"])
        for it in stats
    ]


def names(metric: dict[str, Any]) -> set[str]:
    return {it["Name"] for it in metric.get("Dimensions", [])}


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_alarm_watches_a_published_metric(name: str) -> None:
    for namespace, metric, dimensions, statistic in metrics(ALARMS[name]):
        if isinstance(namespace, str) and namespace.startswith("AWS/"):
            published, statistics = PUBLISHED[namespace, metric]
            assert dimensions in published
            assert statistic in statistics
        else:
            # The project's own metrics: the code emits the name, with Powertools' dimension.
            assert dimensions == ({"service"} if is_emitted(metric) else set())
            assert is_emitted(metric) or metric in FILTERED, metric


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_alarm_notifies_a_topic(name: str) -> None:
    assert ALARMS[name]["AlarmActions"], name


def test_replication_alarms_watch_the_region_in_which_s3_publishes_their_metric() -> None:
    """The latency in the Region of the destination, failures in that of the source."""
    name = "portal-replication-alarms.yaml"
    own = {"ReplicationLatency": "DestinationBucket", "OperationsFailedReplication": "SourceBucket"}
    for alarm in of_type(ROOT / "stacks" / name, "AWS::CloudWatch::Alarm").values():
        dimensions = {it["Name"]: it["Value"] for it in alarm["Properties"]["Dimensions"]}
        assert dimensions[own[alarm["Properties"]["MetricName"]]] == {"Ref": "OwnBucket"}
    buckets = {
        path.name: it["Properties"]["Parameters"]["OwnBucket"]
        for path in TEMPLATES
        for it in of_type(path, "AWS::Serverless::Application").values()
        if it["Properties"]["Location"] == name
    }
    assert buckets == {
        "home-alarms.yaml": {"Fn::Sub": "meridian-${Stage}-portal-${AWS::AccountId}"},
        "portal-copy.yaml": {"Ref": "PortalCopyBucket"},
    }
