"""The commands run, up, dev and down."""

import json
import os
import signal
from functools import partial
from typing import Final
from uuid import uuid4

from aws_emulator import processes
from aws_emulator.deployed_functions import function_names
from aws_emulator.reload.follow import follow
from tools.demo_students import PAYING_GROUP, create_demo_operator
from tools.dev import reload, system
from tools.dev.options import Options
from tools.lake_sql.lake_copy import KEPT, copy_lake
from tools.paths import STATE
from tools.progress import step
from tools.replay import command as replay
from tools.replay.access_check import PAYING
from tools.report import command as report
from tools.stack import EDGE_REGION, client

#: The default ports of `make up`.
UP_EDGE_PORT: Final = 8080
UP_EMULATOR_PORT: Final = 4566
#: The logical ID of the function that writes events to the data lake.
EVENTS_FUNCTION: Final = "EventsFunction"


def run(options: Options) -> int:
    """Start the system, replay an access log, print the report, stop the system.

    Returns 0 only if the data lake contains each accepted event and all checks pass.

    Raises:
        CommandError: The log can't be read, the system can't be started, or events are missing.
    """
    # Before the deployment, so that an unreadable log fails within a second.
    log = replay.choose_log(options.log)
    # Without further Regions: their lakes would have a part of the events.
    with system.start(STATE / "run", options.ports(), options.regions[:1]) as running:
        print(f"  system URL: {running.url}")
        tokens = {student.paying: student.token for student in running.students}
        summary = replay.run(
            url=running.url,
            write_key=running.deployed.write_key,
            source=log,
            clients=options.clients,
            tokens={PAYING: tokens[True], "non-paying student": tokens[False]},
            directory=running.directory,
        )
        code = report.run(
            endpoint=running.target.endpoint,
            region=running.target.region,
            bucket=running.deployed.outputs["LakeBucket"],
            poller_status=running.event_sources_status,
            summary=summary,
            directory=running.directory,
            log_group=log_group(running, EVENTS_FUNCTION),
        )
        if options.keep:
            bucket = running.deployed.outputs["LakeBucket"]
            number = copy_lake(client("s3", running.target), bucket, KEPT)
            print(f"\nKept {number:,} objects of the data lake in {KEPT}. Query them: make sql")
        return code


def log_group(running: system.System, logical_id: str) -> str:
    """Return the name of a function's log group."""
    names = function_names(client("cloudformation", running.target), running.target.stack_name)
    return f"/aws/lambda/{names[logical_id]}"


def up(options: Options) -> int:
    """Start the system and serve until Ctrl-C.

    Raises:
        CommandError: The system can't be started.
    """
    ports = options.ports(UP_EDGE_PORT, UP_EMULATOR_PORT)
    with system.start(
        STATE / "up",
        ports,
        options.regions,
        domain=options.domain,
        with_catalogue=options.catalogue,
    ) as running:
        print_addresses(running)
        try:
            while True:
                signal.pause()
        except KeyboardInterrupt:
            with step("stopping"):
                running.processes.stop()
    return 0


def dev(options: Options) -> int:
    """Start the system, serve until Ctrl-C, and let it follow the files.

    Raises:
        CommandError: The system can't be started.
    """
    sources = reload.sources()
    # The content that the build uses, so that a save during the start isn't lost.
    tree = sources.tree()
    ports = options.ports(UP_EDGE_PORT, UP_EMULATOR_PORT)
    with system.start(
        STATE / "up",
        ports,
        options.regions,
        on_start_failures=_show_failures,
        domain=options.domain,
        with_catalogue=options.catalogue,
    ) as running:
        print_addresses(running)
        reloader = reload.reloader(running, partial(print, flush=True))
        print("Following src/, web/, stacks/ and template.yaml.", flush=True)
        try:
            follow(reloader, tree, reload.sources)
        except KeyboardInterrupt:
            print(f"\n{reloader.statistics()}")
            with step("stopping"):
                running.processes.stop()
    return 0


def _show_failures(failures: str) -> None:
    print(f"✗ {failures}\n  Correct the files; they are followed.", flush=True)


def print_addresses(running: system.System) -> None:
    """Create an operator, and print the addresses, the users and examples of requests.

    Raises:
        CommandError: Cognito refused the user.
    """
    url, outputs = running.url, running.deployed.outputs
    email, password = create_demo_operator(running.target, outputs)
    print(f"\nMeridian is running: stack {running.target.stack_name} on the emulator.\n")
    if running.target.region != EDGE_REGION:
        print(f"  Regions    home {running.target.region}, edge {EDGE_REGION}")
    print(f"  portal     {url}/   (sign up, sign in, book lessons, watch live events)")
    if len(running.urls) > 1:
        for region, address in running.urls.items():
            print(f"  visitor    {address}/   (of an edge location in {region})")
    if running.dns_port:
        print(f"  DNS        127.0.0.1 port {running.dns_port}   (answers for {running.domain})")
    print(f"  cockpit    {url}/app/operator.html   (what flows, lag, errors, alarms: as operator)")
    print(f"  lesson     {url}/premium/   (requires the group {PAYING_GROUP})")
    for student in running.students:
        group = "paying" if student.paying else "not paying"
        print(f"  student    {student.email}  password {student.password}  ({group})")
    print(f"  operator   {email}  password {password}")
    print("             (the emulator's sign-in page can't reset passwords: use these students)")
    if running.catalogue is not None:
        print(
            f"  catalogue  {url}/catalogue/courses?q=algebra   (PostgreSQL, cache, load balancer)"
        )
    print(f"  school API {url}/api/   (defined in src/stepfunctions/api/)")
    print(f"  emails     {running.target.endpoint}/_local/mailbox")
    print(f"  collector  {url}/v1/batch   write key {running.deployed.write_key}")
    print(f"  data lake  s3://{outputs['LakeBucket']}/events/")
    print(f"  logs       {running.directory / 'logs'}/")
    print("\nRequest an account with the API; then open the link in its email:")
    print(account_example(url, str(uuid4())))
    commands = exports(running.target.endpoint, running.target.region)
    print(f"\nUse the AWS CLI and SDKs with this system:\n{commands}")
    print("\nPress Ctrl-C to stop.", flush=True)


def exports(endpoint: str, region: str) -> str:
    """Return shell commands that point AWS tools at the emulator.

    The emulator accepts the access key "test" (account 000000000000), or a 12-digit account ID.
    """
    values = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": region,
    }
    return "\n".join(f"  export {name}={value}" for name, value in values.items())


def account_example(url: str, request_id: str) -> str:
    """Return two curl commands: request an account, and read the request's status."""
    body = {"requestId": request_id, "email": "asha@example.com", "name": "Asha Menon"}
    return (
        f"  curl -s {url}/api/accounts -H 'Content-Type: application/json' \\\n"
        f"    -d '{json.dumps(body)}'\n"
        f"  curl -s {url}/api/accounts/requests/{request_id}"
    )


def down(_options: Options) -> int:
    """Stop running commands, and processes that earlier ones left behind."""
    stopped = []
    for name in ("run", "up", "chaos"):
        owner = processes.find_owner(STATE / name)
        if owner is not None:
            os.kill(owner, signal.SIGTERM)
            processes.wait_for_exit(owner)
            stopped.append(f"make {name} (process {owner})")
        stopped += processes.stop_leftovers(STATE / name)
    print(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")
    return 0
