"""Publish the metrics of logs, Kinesis, Step Functions, SES and of the servers beside MiniStack.

Gap: CloudWatch has metrics of Lambda functions only. Log lines in Embedded Metric Format, metric
filters, Kinesis, Step Functions and SES have none, so no dashboard and no alarm can see them.
Seen in: ministack 1.5.33, cloudwatch.py, record_metric and its callers.
Delete when: GetMetricData returns IncomingRecords of a stream after PutRecords.

A metric counts what the emulator has done, with the name and the dimensions of AWS. The servers for
CloudFront, REST APIs and event source mappings send theirs to POST /_local/metrics.

Not covered: metrics that aren't in this file or in `aws_emulator.metrics` have no data.
"""

import json
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi, Query
from aws_emulator.ministack.embedded_metrics import Datum, embedded, filtered
from aws_emulator.ministack.patches.ses_events import EMAILS_PATH, outcomes
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: Points are kept for two weeks. A removal for each request could lose a point of another thread.
_EVICTION_S: Final = 3_600
#: The metric of an execution's end, by its status (Step Functions, "Execution metrics").
_ENDED: Final = {
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}


class _Publisher:
    """Add data to the metrics of the current account and Region."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._evicted = time.monotonic()
        self.service = Symbols(
            "ministack.services.cloudwatch",
            *("_dims_key", "_evict_old_metrics", "_metric_bucket", "record_metric"),
        )

    def publish(self, datum: Datum) -> None:
        """Add data. Equal values of one second are one point with a count, as in PutMetricData."""
        now = datum.time_s or time.time()
        key = (datum.namespace, datum.name, self.service["_dims_key"](dict(datum.dimensions)))
        with self._lock:
            points = self.service["_metric_bucket"](key)
            for value in datum.values:
                last = points[-1] if points else None
                if last and int(last["Timestamp"]) == int(now) and last["Value"] == value:
                    last["Count"] = last.get("Count", 1.0) + 1.0
                    continue
                dimensions = dict(datum.dimensions)
                point = {"Timestamp": now, "Value": value, "Unit": datum.unit}
                points.append({**point, "Dimensions": dimensions})

    def evicting(self, original: Callable[[], None]) -> Callable[[], None]:
        """Return a removal of old points that runs once an hour, while no point is added."""

        def evict() -> None:
            if time.monotonic() - self._evicted >= _EVICTION_S:
                with self._lock:
                    self._evicted = time.monotonic()
                    original()

        return evict

    def count(self, namespace: str, name: str, value: float, dimensions: Mapping[str, str]) -> None:
        """Add a value with the unit Count."""
        self.publish(Datum(namespace, name, (float(value),), "Count", dimensions))


def install(_settings: Settings, control: ControlApi, _application: Any) -> None:
    """Publish while the services work."""
    publisher = _Publisher()
    publisher.service.wrap("record_metric", lambda _original: _recorder(publisher))
    publisher.service.wrap("_evict_old_metrics", publisher.evicting)
    _publish_logs(publisher)
    _publish_kinesis(publisher)
    _publish_executions(publisher)
    _publish_emails(publisher)
    _receive(control, publisher)


def _recorder(publisher: _Publisher) -> Callable[..., None]:
    def record_metric(
        namespace: str,
        metric_name: str,
        value: float,
        unit: str = "None",
        dimensions: dict[str, str] | None = None,
    ) -> None:
        publisher.publish(Datum(namespace, metric_name, (float(value),), unit, dimensions or {}))

    return record_metric


def _publish_logs(publisher: _Publisher) -> None:
    """Publish what log lines contain, as they arrive."""
    logs = Symbols(
        "ministack.services.cloudwatch_logs", "_fanout_to_subscription_filters", "_metric_filters"
    )

    def wrapper(original: Callable[..., None]) -> Callable[..., None]:
        def fan_out(group: str, stream: str, events: list[dict[str, Any]]) -> None:
            filters = [it for it in logs["_metric_filters"].values() if it["logGroupName"] == group]
            for event in events:
                for datum in embedded(event["message"]):
                    publisher.publish(datum)
                for each in filters:
                    pattern, metrics = each["filterPattern"], each["metricTransformations"]
                    for datum in filtered(pattern, metrics, event["message"]):
                        publisher.publish(datum)
            original(group, stream, events)

        return fan_out

    logs.wrap("_fanout_to_subscription_filters", wrapper)


def _publish_kinesis(publisher: _Publisher) -> None:
    """Publish IncomingRecords and IncomingBytes of the records that a stream has stored."""
    kinesis = Symbols(
        "ministack.services.kinesis", "_put_record", "_put_records", "_resolve_stream"
    )

    def publish(data: dict[str, Any], stored: list[dict[str, Any]]) -> None:
        name, _ = kinesis["_resolve_stream"](data)
        dimensions = {"StreamName": name}
        size = sum(_size(it) for it in stored)
        publisher.count("AWS/Kinesis", "IncomingRecords", len(stored), dimensions)
        values = (float(size),)
        publisher.publish(Datum("AWS/Kinesis", "IncomingBytes", values, "Bytes", dimensions))

    def one(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def put(data: dict[str, Any]) -> Any:
            answer = original(data)
            if answer[0] == 200:
                publish(data, [data])
            return answer

        return put

    def many(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def put(data: dict[str, Any]) -> Any:
            answer = original(data)
            if answer[0] == 200:
                results = json.loads(answer[2])["Records"]
                pairs = zip(data["Records"], results, strict=True)
                publish(data, [sent for sent, result in pairs if "ErrorCode" not in result])
            return answer

        return put

    kinesis.wrap("_put_record", one)
    kinesis.wrap("_put_records", many)


def _size(record: dict[str, Any]) -> int:
    data = record.get("Data") or ""
    # Base64: four characters for three bytes.
    return len(data) * 3 // 4 - data[-2:].count("=") + len(record["PartitionKey"].encode())


def _publish_executions(publisher: _Publisher) -> None:
    """Publish the starts and ends of executions; those of a Map Run's children belong to it."""
    states = Symbols("ministack.services.stepfunctions", "_executions", "_run_execution")

    def wrapper(original: Callable[[str], None]) -> Callable[[str], None]:
        def run(arn: str) -> None:
            execution = states["_executions"].get(arn) or {}
            machine = str(execution.get("stateMachineArn", "")).partition("/")[0]
            if not machine or execution.get("mapRunArn"):
                original(arn)
                return
            dimensions, started = {"StateMachineArn": machine}, time.time()
            again = str(execution["stateMachineArn"]).endswith("/redrive")
            name = "ExecutionsRedriven" if again else "ExecutionsStarted"
            publisher.count("AWS/States", name, 1, dimensions)
            original(arn)
            ended = _ENDED.get(execution["status"])
            if ended is None:
                return
            publisher.count("AWS/States", f"Redriven{ended}" if again else ended, 1, dimensions)
            took = ((time.time() - started) * 1000,)
            publisher.publish(
                Datum("AWS/States", "ExecutionTime", took, "Milliseconds", dimensions)
            )

        return run

    states.wrap("_run_execution", wrapper)


def _publish_emails(publisher: _Publisher) -> None:
    """Publish what became of emails (SES, "Monitor your Amazon SES sending activity").

    Recipients are delivered, except those of the mailbox simulator that bounce or complain.
    """
    emails = Symbols("ministack.services.ses_v2", "handle_request")

    def wrapper(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
            answer = await original(method, path, headers, body, query)
            if (method, path.rstrip("/"), answer[0]) == ("POST", EMAILS_PATH, 200):
                publisher.count("AWS/SES", "Send", 1, {})
                for name in outcomes(json.loads(body)):
                    publisher.count("AWS/SES", name, 1, {})
            return answer

        return handle

    emails.wrap("handle_request", wrapper)


def _receive(control: ControlApi, publisher: _Publisher) -> None:
    """Take the metrics of the servers beside MiniStack."""
    responses = Symbols("ministack.core.responses", "request_scope")

    def receive(query: Query, document: Any) -> dict[str, int]:
        for one in document or ():
            with responses["request_scope"](query.get("account", "000000000000"), one["region"]):
                publisher.publish(
                    Datum(
                        one["namespace"],
                        one["name"],
                        tuple(one["values"]),
                        one["unit"],
                        one["dimensions"],
                        one["time_s"],
                    )
                )
        return {"metrics": len(document)}

    control.add_threaded("POST", "/_local/metrics", receive)
