"""The running school, as a test sees it: requests, rows, users and letters."""

import json
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import boto3
import psutil
from botocore.config import Config

from tests.support.waiting import wait_until
from tools.dev.system import System
from tools.stack import client

ACCOUNT = "000000000000"
MACHINES = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:meridian-local"
EXECUTIONS = f"arn:aws:states:us-east-1:{ACCOUNT}:execution:meridian-local"
TABLE = "meridian-local-accounts"
SENT = "meridian-local-sent"
ROSTERS = f"meridian-local-rosters-{ACCOUNT}"
#: Seconds within which what goes on in the background must have happened.
PATIENCE_S = 60


class World:
    """One running system and its clients."""

    def __init__(self, running: System) -> None:
        self.running = running
        self.tables = client("dynamodb", running.target)
        self.queues = client("sqs", running.target)
        self.users = client("cognito-idp", running.target)
        self.storage = client("s3", running.target)
        self.logs = client("logs", running.target)
        self.bus = client("events", running.target)
        self.pool = running.deployed.outputs["UserPoolId"]
        self.machines = boto3.client(
            "stepfunctions",
            region_name="us-east-1",
            endpoint_url=running.target.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            # StartSyncExecution and TestState would go to sync-127.0.0.1.
            config=Config(inject_host_prefix=False, max_pool_connections=50, read_timeout=90),
        )

    # --- asking ---------------------------------------------------------------------------------

    def admit(self, body: Mapping[str, Any]) -> str:
        """Ask for an account as the API does; return accepted, conflict, or busy."""
        answer = self.machines.start_sync_execution(
            stateMachineArn=f"{MACHINES}-admit", input=json.dumps(body)
        )
        if answer["status"] != "SUCCEEDED":
            return "busy"
        outcome: str = json.loads(answer["output"])["outcome"]
        return outcome

    def ask(self, email: str, name: str = "Anna O'Brien", **fields: str) -> str:
        """Ask for an account with a new id; return the id."""
        request_id = str(uuid.uuid4())
        body = {"requestId": request_id, "email": email, "name": name, **fields}
        assert self.admit(body) == "accepted"
        return request_id

    def outcome(self, request_id: str) -> dict[str, Any]:
        """Wait for what becomes of a request: {"status", "codes"}."""

        def look() -> dict[str, Any] | None:
            item = self.row(f"REQUEST#{request_id}", "REQUEST")
            if item is None or item["status"]["S"] == "pending":
                return None
            reasons = item.get("reasons", {}).get("L", [])
            codes = [reason["M"]["code"]["S"] for reason in reasons]
            return {"status": item["status"]["S"], "codes": codes}

        return wait_until(look, f"the outcome of {request_id}", PATIENCE_S)

    # --- looking --------------------------------------------------------------------------------

    def row(self, pk: str, sk: str) -> dict[str, Any] | None:
        answer = self.tables.get_item(
            TableName=TABLE, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True
        )
        found: dict[str, Any] | None = answer.get("Item")
        return found

    def rows(self) -> list[dict[str, Any]]:
        pages = self.tables.get_paginator("scan").paginate(TableName=TABLE, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]

    def account_of(self, request_id: str) -> str:
        """Return the account that a request's execution was started for."""
        described = self.machines.describe_execution(
            executionArn=f"{EXECUTIONS}-account:{request_id}"
        )
        account: str = json.loads(described["input"])["accountId"]
        return account

    def letters(self, recipient: str | None = None) -> list[dict[str, Any]]:
        """Return the letters in the mailbox, all of them or one student's."""
        url = f"{self.running.target.endpoint}/_ministack/ses/messages"
        with urllib.request.urlopen(url, timeout=10) as answer:
            by_account = json.load(answer)["messages"]
        found = [letter for letters in by_account.values() for letter in letters]
        return [it for it in found if recipient is None or recipient in it["To"]]

    def heard(self, recipient: str, times: int = 1) -> list[dict[str, Any]]:
        """Wait for letters to a student, then a moment longer, and return all there are."""
        wait_until(lambda: len(self.letters(recipient)) >= times, f"a letter to {recipient}")
        time.sleep(1)
        return self.letters(recipient)

    def users_with(self, email: str) -> list[dict[str, Any]]:
        found = self.users.list_users(UserPoolId=self.pool, Filter=f'email = "{email}"')["Users"]
        return list(found)

    def executions(self, request_id: str) -> str:
        return f"{EXECUTIONS}-account:{request_id}"

    def ended(self, execution: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait for an execution's end, and describe it."""

        def look() -> dict[str, Any] | None:
            found = self.machines.describe_execution(executionArn=execution)
            return None if found["status"] == "RUNNING" else dict(found)

        return wait_until(look, f"the end of {execution}", patience_s)

    # --- harm -----------------------------------------------------------------------------------

    @contextmanager
    def fault(self, **rule: str) -> Iterator[None]:
        """Let calls of functions fail; see aws_emulator/ministack/patches/fault_injection.py."""
        path = f"{self.running.target.endpoint}/_local/faults"

        def ask(method: str, query: str = "") -> None:
            request = urllib.request.Request(f"{path}{query}", method=method)
            urllib.request.urlopen(request, timeout=10).close()

        ask("POST", f"?{urllib.parse.urlencode(rule)}")
        try:
            yield
        finally:
            ask("DELETE")

    def acted(self) -> int:
        """Return how many calls failed by the faults that there are."""
        path = f"{self.running.target.endpoint}/_local/faults"
        with urllib.request.urlopen(path, timeout=10) as answer:
            return sum(rule["acted"] for rule in json.load(answer))

    def kill_function(self, handler: str) -> int:
        """Kill every process of a function in the middle of what it does; return how many."""
        (emulator,) = (it for it in self.running.processes.started if it.name == "ministack")
        killed = 0
        for process in psutil.Process(emulator.process.pid).children(recursive=True):
            with suppress(psutil.Error):
                if process.cmdline()[-1:] == [handler]:
                    process.kill()
                    killed += 1
        return killed

    def queue_url(self, name: str) -> str:
        url: str = self.queues.get_queue_url(QueueName=f"meridian-local-{name}")["QueueUrl"]
        return url

    def taken(self, name: str) -> list[str]:
        """Take every message out of a queue, and return their bodies."""
        url, found = self.queue_url(name), []
        while True:
            answer = self.queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                found.append(message["Body"])
                self.queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            if not answer.get("Messages"):
                return found


def someone() -> str:
    """An address that nobody had before."""
    return f"student-{uuid.uuid4().hex[:12]}@example.com"


def put_roster(world: World, name: str, content: bytes) -> str:
    """Put a roster into the bucket; return the key of its report."""
    world.storage.put_object(Bucket=ROSTERS, Key=f"rosters/{name}.csv", Body=content)
    return f"reports/{name}.csv"


def report_of(world: World, key: str) -> bytes | None:
    """Return a report, or None where it is not there yet."""
    if not world.storage.list_objects_v2(Bucket=ROSTERS, Prefix=key).get("Contents"):
        return None
    found: bytes = world.storage.get_object(Bucket=ROSTERS, Key=key)["Body"].read()
    return found
