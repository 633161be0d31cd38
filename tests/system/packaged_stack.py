"""The packaged application on the emulator, with a resource that fails in one nested stack."""

import copy
import fcntl
import functools
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aws_emulator import stack_failures
from aws_emulator.launcher import Emulator
from aws_emulator.sam_cli import SAM
from tests.support.waiting import wait_until
from tests.system.reduced_templates import (
    keep_outputs,
    keep_resource,
    outputs_in_use,
    with_branches,
)
from tools.deployment.built_templates import BUILD
from tools.deployment.retained_resources import Clients
from tools.dev.sam_deployment import build_lock
from tools.stack import DEFAULT_HOME_REGION, StackTarget, client, outputs_of
from tools.template_yaml import yaml_parse

BUCKET: Final = "packaged-application"
#: The logical ID of the resource that fails, and the text of its reason.
FAILING: Final = "Failing"
MAX_PACKAGE_BYTES: Final = 1_000_000
_NESTED: Final = {"AWS::CloudFormation::Stack", "AWS::Serverless::Application"}
#: Conditions of nested stacks that a stage in one Region with a user pool of its own lacks.
_FURTHER_STACKS: Final = re.compile(
    r"HasReplica|HasRegion[2-9]|HasCopy|HasCatalogue$|IsFurther$|HasExistingPool$"
)
#: Nested stacks that others need for more than their outputs: the edge looks for the event source
#: mapping of the stream and for the user pool's identity providers, and the user pool's custom
#: domain for the record of its parent domain.
_NEEDED_FOR_EFFECTS: Final = {"Edge", "Foundation", "Stream"}
#: Changes the resources of a template in place.
type Change = Callable[[dict[str, Any]], None]
_MISSING_FUNCTION: Final = "arn:aws:lambda:us-east-1:000000000000:function:missing"


def package(target: StackTarget, directory: Path) -> dict[str, Any]:
    """Run `sam package` for the built application and return the root template.

    Only custom resources run during a deployment. Their packages are small; a large one becomes a
    stub.
    """
    client("s3", target).create_bucket(Bucket=BUCKET)
    output = directory / "packaged.yaml"
    with build_lock(fcntl.LOCK_SH):
        # As deep in the checkout as the build: its templates refer to files of src/.
        build = _copy_with_stubs(BUILD, directory.with_name(f"{directory.name}-build"))
    command = [*SAM, "package", "--template-file", str(build / "template.yaml")]
    command += ["--s3-bucket", BUCKET, "--output-template-file", str(output)]
    done = subprocess.run(
        [*command, "--region", DEFAULT_HOME_REGION],
        env=target.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    packaged: dict[str, Any] = yaml_parse(output.read_text())
    return packaged


def _copy_with_stubs(build: Path, copy: Path) -> Path:
    """Copy the output of `sam build`; each package over MAX_PACKAGE_BYTES becomes a stub."""

    def ignored(directory: str, names: list[str]) -> list[str]:
        if "template.yaml" in names:
            return []
        files = [it for it in Path(directory).rglob("*") if it.is_file()]
        return names if sum(it.stat().st_size for it in files) > MAX_PACKAGE_BYTES else []

    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(build, copy, ignore=ignored)
    for directory in [it for it in copy.rglob("*") if it.is_dir() and not any(it.iterdir())]:
        (directory / "stub.py").touch()
    return copy


@dataclass
class PackagedStack:
    """A stack of the packaged application."""

    target: StackTarget
    clients: Clients
    root: dict[str, Any]
    _seen: set[str] = field(default_factory=set)
    _templates: dict[str, dict[str, Any]] = field(default_factory=dict)

    def nested_stacks(self) -> list[tuple[str, ...]]:
        """Return the logical IDs that lead from the root to each nested stack.

        The stacks of replicas and of further Regions don't exist: the application is deployed in
        one Region.
        """
        return self._nested(self.root, ())

    def _nested(self, template: dict[str, Any], path: tuple[str, ...]) -> list[tuple[str, ...]]:
        paths = []
        for name, resource in template["Resources"].items():
            is_absent = bool(_FURTHER_STACKS.match(resource.get("Condition", "")))
            if resource["Type"] in _NESTED and not is_absent:
                paths.append((*path, name))
                paths += self._nested(self._child(resource), (*path, name))
        return paths

    def failing_in(self, path: tuple[str, ...]) -> dict[str, Any]:
        """Return the root template with a failing resource, the last one of a nested stack."""
        return self.changed_in(path, _add_failure)

    def only_failing_in(
        self, path: tuple[str, ...], parameters: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return what `failing_in` does, without resources that the nested stack doesn't need."""
        return self._reduced_to(with_branches(self.root, parameters), path)

    def _reduced_to(self, template: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        if not path:
            _add_failure(template["Resources"])
            return template
        keep_resource(template, path[0])
        for name, nested in _nested_in(template):
            if name == path[0]:
                child = self._reduced_to(self._child(nested), path[1:])
            elif name in _NEEDED_FOR_EFFECTS:
                continue
            else:
                child = self._with_outputs(self._child(nested), template, name)
            self._replace(name, nested, child)
        return template

    def _with_outputs(
        self, template: dict[str, Any], parent: dict[str, Any], name: str
    ) -> dict[str, Any]:
        """Return the template of a nested stack with the outputs that its parent uses."""
        keep_outputs(template, outputs_in_use(parent, name))
        for below, nested in _nested_in(template):
            self._replace(below, nested, self._with_outputs(self._child(nested), template, below))
        return template

    def changed_in(self, path: tuple[str, ...], change: Change) -> dict[str, Any]:
        """Return the root template with a change of the resources of a nested stack."""
        return self._changed(copy.deepcopy(self.root), path, change)

    def _changed(
        self, template: dict[str, Any], path: tuple[str, ...], change: Change
    ) -> dict[str, Any]:
        resources = template["Resources"]
        if not path:
            change(resources)
            return template
        nested = resources[path[0]]
        self._replace(path[0], nested, self._changed(self._child(nested), path[1:], change))
        return template

    def _replace(self, name: str, nested: dict[str, Any], child: dict[str, Any]) -> None:
        """Give a nested stack another template."""
        body = json.dumps(child).encode()
        key = f"changed/{name}-{hashlib.sha256(body).hexdigest()}.json"
        self.clients("s3", DEFAULT_HOME_REGION).put_object(Bucket=BUCKET, Key=key, Body=body)
        property_name = "TemplateURL" if "TemplateURL" in nested["Properties"] else "Location"
        nested["Properties"][property_name] = f"{self.target.endpoint}/{BUCKET}/{key}"

    def _child(self, resource: dict[str, Any]) -> dict[str, Any]:
        properties = resource["Properties"]
        location = properties.get("TemplateURL") or properties["Location"]
        key = location.partition(f"{BUCKET}/")[2]
        # The key of a template has a hash of it.
        if key not in self._templates:
            stored = self.clients("s3", DEFAULT_HOME_REGION).get_object(Bucket=BUCKET, Key=key)
            self._templates[key] = yaml_parse(stored["Body"].read())
        return copy.deepcopy(self._templates[key])

    def deploy(self, template: dict[str, Any], parameters: dict[str, str]) -> str:
        """Create or update the stack and return its status at the end."""
        cloudformation = self.clients("cloudformation", DEFAULT_HOME_REGION)
        body = json.dumps(template)
        self.clients("s3", DEFAULT_HOME_REGION).put_object(
            Bucket=BUCKET, Key="root.json", Body=body.encode()
        )
        listed = cloudformation.describe_stacks()["Stacks"]
        exists = self.target.stack_name in {it["StackName"] for it in listed}
        act = cloudformation.update_stack if exists else cloudformation.create_stack
        act(
            StackName=self.target.stack_name,
            TemplateURL=f"{self.target.endpoint}/{BUCKET}/root.json",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
        )

        def ended() -> str | None:
            status = str(self.describe()["StackStatus"])
            return None if status.endswith("_IN_PROGRESS") else status

        subject = f"the end of a deployment of {self.target.stack_name}"
        return wait_until(ended, subject, 120, interval_s=0.2)

    def describe(self) -> dict[str, Any]:
        """Return the stack's description."""
        cloudformation = self.clients("cloudformation", DEFAULT_HOME_REGION)
        (stack,) = cloudformation.describe_stacks(StackName=self.target.stack_name)["Stacks"]
        return dict(stack)

    def outputs(self) -> dict[str, str]:
        """Return the outputs of the stack."""
        return outputs_of(self.describe())

    def causes(self) -> list[str]:
        """Return the resources that failed in the stack and its nested stacks, with reasons."""
        cloudformation = self.clients("cloudformation", DEFAULT_HOME_REGION)
        return stack_failures.causes(cloudformation, self.target.stack_name, None)

    def failures(self) -> set[str]:
        """Return the resources that failed since the last call, by logical ID, without stacks."""
        cloudformation = self.clients("cloudformation", DEFAULT_HOME_REGION)
        pages = cloudformation.get_paginator("list_stacks").paginate()
        stacks = {it["StackId"] for page in pages for it in page["StackSummaries"]} - self._seen
        self._seen |= stacks
        events = [
            event
            for stack in sorted(stacks)
            for event in cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        ]
        return {
            event["LogicalResourceId"]
            for event in events
            if event["ResourceStatus"] in {"CREATE_FAILED", "UPDATE_FAILED"}
            and event["ResourceType"] not in _NESTED
        }


def _nested_in(template: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, it) for name, it in template["Resources"].items() if it["Type"] in _NESTED]


def _add_failure(resources: dict[str, Any]) -> None:
    others = [name for name, it in resources.items() if "Condition" not in it]
    properties = {"ServiceToken": _MISSING_FUNCTION, "ServiceTimeout": 1}
    resources[FAILING] = {
        "Type": "Custom::Failing",
        "DependsOn": others,
        "Properties": properties,
    }


def clients_of(emulator: Emulator) -> Any:
    """Return a function that creates the emulator's clients, as `recovery` needs it."""

    @functools.cache
    def connect(service: str, region: str = DEFAULT_HOME_REGION) -> Any:
        return emulator.client(service, region)

    return connect
