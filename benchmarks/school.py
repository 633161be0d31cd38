"""Cost and duration of an account, compared with the same workflow built from Lambda functions.

    .venv/bin/python benchmarks/school.py [--accounts 150] [--clients 8] [--roster 0]

Both run one after the other on the emulator, on the system that `make run` deploys. Our side is
measured from the proof, because the peer asks for none; the script prints the cost of the proof
apart. Our requests pass through CloudFront, the API integration and an Express workflow; the peer's
go straight to its first function, which favours the peer. An account counts as created when its
execution ends; the peer's execution includes the email, ours does not. The milliseconds of a laptop
don't predict those of AWS; the numbers of transitions, invocations and dollars are independent of
the machine. The script prints each figure with its requirement, and exits with 1 if a requirement
is not met. It also prints the duration of bookings and cancellations, one at a time.

`--roster 10000` imports a roster with that number of rows instead, one in twenty invalid, and then
the same content under another name.
"""

import argparse
import hashlib
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
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import httpx  # noqa: E402 - the path comes first

from aws_emulator.errors import CommandError  # noqa: E402 - the path comes first
from benchmarks import (  # noqa: E402 - the path comes first
    school_bookings,
    school_costs,
    school_naive,
    school_roster,
)
from tools.dev import system  # noqa: E402 - the path comes first
from tools.stack import client  # noqa: E402 - the path comes first

#: Maximum state transitions and Lambda invocations for one account.
REQUIREMENTS: Final = {"transitions": 5, "invocations": 4}
#: Figures that a happy path without a Standard workflow would have.
GOALS: Final = {"dollars besides emails": 25, "p50 ratio": 1}
#: Guarantees of our workflow that the peer lacks.
GUARANTEES: Final = """\
additional guarantees: concurrent requests for one address create one account (a transaction of four
items), only created accounts get an email (outbox, stream, event bus, queue), failures are
compensated, each account has a Cognito user, histories contain no names, and a repeated request has
the same response (an Express workflow). Both send one email."""
MACHINES: Final = "arn:aws:states:us-east-1:000000000000:stateMachine"
EXECUTIONS: Final = "arn:aws:states:us-east-1:000000000000:execution"


class Run(NamedTuple):
    """Measurements of one side.

    `latencies`: seconds from POST to created, one request at a time. `rate`: accounts per second
    with concurrent clients. `transitions`: state transitions per account. `outcomes`: execution
    status → count.
    """

    latencies: list[float]
    rate: float
    transitions: float
    outcomes: Counter[str]


def people(count: int, tag: str) -> list[dict[str, str]]:
    """Return `count` account requests."""
    return [
        {
            "requestId": str(uuid.uuid4()),
            "email": f"{tag}.{it}@example.com",
            "name": f"Student {it}",
        }
        for it in range(count)
    ]


def warm(
    post: Callable[[dict[str, str]], None], requests: list[dict[str, str]], clients: int
) -> None:
    """Start every function process before the measurement, because a cold start takes seconds."""
    with ThreadPoolExecutor(clients) as executor:
        list(executor.map(post, requests))
    time.sleep(3)


def drive(
    running: system.System,
    requests: list[dict[str, str]],
    clients: int,
    post: Callable[[dict[str, str]], None],
    machine: str,
) -> Run:
    """Send every request, wait for the executions, and count transitions in their histories."""
    machines = client("stepfunctions", running.target)

    def ended(request: dict[str, str], look_s: float) -> dict[str, Any]:
        arn = f"{EXECUTIONS}:{machine}:{request['requestId']}"
        described = machines.describe_execution(executionArn=arn)
        while described["status"] == "RUNNING":
            time.sleep(look_s)
            described = machines.describe_execution(executionArn=arn)
        return dict(described)

    # Latency: one request at a time, without queueing.
    latencies = []
    for request in requests[: len(requests) // 3]:
        started = time.time()
        post(request)
        latencies.append(ended(request, 0.05)["stopDate"].timestamp() - started)
    # Throughput: concurrent clients without pauses.
    rest = requests[len(requests) // 3 :]
    began = time.time()
    with ThreadPoolExecutor(clients) as executor:
        list(executor.map(post, rest))
    wall = max(ended(request, 0.2)["stopDate"].timestamp() for request in rest) - began
    outcomes = Counter(str(ended(request, 0)["status"]) for request in requests)
    transitions = 0
    for request in requests:
        arn = f"{EXECUTIONS}:{machine}:{request['requestId']}"
        events = machines.get_execution_history(executionArn=arn, maxResults=1000)["events"]
        transitions += sum(event["type"].endswith("StateEntered") for event in events)
    return Run(latencies, len(rest) / wall, transitions / len(requests), outcomes)


def ours(running: system.System, count: int, clients: int) -> Run:
    """Create accounts through CloudFront and the API, from their proofs."""
    table = client("dynamodb", running.target)
    with httpx.Client(base_url=running.url, timeout=60) as http:

        def send(path: str, body: dict[str, str]) -> None:
            answer = http.post(path, json=body)
            while answer.status_code == 503:
                answer = http.post(path, json=body)
            answer.raise_for_status()

        def submit(request: dict[str, str]) -> dict[str, str]:
            """Send the form; return the proof that its email contains."""
            send("/api/accounts", request)
            digest = hashlib.sha256(f"account/{request['requestId']}".encode()).hexdigest()
            key = {"pk": {"S": f"ACCOUNT#{digest[:32]}"}, "sk": {"S": "OUTBOX#ProofRequested"}}
            item = table.get_item(TableName="meridian-local-accounts", Key=key)["Item"]
            request_id, token = item["proof"]["S"].split(".")
            return {"requestId": request_id, "token": token}

        def post(proof: dict[str, str]) -> None:
            send("/api/accounts/proofs", proof)

        def submitted(number: int, tag: str) -> list[dict[str, str]]:
            with ThreadPoolExecutor(clients) as executor:
                return list(executor.map(submit, people(number, f"{tag}{uuid.uuid4().hex[:6]}")))

        warm(post, submitted(3 * clients, "warm"), clients)
        # The emails of the forms must not run beside the measurement.
        proofs = submitted(count, "ours")
        time.sleep(5)
        return drive(running, proofs, clients, post, "meridian-local-account")


def peer(running: system.System, count: int, clients: int) -> Run:
    """Create accounts with a first function and one function per step."""
    functions = client("lambda", running.target)
    _deploy_peer(running, functions)

    def post(request: dict[str, str]) -> None:
        answer = functions.invoke(FunctionName="naive-front", Payload=json.dumps(request))
        if "FunctionError" in answer:
            raise CommandError("The peer's first function failed. See its log group.")

    warm(post, people(3 * clients, f"warm{uuid.uuid4().hex[:6]}"), clients)
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
    """Print one side's figures; return its dollars per million accounts."""
    cost = school_costs.dollars(calls, run.transitions, invocations)
    p50, p99 = (statistics.quantiles(run.latencies, n=100)[it] * 1000 for it in (49, 98))
    print(f"{name:<34}{run.rate:>8.1f}{p50:>9.0f}{p99:>9.0f}", end="")
    print(f"{run.transitions:>13.1f}{invocations:>13}{cost:>12.0f}   {dict(run.outcomes)}")
    return cost


def print_goals(besides_emails: float, mine: Run, theirs: Run) -> None:
    """Print the figures that have a goal, which isn't a requirement yet."""
    goal = GOALS["dollars besides emails"]
    print(f"besides emails {besides_emails:.0f} $/million; goal at most {goal}: ", end="")
    print("met" if besides_emails <= goal else "NOT MET")
    ratio = statistics.median(mine.latencies) / statistics.median(theirs.latencies)
    print(f"p50 compared with the peer: {ratio:.1f}; goal at most {GOALS['p50 ratio']}: ", end="")
    print("met" if ratio <= GOALS["p50 ratio"] else "NOT MET")
    users = school_costs.MILLION * school_costs.MONTHLY_USER
    print(f"Cognito, for a million users who sign in within a month: {users:.0f} $")


def compare(running: system.System, count: int, clients: int) -> bool:
    """Run and print both sides; return whether our requirements are met."""
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
        "a Lambda function per step", theirs, 1 + len(school_naive.STEPS), school_costs.PEER_CALLS
    )
    proof = school_costs.dollars(school_costs.PROOF_CALLS, 0, len(school_costs.PROOF_FUNCTIONS))
    print(f"the proof of the address, which the peer lacks: {proof:.0f} $/million, with its email")
    print(f"cost compared with the peer: {cost / other:.2f}; {GUARANTEES}")
    emails = school_costs.MILLION * school_costs.PRICES["email"]
    waits = school_costs.MILLION * mine.transitions * school_costs.PRICES["transition"]
    print(
        f"of it, emails {emails:.0f}, transitions {waits:.0f}, others {cost - emails - waits:.0f}"
    )
    print_goals(cost - emails, mine, theirs)
    school_bookings.run(running, count)
    met = (
        mine.transitions <= REQUIREMENTS["transitions"]
        and len(school_costs.OUR_FUNCTIONS) <= REQUIREMENTS["invocations"]
        and cost <= other
        and mine.outcomes == {"SUCCEEDED": count}
    )
    limits = (
        f"{REQUIREMENTS['transitions']} transitions and {REQUIREMENTS['invocations']} functions"
    )
    print(f"requirement: at most {limits} per account, at most the peer's cost,")
    print(f"every account created: {'met' if met else 'NOT MET'}")
    return met


def main() -> int:
    """Run both sides or a roster import; return 1 if a requirement is not met, otherwise 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--accounts", type=int, default=150)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--roster", type=int, default=0)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        system.start(Path(folder), system.Ports()) as running,
    ):
        met = (
            school_roster.run(running, options.roster)
            if options.roster
            else compare(running, options.accounts, options.clients)
        )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
