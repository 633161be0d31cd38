"""Contracts of the patches that replace and start functions outside an invocation."""

import base64
import io
import time
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from aws_emulator.tests.ministack.contracts_functions import invoke
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import ROLE, function, stack

_TWO_MODULES = "import word\ndef handler(event, context):\n    return word.VALUE\n"


def replace(emulator: Emulator, name: str, **modules: str | None) -> Any:
    """Replace modules of a function, and return the control's answer; None removes a module."""
    files = {
        f"{module}.py": None if text is None else base64.b64encode(text.encode()).decode()
        for module, text in modules.items()
    }
    path = f"function-files?function={name}&region=us-east-1"
    return emulator.local(path, "POST", {"files": files})


def deploy(emulator: Emulator, code: str, **properties: Any) -> str:
    """Deploy a function and return its name."""
    name = unique("reloaded")
    emulator.deploy(stack(Role=ROLE, Reloaded=function(name, code, **properties)), name)
    return name


def function_files(emulator: Emulator) -> None:
    """A changed file takes effect in $LATEST and in published versions."""
    name = deploy(emulator, "def handler(event, context):\n    return 1\n")
    functions = emulator.client("lambda")
    version = functions.publish_version(FunctionName=name)["Version"]
    assert [invoke(emulator, it, {}) for it in (name, f"{name}:{version}")] == [1, 1]

    answer = replace(emulator, name, index=_TWO_MODULES, word="VALUE = 'added'\n")
    assert answer == {"error": None, "versions": ["$LATEST", "1"]}
    assert [invoke(emulator, it, {}) for it in (name, f"{name}:{version}")] == ["added"] * 2
    replace(emulator, name, word="VALUE = 'changed'\n")
    assert invoke(emulator, f"{name}:{version}", {}) == "changed"
    # Unchanged files change nothing.
    assert replace(emulator, name, word="VALUE = 'changed'\n")["versions"] == []

    location = functions.get_function(FunctionName=name)["Code"]["Location"]
    with urllib.request.urlopen(location, timeout=60) as response:
        package = zipfile.ZipFile(io.BytesIO(response.read()))
    assert package.read("word.py") == b"VALUE = 'changed'\n"


def replaced_replicas(emulator: Emulator) -> None:
    """A changed file takes effect in the replicas of a version, too."""
    name = deploy(emulator, "def handler(event, context):\n    return 1\n")
    arn = emulator.client("lambda").publish_version(FunctionName=name)["FunctionArn"]
    region = "ap-south-1"
    path = f"function-replica?arn={arn.removesuffix(':1')}:1&region={region}"
    replica = emulator.local(path, "POST")["arn"]
    assert invoke(emulator, replica, {}, region) == 1
    answer = replace(emulator, name, index="def handler(event, context):\n    return 2\n")
    assert answer == {"error": None, "versions": ["$LATEST", "1"]}
    assert invoke(emulator, replica, {}, region) == 2
    assert "No module" in replace(emulator, name, index="import missing\n")["error"]["message"]
    assert invoke(emulator, replica, {}, region) == 2


def failed_replacements(emulator: Emulator) -> None:
    """A function that does not start with the changed files keeps its code."""
    name = deploy(emulator, "def handler(event, context):\n    return 1\n")
    replace(emulator, name, index=_TWO_MODULES, word="VALUE = 2\n")
    for change, error_type in (
        ({"index": "def handler(:\n"}, "Runtime.UserCodeSyntaxError"),
        ({"index": "import nothing_here\n"}, "Runtime.ImportModuleError"),
        ({"index": "other = 1\n"}, "Runtime.HandlerNotFound"),
        ({"word": None}, "Runtime.ImportModuleError"),
    ):
        failure = replace(emulator, name, **change)
        assert failure["error"]["type"] == error_type
        assert failure["versions"] == []
        assert invoke(emulator, name, {}) == 2
    assert "word" in failure["error"]["log"]


def running_invocations(emulator: Emulator) -> None:
    """An invocation that runs during the replacement returns its result."""
    code = "import time\ndef handler(event, context):\n    time.sleep(event)\n    return 'old'\n"
    name = deploy(emulator, code, Timeout=30)
    invoke(emulator, name, 0)
    with ThreadPoolExecutor(1) as client:
        running = client.submit(invoke, emulator, name, 4)
        time.sleep(0.5)
        replace(emulator, name, index=code.replace("old", "new"))
        assert invoke(emulator, name, 0) == "new"
        assert running.result() == "old"


def function_starts(emulator: Emulator) -> None:
    """A start reports why a function can't be started, with its log."""
    name = deploy(emulator, "print('before')\nimport nothing_here\n")
    error = emulator.local(f"function-start?function={name}&region=us-east-1", "POST")["error"]
    assert error["type"] == "Runtime.ImportModuleError"
    assert "nothing_here" in error["message"]
    assert "before" in error["log"]

    working = deploy(emulator, "import os\ndef handler(event, context):\n    return os.getpid()\n")
    for _ in range(2):
        path = f"function-start?function={working}&region=us-east-1"
        assert emulator.local(path, "POST") == {"error": None}
    with pytest.raises(AssertionError, match="400"):
        emulator.local("function-start?function=absent", "POST")


def other_runtimes(emulator: Emulator) -> None:
    """A start is refused for a Python version that the emulator doesn't run."""
    code = "def handler(event, context):\n    return 1\n"
    name = deploy(emulator, code, Runtime="python3.12")
    error = emulator.local(f"function-start?function={name}", "POST")["error"]
    assert error["type"] == "Runtime.InvalidRuntime"
    assert "python3.12" in error["message"]
    assert "python3.13" in error["message"]


def logged_failures(emulator: Emulator) -> None:
    """The log of an invocation has the lines of its failed start."""
    name = deploy(emulator, "print('before')\nimport nothing_here\n")
    invoke(emulator, name, {})
    events = emulator.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    text = "\n".join(event["message"] for event in events)
    assert "before" in text
    assert "nothing_here" in text


def custom_resource_failures(emulator: Emulator) -> None:
    """A stack fails with the function's error as soon as its custom resource's function fails."""
    name = unique("failing")
    resource = {
        "Type": "Custom::Failing",
        "Properties": {
            "ServiceToken": {"Fn::GetAtt": ["Failing", "Arn"]},
            # Shorter than the tests' limit, so that the contract ends without the patch.
            "ServiceTimeout": 5,
        },
    }
    template = stack(Role=ROLE, Failing=function(name, "import nothing_here\n"), Resource=resource)
    with pytest.raises(AssertionError, match=r"Runtime\.ImportModuleError"):
        emulator.deploy(template, name)
