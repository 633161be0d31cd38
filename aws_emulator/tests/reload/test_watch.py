"""`up --watch`: a save reaches the next request, and an error leaves the previous version.

The tests share one running project and leave it as they found it.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_socket import enable_socket

from aws_emulator.endpoint import Endpoint
from aws_emulator.tests.paths import ROOT
from aws_emulator.tests.waiting import wait_until

APP = ROOT / "aws_emulator" / "tests" / "launcher" / "app"
TEMPLATE = "template.yaml"
#: The module of the Lambda@Edge function. A package of its own makes its reloads cheap.
EDGE = "edge/edge.py"

STATION = '"value": "north"'
#: A module that the tests add to the application.
NAMES = "edge/names.py"
#: A resource that Lambda refuses: a batch of more than 10 messages needs a batching window.
REFUSED = """\
  Extra:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      BatchSize: 100
      EventSourceArn: !Sub arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:absent
      FunctionName: !Ref StoreReadings

"""
DEADLINE_S = 60.0

pytestmark = pytest.mark.integration


@dataclass
class Watched:
    """A running `up --watch`, its project and its output."""

    folder: Path
    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)
    url: str = ""
    endpoint: Endpoint = field(default_factory=lambda: Endpoint(""))
    bucket: str = ""

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    def output(self) -> str:
        return "".join(self.lines)

    def found(self, pattern: str) -> str:
        match = wait_until(lambda: re.search(pattern, self.output()), pattern, 240)
        return str(match.group(1))

    def path(self, name: str) -> Path:
        return self.folder / name

    def edit(self, name: str, old: str, new: str) -> str:
        """Replace a text in a file, and return the file's previous text."""
        text = self.path(name).read_text()
        assert old in text
        self.path(name).write_text(text.replace(old, new))
        return text

    def station(self) -> str:
        """Return the header that the Lambda@Edge function adds, with the page's status."""
        status, headers, _ = self.get("/index.html")
        return f"{status} {headers.get('X-Station')}"

    def get(self, path: str) -> tuple[int, Any, str]:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as response:
                return response.status, response.headers, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read().decode()

    def wait_for_station(self, expected: str) -> None:
        wait_until(
            lambda: self.station() == f"200 {expected}", f"the header {expected}", DEADLINE_S
        )

    def wait_for_output(self, text: str, since: int) -> str:
        """Wait until `text` appears in the lines after number `since`; return those lines."""

        def appeared() -> str | None:
            new = "".join(self.lines[since:])
            return new if text in new else None

        return wait_until(appeared, f"{text!r} in {self.lines[since:]}", DEADLINE_S)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    enable_socket()
    folder = tmp_path_factory.mktemp("watched") / "weather-station"
    shutil.copytree(APP, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("web", "edge"):
        (folder / name).mkdir()
    (folder / "src" / "edge.py").rename(folder / EDGE)
    template = (folder / TEMPLATE).read_text()
    handler = "      Handler: edge.add_header\n"
    assert handler in template
    code = "      CodeUri: edge/\n"
    (folder / TEMPLATE).write_text(template.replace(handler, f"{handler}{code}"))
    (folder / "web" / "index.html").write_text("<h1>One</h1>")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "aws_emulator", "up", "--watch", "--pages=web=Bucket"),
            *("--port=0", "--endpoint-port=0"),
        ],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder.parent), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    app = Watched(folder, process)
    reader = threading.Thread(target=app.read)
    reader.start()
    try:
        app.url = app.found(r"CloudFront +(\S+)/\n")
        app.endpoint = Endpoint(app.found(r"AWS_ENDPOINT_URL=(\S+)"))
        app.bucket = app.found(r"output Bucket = (\S+)")
        put = app.endpoint.client("s3").put_object
        put(Bucket=app.bucket, Key="index.html", Body=b"<h1>One</h1>", ContentType="text/html")
        app.wait_for_station("north")
        yield app
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, app.output()
    finally:
        process.kill()
        process.wait()
        reader.join()
        assert process.stdout is not None
        process.stdout.close()
        print(app.output())


def test_saved_edge_function_changes_the_next_response(app: Watched) -> None:
    since = len(app.lines)
    before = app.edit(EDGE, STATION, '"value": "south"')
    app.wait_for_station("south")
    done = app.wait_for_output("✓ edge/edge.py → ", since)
    assert re.search(r"→ AddHeader \d+\.\d s\n", done)
    app.path(EDGE).write_text(before)
    app.wait_for_station("north")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("def add_header(:\n", r"edge/edge\.py:1: SyntaxError: "),
        ("import missing_module\n", r"edge/edge\.py:1: (.|\n)*ImportModuleError"),
        ("add = None\n", r"HandlerNotFound"),
    ],
)
def test_code_that_cannot_start_is_reported_and_the_previous_code_serves(
    app: Watched, broken: str, reason: str
) -> None:
    path, since = app.path(EDGE), len(app.lines)
    before = path.read_text()
    path.write_text(broken)
    message = app.wait_for_output("the previous version stays", since)
    wait_until(lambda: re.search(reason, "".join(app.lines[since:])), f"{reason} in {message}")
    assert app.station() == "200 north"
    path.write_text(before.replace(STATION, '"value": "mended"'))
    app.wait_for_station("mended")
    path.write_text(before)
    app.wait_for_station("north")


def test_new_module_may_be_saved_after_the_code_that_imports_it(app: Watched) -> None:
    before = app.edit(EDGE, STATION, '"value": names.VALUE')
    since = len(app.lines)
    app.edit(EDGE, "from typing import Any", "from typing import Any\n\nimport names")
    app.wait_for_output("No module named 'names'", since)
    assert app.station() == "200 north"
    app.path(NAMES).write_text("VALUE = 'east'\n")
    app.wait_for_station("east")
    # An editor's atomic save.
    temporary = app.path("edge/.names.py.new")
    temporary.write_text("VALUE = 'west'\n")
    temporary.rename(app.path(NAMES))
    app.wait_for_station("west")
    # A rename, saved in two steps.
    app.path(NAMES).rename(app.path("edge/words.py"))
    app.edit(EDGE, "import names", "import words as names")
    app.wait_for_station("west")
    # A deleted file that is still imported.
    since = len(app.lines)
    app.path("edge/words.py").unlink()
    app.wait_for_output("No module named 'words'", since)
    assert app.station() == "200 west"
    app.path(EDGE).write_text(before)
    app.wait_for_station("north")


def test_last_save_of_a_burst_serves(app: Watched) -> None:
    before = app.path(EDGE).read_text()
    for number in range(30):
        value = f'"value": "burst-{number}"'
        app.path(EDGE).write_text(before.replace(STATION, value))
    app.wait_for_station("burst-29")
    app.path(EDGE).write_text(before)
    app.wait_for_station("north")


def test_checkout_of_fifty_files_is_applied(app: Watched) -> None:
    folder = app.path("edge/many")
    folder.mkdir()
    before = app.path(EDGE).read_text()
    for number in range(50):
        (folder / f"part{number}.py").write_text(f"VALUE = {number}\n")
    imports = "\nfrom many import part0, part49"
    value = '"value": f"{part0.VALUE}-{part49.VALUE}"'
    text = before.replace("from typing import Any", f"from typing import Any\n{imports}")
    app.path(EDGE).write_text(text.replace(STATION, value))
    app.wait_for_station("0-49")
    for number in range(50):
        (folder / f"part{number}.py").write_text(f"VALUE = {number + 100}\n")
    app.wait_for_station("100-149")
    app.path(EDGE).write_text(before)
    app.wait_for_station("north")
    shutil.rmtree(folder)


def test_changed_page_replaces_the_cached_one(app: Watched) -> None:
    assert "One" in app.get("/index.html")[2]
    app.path("web/index.html").write_text("<h1>Two</h1>")
    wait_until(lambda: "Two" in app.get("/index.html")[2], "the second page", DEADLINE_S)
    app.path("web/new.css").write_text("h1 {}")
    wait_until(lambda: app.get("/new.css")[0] == 200, "the new page", DEADLINE_S)
    assert app.get("/new.css")[1]["Content-Type"] == "text/css; charset=utf-8"
    app.path("web/new.css").unlink()
    wait_until(lambda: app.get("/new.css")[0] >= 400, "the deletion", DEADLINE_S)
    app.path("web/index.html").write_text("<h1>One</h1>")
    wait_until(lambda: "One" in app.get("/index.html")[2], "the first page", DEADLINE_S)


def environment(app: Watched) -> dict[str, str]:
    functions = app.endpoint.client("lambda")
    (name,) = [
        it["FunctionName"]
        for it in functions.list_functions()["Functions"]
        if "StoreReadings" in it["FunctionName"]
    ]
    variables: dict[str, str] = functions.get_function_configuration(FunctionName=name)[
        "Environment"
    ]["Variables"]
    return variables


def test_template_change_keeps_changed_code_and_data(app: Watched) -> None:
    code = app.edit(EDGE, STATION, '"value": "kept"')
    app.wait_for_station("kept")
    since = len(app.lines)
    template = app.edit(
        TEMPLATE, "STATION: !Ref Station", "STATION: !Ref Station\n          NEW: x"
    )
    wait_until(lambda: environment(app).get("NEW") == "x", "the variable", DEADLINE_S)
    app.wait_for_output("✓ template.yaml → ", since)
    assert app.station() == "200 kept"
    app.path(TEMPLATE).write_text(template)
    wait_until(lambda: "NEW" not in environment(app), "the previous variables", DEADLINE_S)
    app.path(EDGE).write_text(code)
    app.wait_for_station("north")


def test_api_description_change_reaches_the_next_requests(app: Watched) -> None:
    put = {"sensor": {"S": "wall"}, "celsius": {"N": "5"}, "station": {"S": "s"}}
    resources = app.endpoint.client("cloudformation").describe_stack_resources(
        StackName="weather-station"
    )["StackResources"]
    table = next(it for it in resources if it["LogicalResourceId"] == "ReadingsTable")
    app.endpoint.client("dynamodb").put_item(TableName=table["PhysicalResourceId"], Item=put)
    wait_until(lambda: app.get("/v1/readings/wall")[0] == 200, "the API", DEADLINE_S)
    before = app.edit(TEMPLATE, '"celsius": $item', '"degrees": $item')

    def degrees() -> bool:
        status, _, body = app.get("/v1/readings/wall")
        return status == 200 and json.loads(body).get("degrees") == 5

    wait_until(degrees, "the changed description", DEADLINE_S)
    app.path(TEMPLATE).write_text(before)
    wait_until(lambda: not degrees(), "the previous description", DEADLINE_S)


def test_function_that_cannot_start_after_a_template_change_is_reported(app: Watched) -> None:
    since = len(app.lines)
    before = app.edit(TEMPLATE, "Handler: readings.store", "Handler: readings.absent")
    app.wait_for_output("can't start: Runtime.HandlerNotFound", since)
    since = len(app.lines)
    app.path(TEMPLATE).write_text(before)
    app.wait_for_output("✓ template.yaml → ", since)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("  Site:\n", "  Site: [\n", r"template\.yaml:\d+:\d+: "),
        (
            "    Type: AWS::S3::Bucket\n",
            "    Type: AWS::S3::Bucket\n    Properties: {BucketName: !Ref Nothing}\n",
            r"template\.yaml:\d+:\d+: E1020 ",
        ),
        (
            "  Site:\n",
            f"{REFUSED}  Site:\n",
            r"template\.yaml:\d+: Extra: ",
        ),
    ],
)
def test_invalid_template_is_reported_with_its_line_and_changes_nothing(
    app: Watched, old: str, new: str, reason: str
) -> None:
    since, before = len(app.lines), app.edit(TEMPLATE, old, new)
    app.wait_for_output("✗ template.yaml → ", since)
    wait_until(lambda: re.search(reason, "".join(app.lines[since:])), reason, DEADLINE_S)
    stacks = app.endpoint.client("cloudformation").describe_stacks(StackName="weather-station")
    assert stacks["Stacks"][0]["StackStatus"].endswith("_COMPLETE")
    assert app.station() == "200 north"
    # The mended template with another change is deployed.
    app.path(TEMPLATE).write_text(before.replace("Timeout: 5", "Timeout: 6"))
    app.wait_for_output("✓ template.yaml → ", since)
    since = len(app.lines)
    app.path(TEMPLATE).write_text(before)
    app.wait_for_output("✓ template.yaml → ", since)
