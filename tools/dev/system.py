"""Build, deploy and start the whole system on the emulator.

`start` is the context manager that the commands, the system tests and the benchmarks use.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aws_emulator.errors import CommandError
from aws_emulator.launcher import Emulator
from aws_emulator.processes import (
    ProcessSupervisor,
    free_port,
    require_free_port,
    reserve_port,
    supervise,
)
from aws_emulator.route53.locations import REGIONS
from tools import portal
from tools.demo_advisors import create_demo_advisors
from tools.demo_students import DemoStudent, create_demo_students
from tools.deployment import collector, region_values
from tools.deployment.environments import Layout, layout_of_regions
from tools.dev import catalogue, sam_deployment
from tools.progress import step
from tools.regional.tier import Tier
from tools.stack import (
    DEFAULT_HOME_REGION,
    EDGE_REGION,
    RUNNING_SYSTEM_FILE,
    DeployedStack,
    StackTarget,
    client,
    describe_stack,
)

#: With the default of 60 seconds, rows would reach the data lake a minute later. An erasure waits
#: for 330 seconds on AWS, until access tokens have expired.
LOCAL_PARAMETERS: Final = {
    "EventsBatchingWindow": "1",
    "MediaSessions": "3",
    "ErasureWaitSeconds": "5",
    "SparkJobs": "manual",
}
#: From address of all local emails.
SENDER: Final = "school@meridian.example"


def _refuse(failures: str) -> None:
    raise CommandError(failures)


@dataclass(frozen=True)
class Ports:
    """Ports on the loopback address. 0 means any free port."""

    emulator: int = 0
    edge: int = 0

    def resolve(self) -> "Ports":
        """Return the ports with a free one for each 0.

        Raises:
            CommandError: A port is in use, or both are the same.
        """
        if self.emulator and self.emulator == self.edge:
            raise CommandError(
                f"PORT and EMULATOR_PORT are both {self.edge}. Choose another port for one of them."
            )
        if self.emulator:
            require_free_port(self.emulator, "MiniStack", "EMULATOR_PORT=<port>")
        if self.edge:
            require_free_port(self.edge, "CloudFront", "PORT=<port>")
        return Ports(self.emulator or free_port(), self.edge or free_port())

    def of_places(self, regions: Sequence[str]) -> dict[str, int]:
        """Return the port of each Region's edge location: `edge`, and the next free ones after it.

        Any free port if the next one is in use, or the emulator's, which doesn't listen yet.
        """
        ports = {regions[0]: self.edge}
        for number, region in enumerate(regions[1:], start=1):
            following = self.edge + number
            is_usable = following != self.emulator and reserve_port(following)
            ports[region] = following if is_usable else free_port()
        return ports


@dataclass(frozen=True)
class System:
    """A running system.

    `urls` has the distribution's address in each Region with an edge location: edge functions run
    in the location's Region. `api_url` serves the REST APIs of all Regions, selected by host name.
    `regions` begins with the home Region, and has us-east-1 only as the home: otherwise it is the
    edge, whose outputs `deployed` has, too. `parameters` are those of the home Region and of the
    edge besides those of the local run.
    """

    target: StackTarget
    emulator: Emulator
    urls: Mapping[str, str]
    directory: Path
    deployed: DeployedStack
    students: list[DemoStudent]
    api_url: str
    regions: tuple[str, ...] = (DEFAULT_HOME_REGION,)
    parameters: Mapping[str, str] = field(default_factory=dict)
    #: The parameters Domain and HostedZoneId; none without a domain.
    names: Mapping[str, str] = field(default_factory=dict)
    #: The port of the DNS server on 127.0.0.1; 0 without a domain.
    dns_port: int = 0
    #: The course catalogue; None without it.
    catalogue: Tier | None = None

    @property
    def domain(self) -> str:
        """The domain name of the portal; '' without one."""
        return self.names.get("Domain", "")

    @property
    def url(self) -> str:
        """The distribution's address near the home Region."""
        return self.urls[self.regions[0]]

    @property
    def layout(self) -> Layout:
        """The environments of the system by their task."""
        return layout_of_regions(self.target.stage, self.regions, self.names)

    def clients(self, service: str, region: str) -> Any:
        """Return a client of a service in a Region."""
        return client(service, StackTarget(self.target.endpoint, region))

    @property
    def processes(self) -> ProcessSupervisor:
        """The emulator's processes."""
        return self.emulator.processes

    @property
    def event_sources_status(self) -> Path:
        """The status file of the event source mappings."""
        return self.emulator.event_sources_status

    def deploy_again(self) -> None:
        """Build and deploy the current files.

        Raises:
            CommandError: The build or a deployment failed.
        """
        sam_deployment.build(self.target, self.directory / "logs" / "sam-build.log")
        _deploy(self.target, self.urls, self.layout, self.directory, self.parameters)

    def start_event_sources(self) -> None:
        """Start the event source mappings again after a test stopped them."""
        _start_event_sources(self.emulator)


@contextmanager
def start(
    directory: Path,
    ports: Ports,
    regions: Sequence[str] = (DEFAULT_HOME_REGION,),
    *,
    build: bool = True,
    on_start_failures: Callable[[str], None] = _refuse,
    parameters: Mapping[str, str] | None = None,
    domain: str = "",
    dns_speed: float = 1,
    with_catalogue: bool = False,
) -> Iterator[System]:
    """Build, deploy and start the system; stop all processes at the end of the context.

    The first of `regions` is the home Region; the others get a regional stack. us-east-1 gets the
    edge. Without `build`, the existing build is deployed. `on_start_failures` receives a message
    about functions that can't start; by default it ends the start. `parameters` are further ones of
    the home Region's stack and of the edge's. With a `domain`, a DNS server answers for it, in
    which health checks and TTLs pass `dns_speed` times faster. `with_catalogue` starts the course
    catalogue, too, where PostgreSQL and Valkey can run.

    Raises:
        CommandError: A port is in use, the build or a deployment failed, or a process or a function
            can't start.
    """
    with ExitStack() as stack:
        processes = stack.enter_context(supervise(directory))
        ports = ports.resolve()
        stack_regions = tuple(dict.fromkeys((*regions, EDGE_REGION)))
        emulator = Emulator(processes, ports.emulator, stack_regions)
        target = StackTarget(emulator.endpoint, regions[0])
        edge_ports = ports.of_places(regions)
        urls = {region: f"http://localhost:{port}" for region, port in edge_ports.items()}
        tier = None
        if with_catalogue:
            tier = stack.enter_context(catalogue.prepared(directory, regions, domain))
        # Supervised processes belong to the main thread: Linux ends them with theirs (prctl(2)).
        threads = stack.enter_context(ThreadPoolExecutor(2, "start"))
        data = threads.submit(tier.create) if tier else None
        further = {**(parameters or {}), **catalogue.parameters(tier, domain)}
        if build:
            sam_deployment.build(target, directory / "logs" / "sam-build.log")
        with step("MiniStack"):
            emulator.start_ministack()
            _enable_email(target)
            names = _create_zone(target, domain) if domain else {}
        layout = layout_of_regions(target.stage, regions, names)
        _deploy(target, urls, layout, directory, further)
        functions = threads.submit(_start_functions, emulator)
        for resource_type, gap in sorted(emulator.accepted_resources().items()):
            print(f"  accepted, not emulated: {resource_type} ({gap})")
        deployed = _describe(target)
        if tier is not None and data is not None:
            data.result()
            servers = threads.submit(catalogue.start, tier, target, deployed.outputs)
        with step("portal pages, demo students and advisors"):
            portal.upload_pages(
                client("s3", target),
                deployed.outputs["PortalBucket"],
                deployed.write_key,
                regions,
                mailbox=f"{target.endpoint}/_local/mailbox",
                origin=urls[regions[0]],
                # A changed file is loaded with the next page.
                assets_s=0,
            )
            students = create_demo_students(target, deployed.outputs)
            create_demo_advisors(target)
        _start_event_sources(emulator)
        with step("REST API"):
            # Regions that are added later have an address, too.
            api_url = emulator.start_rest_api(domain_regions=list(REGIONS) if domain else ())
        with step("functions"):
            failures = functions.result()
        if failures:
            on_start_failures(failures)
        if tier is not None:
            with step(f"course catalogue ({', '.join(regions)})"):
                servers.result()
                if domain:
                    catalogue.create_names(tier, client("route53", target), names)
        dns_port = 0
        if domain:
            with step(f"DNS of {domain}"):
                dns_port = emulator.start_route53(api_url, speed=dns_speed)
        with step("CloudFront"):
            for region, port in edge_ports.items():
                emulator.start_cloudfront(port, api_url, region=region, dns_port=dns_port)
        for line in emulator.cloudfront_notices():
            print(f"  {line}")
        record = directory / RUNNING_SYSTEM_FILE
        running = {"endpoint": target.endpoint, "regions": list(stack_regions), "names": names}
        record.write_text(json.dumps(running))
        try:
            yield System(
                target=target,
                emulator=emulator,
                urls=urls,
                directory=directory,
                deployed=deployed,
                students=students,
                api_url=api_url,
                regions=tuple(regions),
                parameters=further,
                names=names,
                dns_port=dns_port,
                catalogue=tier,
            )
        finally:
            record.unlink(missing_ok=True)


def _deploy(
    target: StackTarget,
    urls: Mapping[str, str],
    layout: Layout,
    directory: Path,
    further: Mapping[str, str],
) -> None:
    """Deploy the home, the further Regions and the edge, as `make deploy` does."""
    regions = [it.region for it in (layout.home, *layout.others)]

    def clients(service: str, region: str) -> Any:
        return client(service, StackTarget(target.endpoint, region))

    for environment in layout.in_order():
        parameters = {
            **environment.overrides,
            **region_values.needed_values(environment, layout, clients),
            **LOCAL_PARAMETERS,
        }
        if environment not in layout.others:
            parameters |= _parameters(target, list(urls.values())) | dict(further)
        log = directory / "logs" / f"sam-{environment.region}.log"
        stack_target = StackTarget(target.endpoint, environment.region, target.stage)
        # SAM can't read an empty value; the previous one stays.
        passed = {name: it for name, it in parameters.items() if it}
        sam_deployment.deploy(stack_target, passed, log)
    if layout.edge != layout.home:
        with step(f"values between {layout.edge.region} and {layout.home.region}"):
            region_values.pass_on(layout.edge, layout, clients)
    elif layout.others:
        with step(f"collector ({', '.join(regions)})"):
            collector.set_regions(layout.edge, regions, clients)
            region_values.pass_health_checks(layout, clients)
            region_values.pass_copies(layout, clients)
            region_values.disable_endpoints(layout, clients)


def _parameters(target: StackTarget, urls: Sequence[str]) -> dict[str, str]:
    """Return the parameters of the home and of the edge in a local run."""
    return {
        "EmulatorUrl": target.endpoint,
        "PortalOrigins": ",".join(urls),
        "PortalUrl": urls[0],
        "Sender": SENDER,
    }


def _describe(target: StackTarget) -> DeployedStack:
    """Read the home's stack, with the outputs of the edge's."""
    home = describe_stack(target)
    edge = describe_stack(StackTarget(target.endpoint, EDGE_REGION, target.stage))
    return DeployedStack(edge.outputs | home.outputs, edge.write_key)


def _start_functions(emulator: Emulator) -> str:
    """Start all functions, so that one that can't start is reported before it is needed.

    Return a line for each that can't.
    """
    failures = []
    for region in emulator.regions:
        name = StackTarget(emulator.endpoint, region).stack_name
        failures += [it.text("src/") for it in emulator.start_functions(name, region)]
    return "\n".join(failures)


def _create_zone(target: StackTarget, domain: str) -> dict[str, str]:
    """Create the hosted zone of a domain, as its owner does before a deployment to AWS.

    Return the parameters Domain and HostedZoneId.
    """
    created = client("route53", target).create_hosted_zone(Name=domain, CallerReference=domain)
    zone_id = str(created["HostedZone"]["Id"]).removeprefix("/hostedzone/")
    return {"Domain": domain, "HostedZoneId": zone_id}


def _enable_email(target: StackTarget) -> None:
    """Verify the sender and leave the sandbox of Amazon SES: manual steps before an AWS deployment.

    Cognito refuses a user pool whose sender isn't verified.
    """
    ses = client("sesv2", target)
    ses.create_email_identity(EmailIdentity=SENDER)
    ses.put_account_details(
        MailType="TRANSACTIONAL",
        WebsiteURL="https://meridian.example",
        ProductionAccessEnabled=True,
    )


def _start_event_sources(emulator: Emulator) -> None:
    with step("event source mappings"):
        emulator.start_event_sources()
