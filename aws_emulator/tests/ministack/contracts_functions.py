"""Contracts of the patches for Lambda functions."""

import base64
import hashlib
import io
import json
import time
import urllib.request
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_emulator.ministack.patches.execution_environments import MAX_PROCESSES
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import ROLE, function, package, stack
from aws_emulator.tests.refusals.refusing import refused
from aws_emulator.tests.waiting import wait_until

_INSPECT = """
import importlib.util, os, sys
class TransientError(Exception):
    pass
def handler(event, context):
    if event.get("fail"):
        raise TransientError("not now")
    if event.get("allocate"):
        return len(bytearray(event["allocate"]))
    return {
        "found": [name for name in event["modules"] if importlib.util.find_spec(name)],
        "environment": sorted(os.environ),
        "executable": sys.executable,
        "arn": context.invoked_function_arn,
    }
"""
#: Lambda developer guide, "Using Lambda environment variables"; what the emulator needs; POSIX.
_ALLOWED = {
    "AWS_ENDPOINT_URL",
    "AWS_DISABLE_HOST_PREFIX_INJECTION",
    "AWS_EXECUTION_ENV",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "HOME",
    "LANG",
    "LAMBDA_TASK_ROOT",
    "PATH",
    "PWD",
    "PYTHONNOUSERSITE",
    "PYTHONPATH",
    "TMPDIR",
    "TZ",
    "_",
    "_HANDLER",
    "OLDPWD",
    "SHLVL",
    "LC_CTYPE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
}


def invoke(emulator: Emulator, name: str, event: Any, region: str = "us-east-1") -> Any:
    """Invoke a function and return its decoded payload."""
    answer = emulator.client("lambda", region).invoke(
        FunctionName=name, Payload=json.dumps(event).encode()
    )
    return json.load(answer["Payload"])


def function_runtime(emulator: Emulator) -> None:
    """A function imports its package and the runtime only, and has error types and limits."""
    name = unique("inspect")
    emulator.deploy(
        stack(Role=ROLE, Inspect=function(name, _INSPECT, MemorySize=256)), unique("runtime")
    )
    seen = invoke(
        emulator, name, {"modules": ["ministack", "duckdb", "yaml", "aws_emulator", "boto3"]}
    )
    assert seen["found"] == ["boto3"]
    assert ".venv-lambda" in seen["executable"]
    assert [
        variable
        for variable in seen["environment"]
        if variable not in _ALLOWED and not variable.startswith("AWS_LAMBDA_")
    ] == []
    failed = invoke(emulator, name, {"fail": True})
    assert (failed["errorType"], failed["errorMessage"]) == ("TransientError", "not now")
    assert invoke(emulator, name, {"allocate": 64_000_000}) == 64_000_000
    assert invoke(emulator, name, {"allocate": 600_000_000})["errorType"] == "MemoryError"

    with emulator.calls("ministack.core.lambda_runtime") as calls:
        for _ in range(20):
            invoke(emulator, name, {"modules": []})
    # Without the patch an invocation without output waits 50 times for a millisecond.
    assert calls["time.sleep"] < 20 * 10


def execution_environments(emulator: Emulator) -> None:
    """Simultaneous invocations share a limited number of processes, and all succeed."""
    name = unique("shared")
    code = "import os, time\ndef handler(*_):\n    time.sleep(0.05)\n    return os.getpid()\n"
    emulator.deploy(stack(Role=ROLE, Shared=function(name, code)), unique("shared"))
    with ThreadPoolExecutor(20) as clients:
        processes = list(clients.map(lambda _: invoke(emulator, name, {}), range(20)))
    assert all(isinstance(it, int) for it in processes)
    assert len(set(processes)) <= MAX_PROCESSES


def forked_processes(emulator: Emulator) -> None:
    """Functions are forks of one process, except one with a module of the runtime."""
    code = "import os, six\ndef handler(*_):\n    return [os.getppid(), six.__file__]\n"
    first, second, other = unique("first"), unique("second"), unique("other")
    emulator.deploy(
        stack(Role=ROLE, First=function(first, code), Second=function(second, code)), first
    )
    (parent, six), (parent_of_second, _) = (invoke(emulator, it, {}) for it in (first, second))
    assert parent == parent_of_second != emulator.process.pid
    assert ".venv-lambda" in six
    emulator.client("lambda").create_function(
        FunctionName=other,
        Runtime="python3.13",
        Handler="index.handler",
        Role=emulator.client("iam").list_roles()["Roles"][0]["Arn"],
        Code={"ZipFile": package(index=code, six="")},
    )
    parent_of_other, six = invoke(emulator, other, {})
    assert parent_of_other != parent
    assert str(emulator.state) in six


def import_errors(emulator: Emulator) -> None:
    """A failed import is reported with its error type."""
    name = unique("broken")
    emulator.deploy(
        stack(Role=ROLE, Broken=function(name, "import nothing_here")), unique("broken")
    )
    assert invoke(emulator, name, {})["errorType"] == "Runtime.ImportModuleError"


def worker_regions(emulator: Emulator) -> None:
    """Creating a function does not stop the worker of the same name in another Region."""
    name = unique("same-name")
    code = "import os\ndef handler(event, context):\n    return os.getpid()\n"
    template = stack(Role=ROLE, SameName=function(name, code))
    emulator.deploy(template, unique("first"), "eu-west-2")
    before = invoke(emulator, name, {}, "eu-west-2")
    emulator.deploy(template, unique("second"), "ap-south-1")
    assert invoke(emulator, name, {}, "eu-west-2") == before


def weighted_aliases(emulator: Emulator) -> None:
    """An alias splits its invocations by its weights."""
    name = unique("canary")
    code = "def handler(event, context):\n    return context.function_version\n"
    emulator.deploy(stack(Role=ROLE, Canary=function(name, code)), unique("canary"))
    functions = emulator.client("lambda")
    old = functions.publish_version(FunctionName=name)["Version"]
    functions.update_function_code(
        FunctionName=name, ZipFile=package(index=code + "# changed\n"), Publish=True
    )
    functions.create_alias(
        FunctionName=name,
        Name="live",
        FunctionVersion=old,
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )
    answers = [invoke(emulator, f"{name}:live", {}) for _ in range(40)]
    assert set(answers) == {"1", "2"}


def function_versions(emulator: Emulator) -> None:
    """A version keeps its package, and unchanged code is published once."""
    name = unique("published")
    code = "def handler(event, context):\n    return 1\n"
    emulator.deploy(stack(Role=ROLE, Published=function(name, code)), name)
    functions = emulator.client("lambda")
    first = functions.publish_version(FunctionName=name)
    assert first["Version"] == functions.publish_version(FunctionName=name)["Version"] == "1"

    second = package(index=code.replace("1", "2"))
    updated = functions.update_function_code(FunctionName=name, ZipFile=second, Publish=True)
    assert updated["Version"] == "2"
    assert updated["FunctionArn"].endswith(f":{name}:2")
    again = functions.update_function_code(FunctionName=name, ZipFile=second)
    published = functions.publish_version(FunctionName=name, CodeSha256=again["CodeSha256"])
    assert published["Version"] == "2"
    with pytest.raises(ClientError, match="CodeSHA256"):
        functions.publish_version(FunctionName=name, CodeSha256=first["CodeSha256"])

    version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": name}}
    with pytest.raises(AssertionError, match="A version for this Lambda function exists"):
        emulator.deploy(stack(Again=version), unique("again"))

    # The description is part of the configuration; a version's own description isn't.
    functions.update_function_configuration(FunctionName=name, Description="described")
    third = functions.publish_version(FunctionName=name, Description="of the version")
    assert (third["Version"], third["Description"]) == ("3", "of the version")
    assert functions.publish_version(FunctionName=name)["Version"] == "3"

    functions.update_function_code(FunctionName=name, ZipFile=package(index="# unpublished"))
    for number, body in (("1", code), ("2", code.replace("1", "2"))):
        version_details = functions.get_function(FunctionName=name, Qualifier=number)
        assert version_details["Configuration"]["Version"] == number
        with urllib.request.urlopen(version_details["Code"]["Location"], timeout=60) as response:
            content = response.read()
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert digest == version_details["Configuration"]["CodeSha256"]
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.read("index.py").decode() == body


def invocation_request_ids(emulator: Emulator) -> None:
    """The response's request ID is that of the function's context, also for a failed function."""
    name = unique("identified")
    code = "def handler(event, context):\n    return event['id'] or context.aws_request_id\n"
    emulator.deploy(stack(Role=ROLE, Identified=function(name, code)), name)
    functions = emulator.client("lambda")
    answer = functions.invoke(FunctionName=name, Payload=b'{"id": null}')
    assert json.load(answer["Payload"]) == answer["ResponseMetadata"]["RequestId"]
    failed = functions.invoke(FunctionName=name, Payload=b"{}")
    logged = emulator.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    started = [it["message"].split()[2] for it in logged if it["message"].startswith("START")]
    assert started[-1] == failed["ResponseMetadata"]["RequestId"]


def log_streams(emulator: Emulator) -> None:
    """All invocations of a version write to one log stream."""
    name = unique("logging")
    code = "def handler(event, context):\n    print('line', event['word'])\n"
    emulator.deploy(stack(Role=ROLE, Logging=function(name, code)), name)
    for word in ("one", "two", "three"):
        invoke(emulator, name, {"word": word})
    logs, group = emulator.client("logs"), f"/aws/lambda/{name}"
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert len(streams) == 1
    events = logs.filter_log_events(logGroupName=group, filterPattern="line")["events"]
    assert [event["message"] for event in events] == ["line one", "line two", "line three"]


def function_update_delay(emulator: Emulator) -> None:
    """An updated function is ready when the update returns, so the SDK's waiter never polls."""
    name = unique("updated")
    code = "def handler(event, context):\n    return 1\n"
    emulator.deploy(stack(Role=ROLE, Updated=function(name, code)), name)
    functions = emulator.client("lambda")
    second = package(index=code.replace("1", "2"))
    updated = functions.update_function_code(FunctionName=name, ZipFile=second)
    assert (updated["State"], updated["LastUpdateStatus"]) == ("Active", "Successful")
    functions.get_waiter("function_updated_v2").wait(
        FunctionName=name, WaiterConfig={"MaxAttempts": 1}
    )
    assert invoke(emulator, name, {}) == 2


_WAITS = """
import os, time
def handler(event, context):
    open(f"{event['folder']}/{context.aws_request_id}", "w").close()
    while not os.path.exists(event["until"]):
        time.sleep(0.01)
    return os.environ["VALUE"]
"""


def function_updates(emulator: Emulator) -> None:
    """Invocations that run during an update end as before it; waiting and later ones see it."""
    name, waiting = unique("updated"), 2
    variables = {"Environment": {"Variables": {"VALUE": "old"}}, "Timeout": 90}
    emulator.deploy(stack(Role=ROLE, Updated=function(name, _WAITS, **variables)), name)
    started = emulator.state / name
    started.mkdir()
    event = {"folder": str(started), "until": str(started / "until")}
    functions = emulator.client("lambda")
    with ThreadPoolExecutor(MAX_PROCESSES + waiting) as clients:
        results = [
            clients.submit(invoke, emulator, name, event) for _ in range(MAX_PROCESSES + waiting)
        ]
        try:
            wait_until(lambda: len(list(started.iterdir())) >= MAX_PROCESSES, "the invocations")
            functions.update_function_configuration(
                FunctionName=name, Environment={"Variables": {"VALUE": "new"}}
            )
        finally:
            (started / "until").touch()
        values = Counter(str(it.result()) for it in results)
    assert values == {"old": MAX_PROCESSES, "new": waiting}
    assert {invoke(emulator, name, event) for _ in range(3)} == {"new"}
    (started / "until").unlink()
    with ThreadPoolExecutor(MAX_PROCESSES) as clients:
        results = [clients.submit(invoke, emulator, name, event) for _ in range(MAX_PROCESSES)]
        (started / "until").touch()
        assert {it.result() for it in results} == {"new"}


def stream_pollers(emulator: Emulator) -> None:
    """MiniStack does not poll Kinesis event source mappings."""
    name = unique("mapped")
    emulator.deploy(
        stack(
            Role=ROLE,
            Stream={
                "Type": "AWS::Kinesis::Stream",
                "Properties": {"Name": name, "ShardCount": 1},
            },
            Mapped=function(name, "def handler(event, context):\n    return None\n"),
            Mapping={
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    "EventSourceArn": {"Fn::GetAtt": ["Stream", "Arn"]},
                    "FunctionName": {"Ref": "Mapped"},
                    "StartingPosition": "TRIM_HORIZON",
                },
            },
        ),
        unique("mapped"),
    )
    emulator.client("kinesis").put_record(StreamName=name, Data=b"x", PartitionKey="x")
    time.sleep(2.5)
    groups = emulator.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")
    assert groups["logGroups"] == []
    mappings = emulator.client("lambda").list_event_source_mappings(FunctionName=name)
    assert len(mappings["EventSourceMappings"]) == 1
    assert "us-east-1" in emulator.local("event-source-regions")


def payload_limits(emulator: Emulator) -> None:
    """Lambda refuses an asynchronous request over 1 MB."""
    refused(
        "RequestTooLargeException",
        emulator.client("lambda").invoke,
        FunctionName="any",
        InvocationType="Event",
        Payload=b"{}" + b" " * 1_048_576,
    )


def mapping_limits(emulator: Emulator) -> None:
    """Lambda refuses a mapping whose batches are larger than those of its source."""
    name = unique("limits")
    emulator.deploy(
        stack(Role=ROLE, Limits=function(name, "def handler(event, context):\n    pass\n")), name
    )
    emulator.client("sqs").create_queue(QueueName=name)
    refused(
        "InvalidParameterValueException",
        emulator.client("lambda").create_event_source_mapping,
        FunctionName=name,
        EventSourceArn=f"arn:aws:sqs:us-east-1:000000000000:{name}",
        BatchSize=11,
    )


_WHERE = """
import os
def handler(event, context):
    print("ran")
    return [os.environ["AWS_REGION"], context.function_name, context.function_version]
"""


def edge_function_replicas(emulator: Emulator) -> None:
    """A replica runs in its Region, logs there, and needs nothing of the function's Region."""
    name, region = unique("edge"), "eu-west-2"
    emulator.deploy(stack(Role=ROLE, Where=function(name, _WHERE)), unique("edge"))
    published = emulator.client("lambda").publish_version(FunctionName=name)
    arn = f"{published['FunctionArn'].removesuffix(':1')}:1"
    control = f"function-replica?arn={arn}&region={region}"
    replica = emulator.local(control, "POST")["arn"]
    assert replica == f"arn:aws:lambda:{region}:000000000000:function:us-east-1.{name}:1"
    assert emulator.local(control, "POST") == {"arn": replica}
    emulator.local("outage?region=us-east-1&on=1", "POST")
    try:
        assert invoke(emulator, replica, {}, region) == [region, f"us-east-1.{name}", "1"]
    finally:
        emulator.local("outage?region=us-east-1&on=0", "POST")
    logs = emulator.client("logs", region).filter_log_events(
        logGroupName=f"/aws/lambda/us-east-1.{name}"
    )
    assert "ran" in "".join(it["message"] for it in logs["events"])
    with pytest.raises(AssertionError, match="400"):
        emulator.local(f"function-replica?arn={arn.removesuffix(':1')}:9&region={region}", "POST")
