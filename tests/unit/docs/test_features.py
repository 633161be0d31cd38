"""docs/features.md has a row for each system that the project was asked for."""

import pytest

from tests.support.paths import ROOT

SYSTEMS = """CloudFront|Lambda@Edge|CloudFront Functions|Cognito|S3|Kinesis Data Streams|Athena|EMR
Spark|Hive|Presto|MSK|MSK Connect|Kafka|DynamoDB|DynamoDB Streams|global tables|Keyspaces|EBS
Step Functions|API Gateway|direct integrations|reserved concurrency|provisioned concurrency
burst concurrency|SQS|EventBridge|SES|X-Ray|Route 53|latency records|health checks
Cross-Region Replication|Application Load Balancer|Auto Scaling|EC2|ECS|Aurora|read replicas
ElastiCache|WAF|CloudWatch|CloudTrail|VPC flow logs|GitHub|draw.io"""


@pytest.mark.parametrize("system", [it for row in SYSTEMS.splitlines() for it in row.split("|")])
def test_system_has_a_row(system: str) -> None:
    text = (ROOT / "docs" / "features.md").read_text()
    table = text.partition("## Systems that the project was asked for")[2]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| ")]
    assert any(system in name and state.strip() for name, state in rows), system
