"""Cost and duration of an account, compared with the same workflow built from Lambda functions.

    .venv/bin/python benchmarks/school.py [--accounts 150] [--clients 8] [--roster 0]

Both run one after the other on the emulator, on the system that `make run` deploys, and both are
measured from a request to API Gateway without CloudFront. Our side is measured from the proof,
because the peer asks for none; the script prints the cost of the proof apart. Our account counts
as created when its request's item says so, and the peer's when its execution has ended, which
includes the email; the script looks at either every 10 ms. Before, it warms up each operation with
one request, then two at once and so on. The milliseconds of a laptop don't predict those of AWS;
the numbers of transitions, invocations and dollars are independent of the machine. The script
prints each figure with its requirement, and exits with 1 if a requirement is not met. It also
prints the duration of bookings and cancellations, one at a time.

`--roster 10000` imports a roster with that number of rows instead, one in twenty invalid, and then
the same content under another name.
"""

import argparse
import hashlib
import statistics
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import httpx  # noqa: E402 - the path comes first

from benchmarks import (  # noqa: E402 - the path comes first
    school_bookings,
    school_costs,
    school_naive,
    school_peer,
    school_roster,
)
from tools.dev import system  # noqa: E402 - the path comes first
from tools.stack import client  # noqa: E402 - the path comes first

#: Maxima for one account (transitions of Standard workflows, functions), for a million accounts
#: (dollars besides emails), and of the median duration compared with the peer.
REQUIREMENTS: Final = {"transitions": 0, "invocations": 3, "dollars": 25, "p50 ratio": 1.0}
#: Guarantees of our workflow that the peer lacks.
GUARANTEES: Final = """\
additional guarantees: concurrent requests for one address create one account (a transaction of five
items), no request is lost (a mark, a sweep and a Standard workflow), only created accounts get an
email (outbox, stream, event bus, queue), failures are compensated, each account has a Cognito user,
histories contain no names, and a repeated request has the same response (an Express workflow). Both
send one email."""
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


def rounds(clients: int) -> list[int]:
    """Return the numbers of requests at once of a warm-up: 1, 2, 4 and so on, then twice `clients`.

    Each round starts at most as many new processes of a function as the round before left.
    """
    sizes = [1]
    while sizes[-1] < clients:
        sizes.append(min(2 * sizes[-1], clients))
    return [*sizes, clients]


class Operation(NamedTuple):
    """An operation of a REST API. `repeated` counts the statuses after which it sent again."""

    http: httpx.Client
    path: str
    headers: dict[str, str]
    repeated: Counter[int]

    def post(self, body: dict[str, str], *, is_warm_up: bool = False) -> None:
        """Send a request, again while the workflow is busy.

        A warm-up also repeats 504, CloudFront's status if an answer needs longer than 14 seconds.

        Raises:
            httpx.HTTPStatusError: The API refused it.
        """
        statuses = {503, 504} if is_warm_up else {503}
        answer = self.http.post(self.path, json=body, headers=self.headers)
        while answer.status_code in statuses:
            self.repeated[answer.status_code] += 1
            answer = self.http.post(self.path, json=body, headers=self.headers)
        answer.raise_for_status()

    def warm_up(self, requests: list[dict[str, str]], clients: int) -> None:
        """Start every process of every function before the measurement, and print what it took."""
        began, waiting = time.time(), list(requests)
        for size in rounds(clients):
            batch, waiting = waiting[:size], waiting[size:]
            with ThreadPoolExecutor(size) as executor:
                list(executor.map(lambda body: self.post(body, is_warm_up=True), batch))
        again = ", ".join(f"{count} after {it}" for it, count in self.repeated.items()) or "none"
        seconds = time.time() - began
        print(
            f"warm-up of POST {self.path}: {len(requests)} requests, up to {clients} at once, "
            f"in {seconds:.1f} s; repeated: {again}"
        )
        self.repeated.clear()


def drive(
    requests: list[dict[str, str]],
    clients: int,
    post: Callable[[dict[str, str]], None],
    created_at: Callable[[dict[str, str], float], float],
    settle: Callable[[int], None],
) -> tuple[list[float], float]:
    """Send every request; return the latencies in seconds, and the accounts per second.

    `created_at` waits for an account, looks every so many seconds, and returns its time. `settle`
    waits for the emails of so many accounts.
    """
    # Latency: one request at a time, without queueing.
    latencies = []
    for number, request in enumerate(requests[: len(requests) // 3], 1):
        started = time.time()
        post(request)
        latencies.append(created_at(request, 0.01) - started)
        settle(number)
    # Throughput: concurrent clients without pauses.
    rest = requests[len(requests) // 3 :]
    began = time.time()
    with ThreadPoolExecutor(clients) as executor:
        list(executor.map(post, rest))
    wall = max(created_at(request, 0.2) for request in rest) - began
    return latencies, len(rest) / wall


def settling(running: system.System) -> Callable[[int], None]:
    """Return a function that waits until so many emails were sent from now on, and then rests."""
    url = f"{running.target.endpoint}/_ministack/ses/messages"

    def sent() -> int:
        return sum(map(len, httpx.get(url, timeout=60).json()["messages"].values()))

    before = sent()

    def settle(number: int) -> None:
        while sent() < before + number:
            time.sleep(0.05)
        # The notifier's queue deletes the message, and the relay's poller writes its position.
        time.sleep(0.1)

    return settle


def transitions(machines: Any, arns: list[str]) -> int:
    """Count the state transitions in the histories of executions."""
    pages = (
        page
        for arn in arns
        for page in machines.get_paginator("get_execution_history").paginate(executionArn=arn)
    )
    return sum(event["type"].endswith("StateEntered") for page in pages for event in page["events"])


def our_operation(running: system.System, http: httpx.Client) -> Operation:
    """Return the operation that takes a proof, with the key that CloudFront adds."""
    gateway = client("apigateway", running.target)
    apis = {it["name"]: it["id"] for it in gateway.get_rest_apis()["items"]}
    (key,) = gateway.get_api_keys(includeValues=True)["items"]
    headers = {"Host": host(apis["meridian-local"]), "x-api-key": key["value"]}
    return Operation(http, "/api/accounts/proofs", headers, Counter())


def host(api: str) -> str:
    """Return the name of an API's own endpoint."""
    return f"{api}.execute-api.us-east-1.amazonaws.com"


def ours(running: system.System, count: int, clients: int) -> Run:
    """Create accounts through the API, from their proofs."""
    table, machines = client("dynamodb", running.target), client("stepfunctions", running.target)
    with (
        httpx.Client(base_url=running.url, timeout=60) as portal,
        httpx.Client(base_url=running.api_url, timeout=60) as http,
    ):
        form = Operation(portal, "/api/accounts", {}, Counter())
        operation = our_operation(running, http)

        def submit(request: dict[str, str]) -> dict[str, str]:
            """Send the form; return its proof."""
            form.post(request)
            return proof_of(request)

        def proof_of(request: dict[str, str]) -> dict[str, str]:
            """Return the proof that the email of a form contains."""
            digest = hashlib.sha256(f"account/{request['requestId']}".encode()).hexdigest()
            key = {"pk": {"S": f"ACCOUNT#{digest[:32]}"}, "sk": {"S": "OUTBOX#ProofRequested"}}
            item = table.get_item(TableName="meridian-local-accounts", Key=key)["Item"]
            request_id, token = item["proof"]["S"].split(".")
            return {"requestId": request_id, "token": token}

        def status(request: dict[str, str]) -> str:
            key = {"pk": {"S": f"REQUEST#{request['requestId']}"}, "sk": {"S": "REQUEST"}}
            item = table.get_item(TableName="meridian-local-accounts", Key=key)["Item"]
            return str(item["status"]["S"])

        def created_at(request: dict[str, str], look_s: float) -> float:
            while status(request) == "pending":
                time.sleep(look_s)
            return time.time()

        first = people(sum(rounds(clients)), f"warm{uuid.uuid4().hex[:6]}")
        form.warm_up(first, clients)
        operation.warm_up([proof_of(it) for it in first], clients)
        with ThreadPoolExecutor(clients) as executor:
            proofs = list(executor.map(submit, people(count, f"ours{uuid.uuid4().hex[:6]}")))
        # The emails of the forms must not run beside the measurement.
        time.sleep(5)
        latencies, rate = drive(proofs, clients, operation.post, created_at, settling(running))
        outcomes = Counter(map(status, proofs))
        print_repeated(form, operation)
    # Executions of the account workflow, which takes over what the Express workflow can't create.
    pages = machines.get_paginator("list_executions").paginate(
        stateMachineArn=f"{MACHINES}:meridian-local-account"
    )
    names = {it["requestId"] for it in proofs}
    arns = [
        it["executionArn"] for page in pages for it in page["executions"] if it["name"] in names
    ]
    return Run(latencies, rate, transitions(machines, arns) / count, outcomes)


def peer(running: system.System, count: int, clients: int) -> Run:
    """Create accounts with a first function and one function per step."""
    machines = client("stepfunctions", running.target)
    api = school_peer.deploy(running, client("lambda", running.target))

    def created_at(request: dict[str, str], look_s: float) -> float:
        arn = f"{EXECUTIONS}:naive:{request['requestId']}"
        while machines.describe_execution(executionArn=arn)["status"] == "RUNNING":
            time.sleep(look_s)
        return time.time()

    with httpx.Client(base_url=running.api_url, timeout=60) as http:
        operation = Operation(http, "/peer/accounts", {"Host": host(api)}, Counter())
        first = people(sum(rounds(clients)), f"warm{uuid.uuid4().hex[:6]}")
        operation.warm_up(first, clients)
        time.sleep(3)
        requests = people(count, f"peer{uuid.uuid4().hex[:6]}")
        latencies, rate = drive(requests, clients, operation.post, created_at, settling(running))
        print_repeated(operation)
    arns = [f"{EXECUTIONS}:naive:{it['requestId']}" for it in requests]
    outcomes = Counter(machines.describe_execution(executionArn=it)["status"] for it in arns)
    return Run(latencies, rate, transitions(machines, arns) / count, outcomes)


def print_repeated(*operations: Operation) -> None:
    """Print the requests of the measurement that were sent again: their durations include it."""
    for operation in operations:
        if operation.repeated:
            print(f"POST {operation.path}: {operation.repeated.total()} repeated after 503")


def report(name: str, run: Run, invocations: int, calls: Mapping[str, float]) -> float:
    """Print one side's figures; return its dollars per million accounts."""
    cost = school_costs.dollars(calls, run.transitions, invocations)
    p50, p99 = (statistics.quantiles(run.latencies, n=100)[it] * 1000 for it in (49, 98))
    print(f"{name:<34}{run.rate:>8.1f}{p50:>9.0f}{p99:>9.0f}", end="")
    print(f"{run.transitions:>13.1f}{invocations:>13}{cost:>12.0f}   {dict(run.outcomes)}")
    return cost


def print_requirement(name: str, value: float) -> bool:
    """Print a figure with its maximum; return whether it is met."""
    maximum = REQUIREMENTS[name]
    met = value <= maximum
    print(f"{name}: {value:.2f}, at most {maximum}: {'met' if met else 'NOT MET'}")
    return met


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
    users = school_costs.MILLION * school_costs.MONTHLY_USER
    print(f"of it, emails: {emails:.0f} $/million")
    print(f"apart, Cognito for a million users who sign in within a month: {users:.0f} $")
    school_bookings.run(running, count)
    print("\nrequirements")
    figures = {
        "transitions": mine.transitions,
        "invocations": len(school_costs.OUR_FUNCTIONS),
        "dollars": cost - emails,
        "p50 ratio": statistics.median(mine.latencies) / statistics.median(theirs.latencies),
    }
    met = [print_requirement(name, value) for name, value in figures.items()]
    met.pop()  # a goal: the emulator's milliseconds don't decide
    met += [cost <= other, mine.outcomes == {"created": count}]
    print(
        f"at most the peer's cost, every account created: {'met' if all(met[-2:]) else 'NOT MET'}"
    )
    return all(met)


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
