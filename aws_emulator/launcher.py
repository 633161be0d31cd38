"""Start the parts of the emulator and deploy SAM projects to them.

Used as a library (`with launcher.start() as emulator: ...`, see README.md), by the command
`python -m aws_emulator up`, and by a project's own tools, which call the `Emulator` methods one by
one with their own supervisor.
"""

import contextlib
import json
import os
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aws_emulator import sam_cli
from aws_emulator.deployed_functions import function_names
from aws_emulator.endpoint import Endpoint, responds
from aws_emulator.errors import CommandError
from aws_emulator.function_controls import StartFailure
from aws_emulator.function_controls import start as start_function
from aws_emulator.processes import ProcessSupervisor, free_port, supervise
from aws_emulator.sam_cli import OnLine, SamProject

#: The folder that contains the package aws_emulator.
ROOT: Final = Path(__file__).resolve().parent.parent
DEFAULT_REGION: Final = "us-east-1"
#: The names of the processes, for `ProcessSupervisor.kill` and for the names of the logs.
MINISTACK: Final = "ministack"
EVENT_SOURCES: Final = "event-sources"
REST_API: Final = "rest-api"
CLOUDFRONT: Final = "cloudfront"
ROUTE53: Final = "route53"
#: The prefix of the CloudFront server's warnings in its log.
_WARNING_PREFIX: Final = "cloudfront: "


@dataclass(frozen=True)
class Interpreters:
    """The Python interpreters of the emulator's parts. The defaults are those of this checkout.

    `ministack` has the pinned MiniStack. `functions` runs Lambda functions and has awslambdaric.
    `servers` runs event sources, REST APIs and CloudFront.
    """

    ministack: Path = ROOT / ".venv-emulator" / "bin" / "python"
    functions: Path = ROOT / ".venv-lambda" / "bin" / "python"
    servers: Path = Path(sys.executable)


@dataclass(frozen=True)
class Server:
    """A server that `serve_deployed` started: `kind` is a process name, `url` its address."""

    kind: str
    url: str


@dataclass
class Emulator:
    """The parts of one emulator. Construct it with a supervisor; then call `start_ministack`.

    `port` is MiniStack's. `regions` begins with the home Region: the default of `client` and
    `deploy`. Event source mappings are polled in all of them.
    """

    processes: ProcessSupervisor
    port: int
    regions: Sequence[str] = (DEFAULT_REGION,)
    interpreters: Interpreters = field(default_factory=Interpreters)
    _servers: dict[str, Server] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        """The folder with everything that the parts write: logs, state, builds."""
        return self.processes.directory

    @property
    def endpoint(self) -> str:
        """The URL for AWS_ENDPOINT_URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def event_sources_status(self) -> Path:
        """The file in which the event source poller reports its progress."""
        return self.directory / EVENT_SOURCES / "poller-status.json"

    def in_region(self, region: str | None = None) -> Endpoint:
        """Return the endpoint as a client in a Region sees it; None is the home Region."""
        return Endpoint(self.endpoint, region or self.regions[0])

    def client(self, service: str, region: str | None = None) -> Any:
        """Return a boto3 client; None is the home Region."""
        return self.in_region(region).client(service)

    def start_ministack(self) -> None:
        """Start MiniStack with its patches.

        Raises:
            CommandError: An interpreter is missing, or MiniStack did not start.
        """
        for python in (self.interpreters.ministack, self.interpreters.functions):
            if not python.exists():
                raise CommandError(
                    f"{python} does not exist. aws_emulator/README.md has the setup."
                )
        self._start(
            MINISTACK,
            self.interpreters.ministack,
            *("aws_emulator.ministack", "--port", str(self.port)),
            *("--state", str(self.directory / MINISTACK)),
            *("--lambda-python", str(self.interpreters.functions)),
            ready=f"{self.endpoint}/_ministack/ready",
        )

    def start_event_sources(self) -> None:
        """Start polling the Kinesis and DynamoDB event source mappings of all Regions.

        Raises:
            CommandError: The poller did not start.
        """
        status = self.event_sources_status
        status.unlink(missing_ok=True)
        self._start(
            EVENT_SOURCES,
            self.interpreters.servers,
            *("aws_emulator.event_sources", "--endpoint", self.endpoint),
            *("--regions", ",".join(self.regions), "--state", str(status.parent)),
            ready=status,
        )

    def start_rest_api(self, port: int = 0, domain_regions: Sequence[str] = ()) -> str:
        """Start the REST APIs' server and return its URL. Stages are the first part of the path.

        Custom domain names of `domain_regions` are served at a loopback address for each Region.

        Raises:
            CommandError: The server did not start.
        """
        url = f"http://127.0.0.1:{port or free_port()}"
        self._start(
            REST_API,
            self.interpreters.servers,
            *("aws_emulator.rest_api", "--endpoint", self.endpoint),
            *("--port", url.rpartition(":")[2], "--region", self.regions[0]),
            *("--regions", ",".join(domain_regions)),
            ready=f"{url}/_local/ready",
        )
        return url

    def start_route53(
        self, rest_api_url: str | None = None, port: int = 0, speed: float = 1
    ) -> int:
        """Start the DNS server of the hosted zones, and return its port on 127.0.0.1.

        Clients of unknown networks are near the home Region. `rest_api_url` serves custom domain
        names, and its port stands for 443. `speed` divides the intervals of health checks and the
        TTLs.

        Raises:
            CommandError: The server did not start.
        """
        port = port or free_port()
        state = self.directory / ROUTE53
        (state / "status.json").unlink(missing_ok=True)
        https = ("--https-port", rest_api_url.rpartition(":")[2]) if rest_api_url else ()
        self._start(
            ROUTE53,
            self.interpreters.servers,
            *("aws_emulator.route53", "--endpoint", self.endpoint, "--port", str(port)),
            *("--location", self.regions[0], "--state", str(state), "--speed", str(speed)),
            *https,
            ready=state / "status.json",
        )
        return port

    def start_cloudfront(
        self,
        port: int = 0,
        rest_api_url: str | None = None,
        distribution: str | None = None,
        region: str | None = None,
        dns_port: int | None = None,
    ) -> str:
        """Start the server of a distribution in an edge location, and return its URL.

        `rest_api_url` serves the distribution's API Gateway origins. `distribution` is an id; it is
        required if several distributions exist. Edge functions run in `region`, by default the home
        Region. `dns_port` is the DNS server's, for origins with a name of a hosted zone.

        Raises:
            CommandError: The server did not start.
        """
        port = port or free_port()
        region = region or self.regions[0]
        parts = [distribution, None if region == self.regions[0] else region]
        name = "-".join([CLOUDFRONT, *filter(None, parts)])
        self._start(
            name,
            self.interpreters.servers,
            *("aws_emulator.cloudfront", "--endpoint", self.endpoint),
            *("--port", str(port), "--region", region),
            *("--log", str(self.directory / "logs" / f"{name}-access.jsonl")),
            *(("--api-url", rest_api_url) if rest_api_url else ()),
            *(("--distribution", distribution) if distribution else ()),
            *(("--dns-port", str(dns_port)) if dns_port else ()),
            ready=f"http://127.0.0.1:{port}/_local/ready",
        )
        return f"http://localhost:{port}"

    def cloudfront_notices(self) -> list[str]:
        """Return the CloudFront servers' warnings, such as settings without an effect."""
        return [
            line
            for log in sorted((self.directory / "logs").glob(f"{CLOUDFRONT}*.log"))
            for line in log.read_text().splitlines()
            if line.startswith(_WARNING_PREFIX)
        ]

    def accepted_resources(self) -> dict[str, str]:
        """Return the deployed resource types and properties without an effect, each with the gap.

        Raises:
            CommandError: MiniStack did not answer.
        """
        url = f"{self.endpoint}/_local/accepted"
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                accepted = json.load(response)
        except (OSError, ValueError) as error:
            raise CommandError(f"Can't read the list of accepted resources: {error}.") from error
        return {str(it["type"]): str(it["missing"]) for it in accepted}

    def build(self, project: SamProject, on_line: OnLine = lambda _: None) -> None:
        """Run `sam build`.

        Raises:
            CommandError: `sam build` failed.
        """
        log = self.directory / "logs" / "sam-build.log"
        sam_cli.build(project, self.in_region().environment(), log, on_line)

    def deploy(
        self,
        project: SamProject,
        stack_name: str,
        parameters: Mapping[str, str] | None = None,
        region: str | None = None,
        on_line: OnLine = lambda _: None,
    ) -> dict[str, str]:
        """Run `sam deploy` of a built project and return the stack's outputs.

        Raises:
            CommandError: The deployment failed; the message has CloudFormation's reason.
        """
        endpoint = self.in_region(region)
        log = self.directory / "logs" / f"sam-deploy-{stack_name}.log"
        environment = endpoint.environment()
        sam_cli.deploy(project, endpoint, stack_name, parameters or {}, environment, log, on_line)
        return self.outputs(stack_name, region)

    def outputs(self, stack_name: str, region: str | None = None) -> dict[str, str]:
        """Return the outputs of a stack."""
        cloudformation = self.client("cloudformation", region)
        stack = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
        return {it["OutputKey"]: it["OutputValue"] for it in stack.get("Outputs", [])}

    def start_functions(self, stack_name: str, region: str | None = None) -> list[StartFailure]:
        """Start the functions of a stack and its nested stacks, and return those that can't start.

        The processes serve the first invocations.

        Raises:
            CommandError: The emulator didn't answer.
        """
        endpoint = self.in_region(region)
        names = function_names(endpoint.client("cloudformation"), stack_name)
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            results = threads.map(lambda name: start_function(endpoint, name), names.values())
            return [it for it in results if it is not None]

    def serve_deployed(self, port: int = 0, rest_api_port: int = 0) -> list[Server]:
        """Start the servers that the deployed resources need, and return those newly started.

        Event sources need an event source mapping, the REST API server a REST API, and CloudFront a
        distribution. A second distribution gets a free port. Call it again after another
        deployment.

        Raises:
            CommandError: A server did not start.
        """
        before = set(self._servers)
        distributions = self._distributions()
        if EVENT_SOURCES not in self._servers and self._has_event_source_mapping():
            self.start_event_sources()
            self._servers[EVENT_SOURCES] = Server(EVENT_SOURCES, self.endpoint)
        if REST_API not in self._servers and (distributions or self._has_rest_api()):
            # CloudFront receives the address of API Gateway origins at its start.
            self._servers[REST_API] = Server(REST_API, self.start_rest_api(rest_api_port))
        for index, distribution in enumerate(distributions):
            key = distribution if index else CLOUDFRONT
            if key not in self._servers:
                # Without an id the server follows the only distribution when it is replaced.
                distribution_id = distribution if len(distributions) > 1 else None
                url = self.start_cloudfront(
                    0 if index else port, self._servers[REST_API].url, distribution_id
                )
                self._servers[key] = Server(CLOUDFRONT, url)
        return [it for name, it in self._servers.items() if name not in before]

    def _distributions(self) -> list[str]:
        pages = self.client("cloudfront").get_paginator("list_distributions").paginate()
        return [it["Id"] for page in pages for it in page["DistributionList"].get("Items", [])]

    def _has_event_source_mapping(self) -> bool:
        return any(
            self.client("lambda", region).list_event_source_mappings()["EventSourceMappings"]
            for region in self.regions
        )

    def _has_rest_api(self) -> bool:
        return any(self.client("apigateway", it).get_rest_apis()["items"] for it in self.regions)

    def _start(
        self, name: str, python: Path, module: str, *options: str, ready: Path | str
    ) -> None:
        def is_ready() -> bool:
            return ready.exists() if isinstance(ready, Path) else responds(ready)

        environment = {**self.in_region().environment(), "PYTHONPATH": str(ROOT)}
        self.processes.start(name, [str(python), "-m", module, *options], environment, is_ready)


@contextlib.contextmanager
def start(
    directory: Path | None = None,
    port: int = 0,
    regions: Sequence[str] = (DEFAULT_REGION,),
    interpreters: Interpreters | None = None,
) -> Iterator[Emulator]:
    """Start MiniStack, yield the emulator, and stop every part at the end.

    `directory` keeps logs and state; None takes a temporary folder. A `port` of 0 is a free one.

    Raises:
        CommandError: MiniStack did not start, or a part ended while the block ran.
    """
    with contextlib.ExitStack() as stack:
        if directory is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emulator-")))
        processes = stack.enter_context(supervise(directory))
        emulator = Emulator(processes, port or free_port(), regions, interpreters or Interpreters())
        emulator.start_ministack()
        yield emulator
