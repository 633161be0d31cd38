"""`python -m aws_emulator up`: build, deploy and serve any SAM project on the loopback address.

The command starts MiniStack, runs `sam build` and `sam deploy` of the project, and starts a server
for each kind of deployed resource that MiniStack does not serve itself: event source mappings, REST
APIs, CloudFront distributions. It serves until Ctrl-C. README.md explains the options.
"""

import argparse
import contextlib
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from aws_emulator.launcher import (
    CLOUDFRONT,
    DEFAULT_REGION,
    EVENT_SOURCES,
    REST_API,
    Emulator,
    Interpreters,
    Server,
    start,
)
from aws_emulator.processes import require_free_port
from aws_emulator.sam_cli import SamProject

#: Seconds between two checks for resources that need another server, after a later deployment.
DISCOVERY_INTERVAL_S: Final = 2.0
STATE_FOLDER: Final = ".aws-emulator"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 after Ctrl-C, 1 after an error."""
    options = _parser().parse_args(arguments)
    # A shell without job control starts background commands with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _up(options)
    except CommandError as error:
        print(f"aws_emulator: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\naws_emulator: stopped before the project was served", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m aws_emulator", description="Run SAM projects without an AWS account."
    )
    commands = parser.add_subparsers(required=True)
    up = commands.add_parser(
        "up",
        help="build, deploy and serve a SAM project until Ctrl-C",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    option = up.add_argument
    option("--template-dir", type=Path, default=Path(), help="folder with the SAM template")
    option("--stack-name", type=_stack_name, help="stack name; by default the folder's name")
    option(
        "--parameter",
        type=_parameter,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="value of a template parameter; repeatable",
    )
    option("--config-env", help="use this samconfig.toml environment; by default none is read")
    option("--no-deploy", action="store_true", help="deploy nothing; serve later deployments")
    option("--port", type=_port, default=8080, help="port of CloudFront; 0 is a free one")
    option("--rest-api-port", type=_port, default=0, help="port of REST APIs; 0 is a free one")
    option("--endpoint-port", type=_port, default=4566, help="MiniStack's port; 0 is a free one")
    option(
        "--regions",
        type=_regions,
        default=DEFAULT_REGION,
        help="Regions with event source mappings, separated by commas; the stack goes to the first",
    )
    option("--state", type=Path, help=f"folder for logs and state; default {STATE_FOLDER}")
    defaults = Interpreters()
    option("--ministack-python", type=Path, default=defaults.ministack, help="has MiniStack")
    option("--lambda-python", type=Path, default=defaults.functions, help="has awslambdaric")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a TCP port (0 to 65535)")
    return int(text)


def _parameter(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.isalnum():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form KEY=VALUE")
    return name, value


def _stack_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,127}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid stack name")
    return text


def _regions(text: str) -> tuple[str, ...]:
    regions = tuple(region.strip() for region in text.split(",") if region.strip())
    if not regions:
        raise argparse.ArgumentTypeError("name at least one Region")
    return regions


def stack_name_of(folder: Path) -> str:
    """Return a valid stack name made of a folder's name."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", folder.resolve().name).strip("-")
    return (name if name[:1].isalpha() else f"app-{name}".rstrip("-"))[:128]


def _up(options: argparse.Namespace) -> int:
    folder: Path = options.template_dir
    if not options.no_deploy and not _has_template(folder):
        raise CommandError(f"{folder} contains no template.yaml. Name its folder: --template-dir.")
    for port, server, option in (
        (options.endpoint_port, "MiniStack", "--endpoint-port PORT"),
        (options.port, "CloudFront", "--port PORT"),
        (options.rest_api_port, "REST APIs", "--rest-api-port PORT"),
    ):
        if port:
            require_free_port(port, server, option)
    state: Path = options.state or folder / STATE_FOLDER
    interpreters = Interpreters(options.ministack_python, options.lambda_python)
    with start(state.absolute(), options.endpoint_port, options.regions, interpreters) as emulator:
        print(f"MiniStack: {emulator.endpoint}", flush=True)
        if not options.no_deploy:
            _deploy(emulator, options)
        servers = emulator.serve_deployed(options.port, options.rest_api_port)
        _print_addresses(emulator, servers)
        with contextlib.suppress(KeyboardInterrupt):
            _serve(emulator, options)
        print("\nStopping ...", flush=True)
    print("Stopped.", flush=True)
    return 0


def _has_template(folder: Path) -> bool:
    return any((folder / f"template.{kind}").is_file() for kind in ("yaml", "yml", "json"))


def _deploy(emulator: Emulator, options: argparse.Namespace) -> None:
    name = options.stack_name or stack_name_of(options.template_dir)
    project = SamProject(options.template_dir, options.config_env, emulator.directory / "sam-build")
    with _timed("sam build"):
        emulator.build(project)
    with _timed(f"sam deploy of {name} to {emulator.regions[0]}"):
        outputs = emulator.deploy(project, name, dict(options.parameter))
    for resource, gap in sorted(emulator.accepted_resources().items()):
        print(f"  accepted but not emulated: {resource} ({gap})")
    for key, value in sorted(outputs.items()):
        print(f"  output {key} = {value}")


@contextlib.contextmanager
def _timed(title: str) -> Iterator[None]:
    started = time.monotonic()
    print(f"{title} ...", flush=True)
    yield
    print(f"{title}: {time.monotonic() - started:.1f} s", flush=True)


def _serve(emulator: Emulator, options: argparse.Namespace) -> None:
    """Start servers for resources of later deployments, until KeyboardInterrupt."""
    while True:
        time.sleep(DISCOVERY_INTERVAL_S)
        # If MiniStack is busy, try again. If it has stopped, its supervisor ends the run.
        with contextlib.suppress(ClientError, BotoCoreError):
            for server in emulator.serve_deployed(options.port, options.rest_api_port):
                _print_server(emulator, server)


def _print_addresses(emulator: Emulator, servers: Sequence[Server]) -> None:
    print("\nServing. Ctrl-C stops everything.\n")
    for server in servers:
        _print_server(emulator, server)
    print(f"  AWS endpoint   AWS_ENDPOINT_URL={emulator.endpoint}  (any credentials)")
    print(f"  logs           {emulator.directory / 'logs'}/", flush=True)


def _print_server(emulator: Emulator, server: Server) -> None:
    if server.kind == CLOUDFRONT:
        print(f"  CloudFront     {server.url}/")
        for notice in emulator.cloudfront_notices():
            print(f"                 {notice}")
    elif server.kind == REST_API:
        print(f"  REST APIs      {server.url}/<stage>/")
    elif server.kind == EVENT_SOURCES:
        print(f"  event sources  polled in {', '.join(emulator.regions)}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
