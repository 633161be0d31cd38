"""The roles of services grant what their definitions use, and nothing else.

test_granted_actions.py does the same for the roles of functions.
"""

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.paths import ROOT
from tests.unit.stacks.test_granted_actions import FUNCTIONS
from tests.unit.stacks.transformed import all_stacks, resolve, transformed

API: Final = ROOT / "src" / "stepfunctions" / "api"
#: Step Functions, "Using CloudWatch Logs to log execution history".
LOG_DELIVERY: Final = {
    *("logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups"),
    *("logs:DescribeResourcePolicies", "logs:GetLogDelivery", "logs:ListLogDeliveries"),
    *("logs:PutResourcePolicy", "logs:UpdateLogDelivery"),
}
#: Step Functions, "IAM policies for AWS X-Ray".
TRACES: Final = {
    *("xray:GetSamplingRules", "xray:GetSamplingTargets"),
    *("xray:PutTelemetryRecords", "xray:PutTraceSegments"),
}
#: Step Functions, "IAM policies for using Distributed Map states".
DISTRIBUTED_MAP: Final = {
    *("states:DescribeExecution", "states:RedriveExecution"),
    *("states:StartExecution", "states:StopExecution"),
}
#: Actions of AWSCodeDeployRoleForLambdaLimited for aliases without hooks and topics.
CODE_DEPLOY: Final = {
    *("cloudwatch:DescribeAlarms", "lambda:GetAlias"),
    *("lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"),
}
#: Amazon S3, "Setting up permissions for live replication".
REPLICATION: Final = {
    *("s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging"),
    *("s3:GetReplicationConfiguration", "s3:ListBucket"),
    *("s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"),
}
#: AmazonECSTaskExecutionRolePolicy.
TASK_START: Final = {
    *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken"),
    *("ecr:GetDownloadUrlForLayer", "logs:CreateLogStream", "logs:PutLogEvents"),
}
#: Step Functions, "IAM policies for Amazon EMR Serverless": for StartJobRun with `.sync`.
SPARK_JOB: Final = {
    *("emr-serverless:CancelJobRun", "emr-serverless:GetJobRun", "emr-serverless:StartJobRun"),
    *("events:DescribeRule", "events:PutRule", "events:PutTargets", "iam:PassRole"),
}
#: Amazon EMR Serverless, "Logging for EMR Serverless with Amazon CloudWatch", and the data.
SPARK_RUNTIME: Final = {
    *("logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams"),
    *("logs:PutLogEvents", "s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"),
}
#: The action with which a rule or a schedule invokes its target.
INVOCATIONS: Final = {
    "AWS::Lambda::Alias": "lambda:InvokeFunction",
    "AWS::Lambda::Function": "lambda:InvokeFunction",
    "AWS::StepFunctions::StateMachine": "states:StartExecution",
    "AWS::StepFunctions::StateMachineAlias": "states:StartExecution",
}
#: Athena reads the catalog and the lake with the caller's permissions.
QUERIES: Final = {
    *("glue:GetDatabase", "glue:GetPartitions", "glue:GetTable", "glue:GetTables"),
    *("s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket"),
}
#: Actions of the operators' operations, which have a role of their own.
OPERATORS: Final = {
    *("cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"),
    *("states:GetExecutionHistory", "states:ListExecutions", "states:RedriveExecution"),
    *("athena:GetNamedQuery", "athena:GetQueryExecution", "athena:GetQueryResults"),
    *("athena:ListNamedQueries", "athena:StartQueryExecution", "states:DescribeStateMachine"),
    *QUERIES,
}
#: Step Functions' name of an SDK's service -> its prefix in IAM.
PREFIXES: Final = {"sfn": "states"}
#: Operations of a transaction -> actions (DynamoDB, "Using IAM with DynamoDB transactions").
TRANSACTIONS: Final = {
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Delete": "dynamodb:DeleteItem",
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
}
TYPES: Final = (
    *("AWS::Events::Rule", "AWS::Scheduler::Schedule", "AWS::StepFunctions::StateMachine"),
)


def resources(*kinds: str) -> dict[str, tuple[Path, Any, dict[str, Any]]]:
    """Return "template: logical ID" -> template, the stacks around it, and the resource."""
    return {
        f"{path.name}: {name}": (path, parents, resource)
        for path, parents in all_stacks()
        for name, resource in transformed(path)["Resources"].items()
        if resource["Type"] in kinds
    }


ROLES: Final = resources("AWS::IAM::Role")


def role_of(path: Path, value: Any, parents: Any) -> str:
    template, logical_id = resolve(path, value, parents)
    return f"{template.name}: {logical_id}"


def granted(name: str) -> set[str]:
    """Return the actions that a role's policies allow."""
    actions: set[str] = set()
    for policy in ROLES[name][2]["Properties"].get("Policies", []):
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            action = statement["Action"]
            actions |= {action} if isinstance(action, str) else set(action)
    return actions


def used_by_definition(node: Any) -> set[str]:
    """Return the actions of the service integrations in a part of a state machine's definition."""
    if isinstance(node, list):
        return {action for part in node for action in used_by_definition(part)}
    if not isinstance(node, dict):
        return set()
    actions = {action for part in node.values() for action in used_by_definition(part)}
    if node.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
        actions |= DISTRIBUTED_MAP
    match = re.search(r"states:::(?:aws-sdk:)?([\w-]+):(\w+)", str(node.get("Resource", "")))
    if match is None:
        return actions
    service, operation = match.groups()
    if (service, operation) == ("emr-serverless", "startJobRun"):
        return actions | SPARK_JOB
    if operation == "transactWriteItems":
        text = yaml.safe_dump(node["Arguments"])
        words = set(re.findall(r"\b(ConditionCheck|Delete|Put|Update)\b'?:", text))
        assert words
        return actions | {TRANSACTIONS[it] for it in words}
    if (service, operation) == ("lambda", "invoke"):
        return actions | {"lambda:InvokeFunction"}
    return actions | {f"{PREFIXES.get(service, service)}:{operation[0].upper()}{operation[1:]}"}


def definitions() -> dict[str, Any]:
    """Return the name of a state machine -> its definition, from the folder of the definitions."""
    folder = ROOT / "src" / "stepfunctions"
    return {
        path.name.partition(".")[0]: yaml.safe_load(path.read_text())
        for path in folder.glob("*.asl.yaml")
    }


def used_by_api(folder: Path) -> set[str]:
    """Return the actions of an API's direct integrations and of its functions."""
    actions: set[str] = set()
    for path in folder.glob("*.yaml"):
        for service, kind, rest in re.findall(
            r"apigateway:\$\{[\w:]+\}:(\w+):(action|path)/([^\s']+)", path.read_text()
        ):
            if service == "lambda":
                actions.add("lambda:InvokeFunction")
            elif rest == "TransactWriteItems":
                words = re.findall(r'\{"(ConditionCheck|Delete|Put|Update)":', path.read_text())
                assert words
                actions |= {TRANSACTIONS[it] for it in words}
            elif kind == "action":
                actions.add(f"{service}:{rest}")
            elif service == "monitoring":
                # The operation is a header.
                (operation,) = re.findall(r"GraniteServiceVersion\d+\.(\w+)", path.read_text())
                actions.add(f"cloudwatch:{operation}")
            elif service == "athena":
                (operation,) = re.findall(r"AmazonAthena\.(\w+)", path.read_text())
                actions |= {f"athena:{operation}"} | QUERIES
            else:
                assert (
                    service == "sqs"
                )  # a path of SQS is a queue; the mapping template has the action
                actions |= {f"sqs:{it}" for it in re.findall(r"Action=(\w+)", path.read_text())}
    return actions


def used() -> dict[str, set[str]]:
    """Return each role of a service -> the actions that its users need."""
    needed: dict[str, set[str]] = {}
    texts = definitions()
    for path, parents, resource in resources(*TYPES).values():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::StepFunctions::StateMachine":
            name = str(properties["StateMachineName"]["Fn::Sub"]).rpartition("-")[2]
            actions = LOG_DELIVERY | TRACES | used_by_definition(texts[name])
            needed.setdefault(role_of(path, properties["RoleArn"], parents), set()).update(actions)
            continue
        targets = properties.get("Targets") or [properties["Target"]]
        for target in targets:
            if "RoleArn" not in target:
                continue
            template, logical_id = resolve(path, target["Arn"], parents)
            kind = transformed(template)["Resources"][logical_id]["Type"]
            actions = {INVOCATIONS[kind]}
            if resource["Type"] == "AWS::Scheduler::Schedule":
                actions.add("sqs:SendMessage")  # its role sends to the dead-letter queue
            needed.setdefault(role_of(path, target["RoleArn"], parents), set()).update(actions)
    return needed | {
        "accounts.yaml: CodeDeployRole": CODE_DEPLOY,
        # NotifyFunction creates its schedules: to the queue and the dead-letter queue.
        "accounts-notifications.yaml: ReminderRole": {"sqs:SendMessage"},
        "portal-replication.yaml: ReplicationRole": REPLICATION,
        "analytics.yaml: JobRole": SPARK_RUNTIME,
        "tasks.yaml: StartRole": TASK_START,
        "tasks.yaml: ServerRole": {"elasticache:Connect", "rds-db:connect"},
        "names.yaml: HealthRole": used_by_api(API.parent / "health"),
        "school.yaml: ApiRole": used_by_api(API) - OPERATORS,
        "school-operators.yaml: OperatorsRole": (used_by_api(API) & OPERATORS)
        | used_by_api(API / "regions"),
        # An AWS managed policy, which API Gateway demands for its account setting.
        "school.yaml: ApiLoggingRole": set(),
    }


USED: Final = used()
FUNCTION_ROLES: Final = {
    role_of(path, properties["Role"], parents) for path, parents, properties in FUNCTIONS.values()
}


def test_every_role_has_a_known_user() -> None:
    assert ROLES.keys() - FUNCTION_ROLES == USED.keys()


@pytest.mark.parametrize("role", USED)
def test_role_of_service_grants_exactly_the_used_actions(role: str) -> None:
    assert granted(role) == USED[role]


def test_used_actions_of_a_definition_follow_its_integrations() -> None:
    transaction: dict[str, Any] = {"TransactItems": [{"Put": {}}, {"ConditionCheck": {}}]}
    nested = {
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}},
        "Resource": "arn:aws:states:::aws-sdk:dynamodb:transactWriteItems",
        "Arguments": transaction,
    }
    assert used_by_definition({"States": {"A": nested}}) == {
        "dynamodb:ConditionCheckItem",
        "dynamodb:PutItem",
    }
    start = {"Resource": "arn:aws:states:::aws-sdk:sfn:startSyncExecution"}
    assert used_by_definition([start]) == {"states:StartSyncExecution"}
