"""Refuse to create a resource whose name exists.

Gap: CloudFormation takes over an existing queue, table, stream, function, topic, log group, state
machine, schedule or Glue database with the name in the template, and empties it.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _sqs_create, _ddb_create and others.
(Buckets, event buses and CloudFront's policies are refused.)
Delete when: creating a stack with the name of an existing resource fails for these types.

"... already exists in stack" or "... already exists": a stack can't create a resource whose name is
taken (CloudFormation, "Troubleshooting", and each type's "Name" property).
"""

from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import BeforeCreate, extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: Resource type -> (property with the name, module, store of the service, key format).
_STORES: Final[dict[str, tuple[str, str, str, str]]] = {
    "AWS::SQS::Queue": ("QueueName", "sqs", "_queue_name_to_url", "{name}"),
    "AWS::DynamoDB::Table": ("TableName", "dynamodb", "_tables", "{name}"),
    "AWS::DynamoDB::GlobalTable": ("TableName", "dynamodb", "_tables", "{name}"),
    "AWS::Kinesis::Stream": ("Name", "kinesis", "_streams", "{name}"),
    "AWS::Lambda::Function": ("FunctionName", "lambda_svc", "_functions", "{name}"),
    "AWS::Logs::LogGroup": ("LogGroupName", "cloudwatch_logs", "_log_groups", "{name}"),
    "AWS::Glue::Database": ("DatabaseInput.Name", "glue", "_databases", "{name}"),
    "AWS::SNS::Topic": (
        "TopicName",
        "sns",
        "_topics",
        "arn:aws:sns:{region}:{account}:{name}",
    ),
    "AWS::StepFunctions::StateMachine": (
        "StateMachineName",
        "stepfunctions",
        "_state_machines",
        "arn:aws:states:{region}:{account}:stateMachine:{name}",
    ),
}


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Look the name up in the service's store before each creation."""
    responses = Symbols("ministack.core.responses", "get_account_id", "get_region")
    for resource_type, (path, module, store, key) in _STORES.items():
        service = Symbols(f"ministack.services.{module}", store)
        extend(
            resource_type,
            before_create=_check(resource_type, path.split("."), service, store, key, responses),
        )


def _check(
    resource_type: str, path: list[str], service: Symbols, store: str, key: str, responses: Symbols
) -> BeforeCreate:
    def check(props: dict[str, Any]) -> None:
        name: Any = props
        for part in path:
            name = name.get(part) if isinstance(name, dict) else None
        if not isinstance(name, str):
            return
        region, account = responses["get_region"](), responses["get_account_id"]()
        if key.format(name=name, region=region, account=account) in service[store]:
            raise ValueError(
                f"Resource of type '{resource_type}' with identifier '{name}' already exists. "
                "(HandlerErrorCode: AlreadyExists)"
            )

    return check
