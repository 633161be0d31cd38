"""The whole system, started part by part: emulator, deployment, seed, poller, API, edge."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aws_emulator.endpoint import responds
from aws_emulator.errors import CommandError
from aws_emulator.launcher import Emulator
from aws_emulator.processes import ProcessSupervisor, free_port, require_free_port, supervise
from tools import sam, seed
from tools.progress import step
from tools.sam import Place

#: CloudFront, WAF and the edge functions live in the home region.
HOME_REGION = "us-east-1"
#: A second in place of a minute: who looks at a laptop does not want to wait.
EVERYWHERE = {"EventsBatchingWindow": "1"}
#: In the folder of a running system: where it answers.
RECORD = "system.json"


@dataclass(frozen=True)
class Ports:
    """Where the parts answer on the loopback address; 0 chooses a free one."""

    emulator: int = 0
    edge: int = 0

    def chosen(self) -> "Ports":
        """Return the same with free ports in place of 0. Raises CommandError for a busy one."""
        if self.emulator:
            require_free_port(self.emulator, "MiniStack", "EMULATOR_PORT=<port>")
        if self.edge:
            require_free_port(self.edge, "CloudFront", "PORT=<port>")
        return Ports(self.emulator or free_port(), self.edge or free_port())


@dataclass(frozen=True)
class System:
    """A running system.

    `url` is the one address; `api_url` answers for every region's API by its host name.
    """

    place: Place
    emulator: Emulator
    url: str
    directory: Path
    deployed: seed.Deployed
    students: list[seed.Student]
    api_url: str
    regions: tuple[str, ...] = (HOME_REGION,)

    @property
    def services(self) -> ProcessSupervisor:
        """The emulator's processes."""
        return self.emulator.processes

    @property
    def poller_status(self) -> Path:
        """The file in which the poller says how far it is."""
        return self.emulator.event_sources_status

    def start_poller(self) -> None:
        """Start the event source mappings again, after they were stopped."""
        _start_event_sources(self.emulator)


@contextmanager
def started(
    directory: Path, ports: Ports, regions: Sequence[str] = (HOME_REGION,)
) -> Iterator[System]:
    """Build, deploy and start everything; stop everything at the end. Raises CommandError.

    `regions` begins with the home region; each further one gets its regional part.
    """
    with supervise(directory) as processes:
        ports = ports.chosen()
        emulator = Emulator(processes, ports.emulator, tuple(regions))
        place = Place(endpoint=emulator.endpoint, region=HOME_REGION)
        url = f"http://localhost:{ports.edge}"
        sam.build(place, directory / "logs" / "sam-build.log")
        with step("MiniStack"):
            emulator.start_ministack()
        home = {
            "EmulatorUrl": place.endpoint,
            "PortalOrigins": url,
            "PortalUrl": url,
            "Regions": ",".join(regions),
        }
        sam.deploy(place, home | EVERYWHERE, directory / "logs" / "sam-deploy.log")
        for region in regions[1:]:
            _deploy_region(Place(place.endpoint, region), directory)
        for kind, what in sorted(emulator.accepted_resources().items()):
            print(f"  accepted, not emulated: {kind} ({what})")
        deployed = seed.describe(place)
        with step("pages and demo students"):
            seed.upload_portal(
                sam.client("s3", place), deployed.outputs["PortalBucket"], deployed.write_key
            )
            students = seed.demo_students(place, deployed.outputs)
            seed.verify_sender(place)
        _start_event_sources(emulator)
        with step("REST API"):
            api_url = emulator.start_rest_api()
        with step("CloudFront"):
            emulator.start_cloudfront(ports.edge, api_url)
        for line in emulator.cloudfront_notices():
            print(f"  {line}")
        record = directory / RECORD
        record.write_text(json.dumps({"endpoint": place.endpoint, "regions": list(regions)}))
        try:
            everywhere = tuple(regions)
            yield System(place, emulator, url, directory, deployed, students, api_url, everywhere)
        finally:
            record.unlink(missing_ok=True)


def served(directory: Path, region: str = HOME_REGION) -> Place | None:
    """Say where a system that runs in `directory` is deployed; None where none answers.

    Raises CommandError where it is not in `region`.
    """
    try:
        record = json.loads((directory / RECORD).read_text())
    except (OSError, ValueError):
        return None
    # A system that was killed leaves its record behind.
    if not responds(f"{record['endpoint']}/_ministack/ready"):
        return None
    if region not in record["regions"]:
        raise CommandError(f"What is up has no {region}; it has {', '.join(record['regions'])}.")
    return Place(str(record["endpoint"]), region)


def _deploy_region(place: Place, directory: Path) -> None:
    """Deploy the regional part, which reads the region's own replica of the appointments."""
    table = f"meridian-{place.stage}-appointments"
    described = sam.client("dynamodb", place).describe_table(TableName=table)["Table"]
    home = seed.describe(Place(place.endpoint, HOME_REGION, place.stage)).outputs
    parameters = {
        "AppointmentsStreamArn": str(described["LatestStreamArn"]),
        "UserPoolArn": home["UserPoolArn"],
    }
    sam.deploy(place, parameters | EVERYWHERE, directory / "logs" / f"sam-{place.region}.log")


def _start_event_sources(emulator: Emulator) -> None:
    with step("event source mappings"):
        emulator.start_event_sources()
