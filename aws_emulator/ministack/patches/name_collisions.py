"""Refuse to create a resource whose name exists.

Gap: CloudFormation takes over an existing queue, table, stream, function, topic, log group, state
machine, schedule or Glue database with the name in the template, and empties it.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _sqs_create, _ddb_create and others.
(Buckets, event buses and CloudFront's policies are refused.)
Delete when: creating a stack with the name of an existing resource fails for these types.

"... already exists in stack" or "... already exists": a stack can't create a resource whose name is
taken (CloudFormation, "Troubleshooting", and each type's "Name" property).
"""

from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
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
    handlers = Symbols("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")[
        "_RESOURCE_HANDLERS"
    ]
    responses = Symbols("ministack.core.responses", "get_account_id", "get_region")
    for resource_type, (path, module, store, key) in _STORES.items():
        service = Symbols(f"ministack.services.{module}", store)

        def exists(
            name: str, service: Symbols = service, store: str = store, key: str = key
        ) -> bool:
            values = {
                "name": name,
                "region": responses["get_region"](),
                "account": responses["get_account_id"](),
            }
            return key.format(**values) in service[store]

        handler = handlers[resource_type]
        handler["create"] = _refusing(handler["create"], resource_type, path.split("."), exists)


def _refusing(
    original: Callable[..., Any],
    resource_type: str,
    path: list[str],
    exists: Callable[[str], bool],
) -> Callable[..., Any]:
    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        name: Any = props
        for part in path:
            name = name.get(part) if isinstance(name, dict) else None
        if isinstance(name, str) and exists(name):
            raise ValueError(
                f"Resource of type '{resource_type}' with identifier '{name}' already exists. "
                "(HandlerErrorCode: AlreadyExists)"
            )
        return original(logical_id, props, stack_name)

    return create
