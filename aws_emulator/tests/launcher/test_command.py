"""`python -m aws_emulator up`: options, error messages, and a whole project served over HTTP."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import psutil
import pytest

from aws_emulator import __main__ as command
from aws_emulator import launcher
from aws_emulator.endpoint import Endpoint
from aws_emulator.launcher import CLOUDFRONT, EVENT_SOURCES, REST_API
from aws_emulator.sam_cli import SamProject
from aws_emulator.tests.paths import ROOT
from aws_emulator.tests.waiting import wait_until

APP = Path(__file__).with_name("app")
READING = {"sensor": "roof", "celsius": "21", "station": "north"}


@dataclass
class Served:
    """A running `up` command and what it printed."""

    process: "subprocess.Popen[str]"
    output: str

    def found(self, pattern: str) -> str:
        match = re.search(pattern, self.output)
        assert match, self.output
        return match.group(1)


@contextmanager
def up(folder: Path, *options: str) -> Iterator[Served]:
    """Run the command in `folder` until it has printed its addresses."""
    process = subprocess.Popen(
        [sys.executable, "-m", "aws_emulator", "up", *options],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder.parent), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("  logs "):
                break
        else:
            raise AssertionError("".join(lines))
        yield Served(process, "".join(lines))
    finally:
        process.kill()
        process.communicate()


def get(url: str) -> tuple[int, Message, str]:
    """GET a URL; an error status is an answer too. Header names are case-insensitive."""
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.status, response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


def put_page_and_reading(endpoint: Endpoint, bucket: str, stream: str) -> None:
    endpoint.client("s3").put_object(
        Bucket=bucket, Key="index.html", Body=b"<h1>Weather</h1>", ContentType="text/html"
    )
    data = json.dumps({"sensor": "roof", "celsius": 21}).encode()
    endpoint.client("kinesis").put_record(StreamName=stream, Data=data, PartitionKey="roof")


def is_stored(url: str) -> bool:
    """Return whether the REST API returns the reading. It answers 5xx or no item before."""
    status, _headers, body = get(url)
    return status == 200 and '"roof"' in body


@pytest.mark.integration
def test_up_serves_project_and_stops_every_process_on_ctrl_c(tmp_path: Path) -> None:
    folder = tmp_path / "weather-station"
    shutil.copytree(APP, folder)
    ports = ("--port=0", "--endpoint-port=0")
    with up(folder, *ports, "--parameter=Station=north") as served:
        endpoint = Endpoint(served.found(r"AWS_ENDPOINT_URL=(\S+)"))
        cloudfront = served.found(r"CloudFront +(\S+)/\n")
        rest_api = served.found(r"REST APIs +(\S+)/<stage>/")
        assert "event sources  polled in us-east-1" in served.output
        family = psutil.Process(served.process.pid).children(recursive=True)
        put_page_and_reading(
            endpoint,
            served.found(r"output Bucket = (\S+)"),
            served.found(r"output Stream = (\S+)"),
        )

        status, headers, body = get(f"{cloudfront}/")
        assert (status, body) == (200, "<h1>Weather</h1>")
        assert headers["X-Station"] == "north"  # from the Lambda@Edge function
        assert headers["X-Cache"] == "Miss from cloudfront"
        assert get(f"{cloudfront}/")[1]["X-Cache"] == "Hit from cloudfront"

        for url in (rest_api, cloudfront):
            wait_until(lambda url=url: is_stored(f"{url}/v1/readings/roof"), "the reading")  # type: ignore[misc]
            assert json.loads(get(f"{url}/v1/readings/roof")[2]) == READING | {"celsius": 21}

        served.process.send_signal(signal.SIGINT)
        rest, _ = served.process.communicate(timeout=60)
        assert served.process.returncode == 0
        assert rest.endswith("Stopped.\n")
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive
    assert sorted(it.name for it in folder.iterdir()) == [".aws-emulator", "src", "template.yaml"]


@pytest.mark.integration
def test_serve_deployed_starts_servers_when_resources_appear(tmp_path: Path) -> None:
    """Library mode, as README.md shows it."""
    project = SamProject(APP, build_dir=tmp_path / "build")
    with launcher.start(tmp_path / "state") as emulator:
        assert emulator.serve_deployed() == []
        emulator.build(project)
        outputs = emulator.deploy(project, "station", {"Station": "north"})
        servers = {server.kind: server.url for server in emulator.serve_deployed()}
        assert list(servers) == [EVENT_SOURCES, REST_API, CLOUDFRONT]
        assert emulator.serve_deployed() == []
        put_page_and_reading(emulator.in_region(), outputs["Bucket"], outputs["Stream"])
        url = f"{servers[REST_API]}/v1/readings/roof"
        wait_until(lambda: is_stored(url), "the reading")
        assert get(servers[CLOUDFRONT])[1]["X-Station"] == "north"
        processes = [it.process for it in emulator.processes.started]
    assert len(processes) == 4
    assert all(it.returncode is not None for it in processes)


def run_up(*options: str) -> int:
    return command.main(["up", *options])


@pytest.mark.integration  # it checks ports
def test_up_rejects_folder_without_template(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_up("--template-dir", str(tmp_path)) == 1
    assert "contains no template.yaml" in capsys.readouterr().err


@pytest.mark.integration
def test_up_names_missing_interpreter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--no-deploy", "--state", str(tmp_path), "--port=0", "--endpoint-port=0"]
    assert run_up(*options, "--ministack-python", str(tmp_path / "python")) == 1
    error = capsys.readouterr().err
    assert f"{tmp_path / 'python'} does not exist" in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--parameter", "Stage"], "'Stage' is not of the form KEY=VALUE"),
        (["--port", "70000"], "'70000' is not a TCP port"),
        (["--stack-name", "1st"], "'1st' is not a valid stack name"),
        (["--regions", ","], "name at least one Region"),
    ],
)
def test_up_rejects_invalid_option(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run_up(*options)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("folder", "name"), [("my_app", "my-app"), ("2026 notes!", "app-2026-notes"), ("---", "app")]
)
def test_stack_name_is_made_of_folder_name(folder: str, name: str, tmp_path: Path) -> None:
    assert command.stack_name_of(tmp_path / folder) == name
