"""What an account costs and how long it takes, beside the same flow with Lambdas between.

    .venv/bin/python benchmarks/school.py [--accounts 150] [--clients 8] [--roster 0]

Both run on the emulator, one after the other, on the system that `make run` deploys; our requests
go through the one address (the edge, the API's own integration, an Express machine), the peer's
straight to its function in front, which is kinder to the peer. "Created" is when the execution
ended, by its own word; for the peer that includes its letter, for us it does not. A laptop's
milliseconds say nothing of AWS's; the number of transitions, invocations and dollars does not
depend on the machine. Prints each figure with its demand, and exits 1 where one is not met.

`--roster 10000` imports a roster of that many rows in place of that, one in twenty bad, and then
the same file again under another name.
"""

import argparse
import io
import json
import statistics
import sys
import tempfile
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import httpx  # noqa: E402 - the path comes first

from aws_emulator.errors import CommandError  # noqa: E402 - the path comes first
from benchmarks import school_costs, school_naive, school_roster  # noqa: E402 - the path comes first
from tools.dev import system  # noqa: E402 - the path comes first
from tools.stack import client  # noqa: E402 - the path comes first

#: Transitions of one account, and the functions that run for it: no more than these.
DEMANDS = {"transitions": 5, "invocations": 4}
#: What our dollars buy that the peer's do not.
MORE = """\
for that, and not by the peer: two requests for one address at once make one account (a transaction
of four rows), whoever is told has an account (an outbox, a stream, a bus, a queue), what fails is
undone, there is a user to sign in with, no history holds a name, and the same request again is the
same answer (an Express machine in front). A letter is a letter to both."""
MACHINES = "arn:aws:states:us-east-1:000000000000:stateMachine"
EXECUTIONS = "arn:aws:states:us-east-1:000000000000:execution"


class Run(NamedTuple):
    """What one side did: seconds from POST to created one by one, accounts per second together,
    states entered per account, and how the executions ended."""

    latencies: list[float]
    rate: float
    transitions: float
    outcomes: Counter[str]


def people(count: int, tag: str) -> list[dict[str, str]]:
    """Return `count` requests for accounts."""
    return [
        {
            "requestId": str(uuid.uuid4()),
            "email": f"{tag}.{it}@example.com",
            "name": f"Student {it}",
        }
        for it in range(count)
    ]


def warm(post: Callable[[dict[str, str]], None], clients: int) -> None:
    """Have every process started that will be: a cold start takes seconds on a busy laptop."""
    with ThreadPoolExecutor(clients) as hands:
        list(hands.map(post, people(3 * clients, f"warm{uuid.uuid4().hex[:6]}")))
    time.sleep(3)


def drive(
    running: system.System,
    requests: list[dict[str, str]],
    clients: int,
    post: Callable[[dict[str, str]], None],
    machine: str,
) -> Run:
    """Post every request, wait for every execution, and read what they did from their history."""
    machines = client("stepfunctions", running.target)

    def ended(request: dict[str, str], look_s: float) -> dict[str, Any]:
        arn = f"{EXECUTIONS}:{machine}:{request['requestId']}"
        described = machines.describe_execution(executionArn=arn)
        while described["status"] == "RUNNING":
            time.sleep(look_s)
            described = machines.describe_execution(executionArn=arn)
        return dict(described)

    # How long: one after the other, so that nothing waits for anything else.
    latencies = []
    for request in requests[: len(requests) // 3]:
        started = time.time()
        post(request)
        latencies.append(ended(request, 0.05)["stopDate"].timestamp() - started)
    # How many: as fast as they are taken.
    rest = requests[len(requests) // 3 :]
    began = time.time()
    with ThreadPoolExecutor(clients) as hands:
        list(hands.map(post, rest))
    wall = max(ended(request, 0.2)["stopDate"].timestamp() for request in rest) - began
    outcomes = Counter(str(ended(request, 0)["status"]) for request in requests)
    transitions = 0
    for request in requests:
        arn = f"{EXECUTIONS}:{machine}:{request['requestId']}"
        events = machines.get_execution_history(executionArn=arn, maxResults=1000)["events"]
        transitions += sum(event["type"].endswith("StateEntered") for event in events)
    return Run(latencies, len(rest) / wall, transitions / len(requests), outcomes)


def ours(running: system.System, count: int, clients: int) -> Run:
    """Accounts through the one address."""
    with httpx.Client(base_url=running.url, timeout=60) as http:

        def post(request: dict[str, str]) -> None:
            answer = http.post("/api/accounts", json=request)
            while answer.status_code == 503:
                answer = http.post("/api/accounts", json=request)
            answer.raise_for_status()

        warm(post, clients)
        requests = people(count, f"ours{uuid.uuid4().hex[:6]}")
        return drive(running, requests, clients, post, "meridian-local-account")


def peer(running: system.System, count: int, clients: int) -> Run:
    """The same accounts through a function in front and a function for each step."""
    functions = client("lambda", running.target)
    _deploy_peer(running, functions)

    def post(request: dict[str, str]) -> None:
        answer = functions.invoke(FunctionName="naive-front", Payload=json.dumps(request))
        if "FunctionError" in answer:
            raise CommandError("The peer's function in front failed.")

    warm(post, clients)
    requests = people(count, f"peer{uuid.uuid4().hex[:6]}")
    return drive(running, requests, clients, post, "naive")


def _deploy_peer(running: system.System, functions: Any) -> None:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("school_naive.py", Path(school_naive.__file__).read_text())
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    identities = client("iam", running.target)
    role = identities.create_role(RoleName="naive", AssumeRolePolicyDocument=json.dumps(trust))[
        "Role"
    ]["Arn"]
    identities.put_role_policy(
        RoleName="naive",
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    client("dynamodb", running.target).create_table(
        TableName=school_naive.TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "email", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "email", "KeyType": "HASH"}],
    )
    arns = {}
    for part in ("front", *school_naive.STEPS):
        arns[part] = functions.create_function(
            FunctionName=f"naive-{part}",
            Runtime="python3.13",
            Handler=f"school_naive.{part}",
            Role=role,
            MemorySize=512,
            Timeout=20,
            Code={"ZipFile": package.getvalue()},
            Environment={"Variables": {"MACHINE": f"{MACHINES}:naive"}},
        )["FunctionArn"]
    text = json.dumps(school_naive.DEFINITION)
    for part, arn in arns.items():
        text = text.replace(f"{{{part}}}", arn)
    client("stepfunctions", running.target).create_state_machine(
        name="naive", definition=text, roleArn=role
    )


def report(name: str, run: Run, invocations: int, calls: Mapping[str, float]) -> float:
    """Print one side; return its dollars."""
    cost = school_costs.dollars(calls, run.transitions, invocations)
    p50, p99 = (statistics.quantiles(run.latencies, n=100)[it] * 1000 for it in (49, 98))
    print(f"{name:<34}{run.rate:>8.1f}{p50:>9.0f}{p99:>9.0f}", end="")
    print(f"{run.transitions:>13.1f}{invocations:>13}{cost:>12.0f}   {dict(run.outcomes)}")
    return cost


def compare(running: system.System, count: int, clients: int) -> bool:
    """Run both sides and print them; tell whether our demands are met."""
    mine = ours(running, count, clients)
    theirs = peer(running, count, clients)
    print(f"\n{count} accounts by {clients} clients on the emulator")
    columns = ("per s", "p50 ms", "p99 ms", "transitions", "functions", "$/million")
    widths = (8, 9, 9, 13, 13, 12)
    heads = (f"{it:>{width}}" for it, width in zip(columns, widths, strict=True))
    print(f"{'':<34}{''.join(heads)}")
    cost = report(
        "direct integrations", mine, len(school_costs.OUR_FUNCTIONS), school_costs.OUR_CALLS
    )
    other = report(
        "Lambdas in front and between", theirs, 1 + len(school_naive.STEPS), school_costs.PEER_CALLS
    )
    print(f"ours beside the peer: {cost / other:.2f} of its dollars; {MORE}")
    met = (
        mine.transitions <= DEMANDS["transitions"]
        and len(school_costs.OUR_FUNCTIONS) <= DEMANDS["invocations"]
        and cost <= other
        and mine.outcomes == {"SUCCEEDED": count}
    )
    most = f"{DEMANDS['transitions']} transitions and {DEMANDS['invocations']} functions"
    print(f"demand: at most {most} an account, and no more dollars than the peer,")
    print(f"every account created: {'met' if met else 'NOT MET'}")
    return met


def main() -> int:
    """Run both sides, or a roster; return 0, or 1 where a demand is not met."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--accounts", type=int, default=150)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--roster", type=int, default=0)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        system.start(Path(folder), system.Ports()) as running,
    ):
        met = (
            school_roster.run(running, given.roster)
            if given.roster
            else compare(running, given.accounts, given.clients)
        )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
