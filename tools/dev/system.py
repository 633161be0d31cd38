"""The whole system, started part by part: emulator, deployment, seed, poller, API, edge."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aws_emulator.errors import CommandError
from aws_emulator.processes import Services, free_port, require_free, running
from tools import sam, seed
from tools.progress import step
from tools.sam import BIN, ROOT, Place

EMULATOR_PYTHON = ROOT / ".venv-emulator" / "bin" / "python"
RUNTIME_PYTHON = ROOT / ".venv-lambda" / "bin" / "python"
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
            require_free(self.emulator, "emulator", "EMULATOR_PORT")
        if self.edge:
            require_free(self.edge, "local edge", "PORT")
        return Ports(self.emulator or free_port(), self.edge or free_port())


@dataclass(frozen=True)
class System:
    """A running system.

    `url` is the one address; `api_url` answers for every region's API by its host name.
    """

    place: Place
    services: Services
    url: str
    directory: Path
    deployed: seed.Deployed
    students: list[seed.Student]
    api_url: str
    regions: tuple[str, ...] = (HOME_REGION,)

    @property
    def poller_status(self) -> Path:
        """The file in which the poller says how far it is."""
        return self.directory / "poller" / "poller-status.json"

    def start_poller(self) -> None:
        """Start the event source mappings again, after they were stopped."""
        _start_poller(self.services, self.place, self.regions, self.directory)


@contextmanager
def started(
    directory: Path, ports: Ports, regions: Sequence[str] = (HOME_REGION,)
) -> Iterator[System]:
    """Build, deploy and start everything; stop everything at the end. Raises CommandError.

    `regions` begins with the home region; each further one gets its regional part.
    """
    with running(directory) as services:
        ports = ports.chosen()
        place = Place(endpoint=f"http://127.0.0.1:{ports.emulator}", region=HOME_REGION)
        url = f"http://localhost:{ports.edge}"
        sam.build(place, directory / "logs" / "sam-build.log")
        _start_emulator(services, place, ports.emulator, directory)
        home = {
            "EmulatorUrl": place.endpoint,
            "PortalOrigins": url,
            "PortalUrl": url,
            "Regions": ",".join(regions),
        }
        sam.deploy(place, home | EVERYWHERE, directory / "logs" / "sam-deploy.log")
        for region in regions[1:]:
            _deploy_region(Place(place.endpoint, region), directory)
        _print_accepted(place)
        deployed = seed.describe(place)
        with step("pages and demo students"):
            seed.upload_portal(
                sam.client("s3", place), deployed.outputs["PortalBucket"], deployed.write_key
            )
            students = seed.demo_students(place, deployed.outputs)
            seed.verify_sender(place)
        _start_poller(services, place, regions, directory)
        api_url = _start_api(services, place)
        _start_edge(services, place, ports.edge, api_url, directory)
        record = directory / RECORD
        record.write_text(json.dumps({"endpoint": place.endpoint, "regions": list(regions)}))
        try:
            everywhere = tuple(regions)
            yield System(place, services, url, directory, deployed, students, api_url, everywhere)
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
    if not _answers(f"{record['endpoint']}/_ministack/ready"):
        return None
    if region not in record["regions"]:
        raise CommandError(f"What is up has no {region}; it has {', '.join(record['regions'])}.")
    return Place(str(record["endpoint"]), region)


def _start_emulator(services: Services, place: Place, port: int, directory: Path) -> None:
    with step("emulator"):
        services.start(
            "emulator",
            [
                *(str(EMULATOR_PYTHON), "-m", "aws_emulator.ministack", "--port", str(port)),
                *("--state", str(directory / "emulator")),
                *("--lambda-python", str(RUNTIME_PYTHON)),
            ],
            {**place.environment(), "PYTHONPATH": str(ROOT)},
            lambda: _answers(f"{place.endpoint}/_ministack/ready"),
        )


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


def _start_poller(
    services: Services, place: Place, regions: Sequence[str], directory: Path
) -> None:
    status = directory / "poller" / "poller-status.json"
    status.unlink(missing_ok=True)
    with step("event source mappings"):
        services.start(
            "poller",
            [
                *(
                    str(BIN / "python"),
                    "-m",
                    "aws_emulator.event_sources",
                    "--endpoint",
                    place.endpoint,
                ),
                *("--regions", ",".join(regions), "--state", str(status.parent)),
            ],
            {**place.environment(), "PYTHONPATH": str(ROOT)},
            status.exists,
        )


def _start_api(services: Services, place: Place) -> str:
    """Start who answers for API Gateway; return its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with step("local API"):
        services.start(
            "api",
            [
                *(str(BIN / "python"), "-m", "aws_emulator.rest_api", "--endpoint", place.endpoint),
                *("--port", str(port), "--region", place.region),
            ],
            {**place.environment(), "PYTHONPATH": str(ROOT)},
            lambda: _answers(f"{url}/_local/ready"),
        )
    return url


def _start_edge(services: Services, place: Place, port: int, api_url: str, directory: Path) -> None:
    with step("local edge"):
        edge = services.start(
            "edge",
            [
                *(
                    str(BIN / "python"),
                    "-m",
                    "aws_emulator.cloudfront",
                    "--endpoint",
                    place.endpoint,
                ),
                *("--port", str(port), "--region", place.region, "--api-url", api_url),
                *("--log", str(directory / "logs" / "edge-access.jsonl")),
            ],
            {**place.environment(), "PYTHONPATH": str(ROOT)},
            lambda: _answers(f"http://127.0.0.1:{port}/_local/ready"),
        )
    # What CloudFront would do and the local edge does not: it says so itself when it starts.
    for line in edge.log.read_text().splitlines():
        if line.startswith("local edge: "):
            print(f"  {line}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _print_accepted(place: Place) -> None:
    """Print what the emulator took without emulating it: the honest gap report."""
    try:
        with urllib.request.urlopen(f"{place.endpoint}/_local/accepted", timeout=5) as response:
            accepted = json.load(response)
    except (OSError, ValueError) as error:
        raise CommandError("The emulator does not say what it accepted.") from error
    missing = {entry["type"]: entry["missing"] for entry in accepted}
    for kind, what in sorted(missing.items()):
        print(f"  accepted, not emulated: {kind} ({what})")
