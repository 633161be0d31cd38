"""`python -m aws_emulator up`: build, deploy and serve any SAM project on the loopback address.

The command starts MiniStack, runs `sam build` and `sam deploy` of the project, and starts a server
for each kind of deployed resource that MiniStack does not serve itself: event source mappings, REST
APIs, CloudFront distributions. It serves until Ctrl-C. README.md explains the options.
"""

import argparse
import contextlib
import functools
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
from aws_emulator.reload.code_update import Deployed
from aws_emulator.reload.file_tree import FileTree
from aws_emulator.reload.follow import Sources, follow
from aws_emulator.reload.pages import PagesFolder
from aws_emulator.reload.reloader import Project, Reloader
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
    option("--watch", action="store_true", help="follow the files: reload code and templates")
    option(
        "--pages",
        type=_pages,
        action="append",
        default=[],
        metavar="FOLDER=BUCKET",
        help="with --watch: upload changed files of a folder; BUCKET may be a stack output",
    )
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


def _pages(text: str) -> tuple[Path, str]:
    folder, separator, bucket = text.partition("=")
    if not separator or not bucket or not Path(folder).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form FOLDER=BUCKET")
    return Path(folder).resolve(), bucket


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
    if not options.no_deploy and _template_in(folder) is None:
        raise CommandError(f"{folder} contains no template.yaml. Name its folder: --template-dir.")
    if options.no_deploy and options.watch:
        raise CommandError("--watch follows a deployed project, so --no-deploy excludes it.")
    for port, server, option in (
        (options.endpoint_port, "MiniStack", "--endpoint-port PORT"),
        (options.port, "CloudFront", "--port PORT"),
        (options.rest_api_port, "REST APIs", "--rest-api-port PORT"),
    ):
        if port:
            require_free_port(port, server, option)
    state: Path = options.state or folder / STATE_FOLDER
    interpreters = Interpreters(options.ministack_python, options.lambda_python)
    # The content that the build uses, so that a save during the start isn't lost.
    followed = _followed(options)
    with start(state.absolute(), options.endpoint_port, options.regions, interpreters) as emulator:
        print(f"MiniStack: {emulator.endpoint}", flush=True)
        if not options.no_deploy:
            _deploy(emulator, options)
        servers = emulator.serve_deployed(options.port, options.rest_api_port)
        _print_addresses(emulator, servers)
        with contextlib.suppress(KeyboardInterrupt):
            if followed is None:
                _serve(emulator, options)
            else:
                _follow(emulator, options, followed, servers)
        print("\nStopping ...", flush=True)
    print("Stopped.", flush=True)
    return 0


def _followed(options: argparse.Namespace) -> tuple[Sources, FileTree] | None:
    """Return the sources with their current content for --watch, else None."""
    template = _template_in(options.template_dir)
    if not options.watch or template is None:
        return None
    sources = Sources.of(template, [folder for folder, _ in options.pages])
    return sources, sources.tree()


def _follow(
    emulator: Emulator,
    options: argparse.Namespace,
    followed: tuple[Sources, FileTree],
    servers: Sequence[Server],
) -> None:
    """Reload changed files and serve new resources, until KeyboardInterrupt."""
    template = _template_in(options.template_dir)
    assert template is not None
    name = _stack_name_of(options)
    outputs = emulator.outputs(name)
    distributions = [it.url for it in servers if it.kind == CLOUDFRONT]
    project = Project(
        root=template.parent,
        template=template,
        build=emulator.directory / "sam-build" / "template.yaml",
        deployed=[Deployed(emulator.in_region(), name)],
        rebuild=lambda: _deploy(emulator, options),
        distributions=distributions,
        pages=[
            PagesFolder(folder, outputs.get(bucket, bucket), lambda: emulator.client("s3"))
            for folder, bucket in options.pages
        ],
    )

    def serve_new() -> None:
        added = _serve_new(emulator, options)
        distributions.extend(it.url for it in added if it.kind == CLOUDFRONT)

    follow(
        Reloader(project, functools.partial(print, flush=True)),
        followed[1],
        lambda: Sources.of(template, [folder for folder, _ in options.pages]),
        serve_new,
        DISCOVERY_INTERVAL_S,
    )


def _template_in(folder: Path) -> Path | None:
    """Return the template of a project, or None if the folder has none."""
    names = (f"template.{kind}" for kind in ("yaml", "yml", "json"))
    candidates = (Path(folder, name).resolve() for name in names)
    return next((it for it in candidates if it.is_file()), None)


def _stack_name_of(options: argparse.Namespace) -> str:
    return str(options.stack_name or stack_name_of(options.template_dir))


def _deploy(emulator: Emulator, options: argparse.Namespace) -> None:
    name = _stack_name_of(options)
    project = SamProject(options.template_dir, options.config_env, emulator.directory / "sam-build")
    with _timed("sam build"):
        emulator.build(project)
    with _timed(f"sam deploy of {name} to {emulator.regions[0]}"):
        outputs = emulator.deploy(project, name, dict(options.parameter))
    for failure in emulator.start_functions(name):
        print(f"✗ {failure.text()}")
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
        _serve_new(emulator, options)


def _serve_new(emulator: Emulator, options: argparse.Namespace) -> Sequence[Server]:
    """Start servers for new resources, print their addresses, and return them."""
    # If MiniStack is busy, try again. If it has stopped, its supervisor ends the run.
    with contextlib.suppress(ClientError, BotoCoreError):
        servers = emulator.serve_deployed(options.port, options.rest_api_port)
        for server in servers:
            _print_server(emulator, server)
        return servers
    return []


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
