"""Refuse event source mappings that Lambda refuses.

Gap: numbers outside their bounds, settings of another kind of source, and a queue whose visibility
timeout is shorter than the function's timeout are accepted.
Seen in: ministack 1.5.33, lambda_svc.py, _create_esm, and cloudformation/provisioners.py,
_lambda_esm_create.
Delete when: CreateEventSourceMapping refuses them, from a template, too.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import extend
from aws_emulator.ministack.refusing import refuse
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

# Lambda API reference, CreateEventSourceMapping: the valid range of each number.
_BOUNDS: Final = {
    "BatchSize": (1, 10_000),
    "MaximumBatchingWindowInSeconds": (0, 300),
    "MaximumRecordAgeInSeconds": (-1, 604_800),
    "MaximumRetryAttempts": (-1, 10_000),
    "ParallelizationFactor": (1, 10),
    "TumblingWindowInSeconds": (0, 900),
}
_STREAM_ONLY: Final = frozenset(
    {
        *("BisectBatchOnFunctionError", "MaximumRecordAgeInSeconds", "MaximumRetryAttempts"),
        *("ParallelizationFactor", "StartingPosition", "TumblingWindowInSeconds"),
    }
)
#: "Configuring error handling controls for Kafka event sources": only in provisioned mode.
_PROVISIONED_ONLY: Final = (
    *("BisectBatchOnFunctionError", "FunctionResponseTypes", "MaximumRecordAgeInSeconds"),
    "MaximumRetryAttempts",
)
#: Between "infinite" (-1) and the shortest age.
_INVALID_AGES_S: Final = range(60)
_MAX_PLAIN_BATCH: Final = 10


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Check the arguments of the API call, and the properties of the resource."""
    service = Symbols(
        "ministack.services.lambda_svc",
        *("_create_esm", "_functions", "_esms", "error_response_json"),
    )
    queues = Symbols("ministack.services.sqs", "_queues")

    def errors(wanted: Mapping[str, Any]) -> list[str]:
        visible_s = _visibility_timeout_s(queues, str(wanted.get("EventSourceArn")))
        name = str(wanted.get("FunctionName")).rpartition(":function:")[2].partition(":")[0]
        function = service["_functions"].get(name)
        timeout_s = int(function["config"].get("Timeout", 3)) if function else 0
        problems = [*_invalid(wanted)]
        if visible_s is not None and visible_s < timeout_s:
            problems.append(
                f"Queue visibility timeout: {visible_s} seconds is less than Function timeout: "
                f"{timeout_s} seconds"
            )
        return problems

    def error(data: dict[str, Any]) -> tuple[str, str] | None:
        problems = errors(data)
        if not problems:
            return None
        return "InvalidParameterValueException", f"Invalid request provided: {problems[0]}"

    def after(physical_id: str, props: dict[str, Any], _attributes: dict[str, Any]) -> None:
        problems = errors(props)
        if problems:
            service["_esms"].pop(physical_id, None)
            raise ValueError(f"Invalid request provided: {problems[0]}")

    refuse(service, "_create_esm", error)
    extend("AWS::Lambda::EventSourceMapping", after)


def _visibility_timeout_s(queues: Symbols, arn: str) -> int | None:
    """Return the visibility timeout of a queue, or None for another source."""
    if ":sqs:" not in arn:
        return None
    for queue in queues["_queues"].values():
        if queue.get("attributes", {}).get("QueueArn") == arn:
            return int(queue["attributes"].get("VisibilityTimeout", 30))
    return None


def _invalid(wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield why Lambda refuses a mapping."""
    numbers = {name: int(wanted[name]) for name in _BOUNDS if wanted.get(name) is not None}
    for name, number in numbers.items():
        low, high = _BOUNDS[name]
        if not low <= number <= high:
            yield f"{name} must be between {low} and {high}."
    if numbers.get("MaximumRecordAgeInSeconds") in _INVALID_AGES_S:
        yield "MaximumRecordAgeInSeconds must be -1, or 60 or more."
    arn = str(wanted.get("EventSourceArn"))
    if ":sqs:" in arn:
        yield from _invalid_for_queue(wanted, numbers, fifo=arn.endswith(".fifo"))
    elif ":kafka:" in arn:
        yield from _invalid_for_kafka(wanted)
    elif ":kinesis:" in arn or ":dynamodb:" in arn:
        if not wanted.get("StartingPosition"):
            yield "StartingPosition is required for a stream."
        if wanted.get("ScalingConfig"):
            yield "Unsupported parameter for given event source mapping type: ScalingConfig."


def _invalid_for_kafka(wanted: Mapping[str, Any]) -> Iterator[str]:
    if len(wanted.get("Topics") or ()) != 1:
        yield "Topics must have exactly one topic."
    if not wanted.get("StartingPosition"):
        yield "StartingPosition is required for a stream."
    for name in ("ParallelizationFactor", "TumblingWindowInSeconds"):
        if wanted.get(name) is not None:
            yield f"Unsupported parameter for given event source mapping type: {name}."
    if not wanted.get("ProvisionedPollerConfig"):
        for name in _PROVISIONED_ONLY:
            if wanted.get(name) is not None:
                yield f"{name} needs ProvisionedPollerConfig for this event source."


def _invalid_for_queue(
    wanted: Mapping[str, Any], numbers: Mapping[str, int], *, fifo: bool
) -> Iterator[str]:
    for name in sorted(_STREAM_ONLY):
        if wanted.get(name) is not None:
            yield f"Unsupported parameter for given event source mapping type: {name}."
    large = numbers.get("BatchSize", _MAX_PLAIN_BATCH) > _MAX_PLAIN_BATCH
    window_s = numbers.get("MaximumBatchingWindowInSeconds", 0)
    if large and fifo:
        yield f"The batch size of a FIFO queue can't exceed {_MAX_PLAIN_BATCH}."
    elif large and not window_s:
        yield (
            f"MaximumBatchingWindowInSeconds must be 1 or more for a batch over {_MAX_PLAIN_BATCH}."
        )
    if window_s and fifo:
        yield "A FIFO queue can't have a batching window."
