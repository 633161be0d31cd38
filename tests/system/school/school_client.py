"""Client of a running system for the school tests: requests, items, users, emails and faults."""

import hashlib
import json
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import boto3
from botocore.config import Config

from tests.support.environments import end_environments
from tests.support.waiting import wait_until
from tools.dev.system import System
from tools.stack import client

ACCOUNT: Final = "000000000000"
MACHINES: Final = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:meridian-local"
EXECUTIONS: Final = f"arn:aws:states:us-east-1:{ACCOUNT}:execution:meridian-local"
TABLE: Final = "meridian-local-accounts"
SENT: Final = "meridian-local-sent"
ROSTERS: Final = f"meridian-local-rosters-{ACCOUNT}"
#: The text before the proof in an email to a student, and to a guardian.
PROOF_LINK: Final = "/confirm.html#"
CONSENT_LINK: Final = "/consent.html#"
#: Limit for asynchronous results.
TIMEOUT_S: Final = 60


class SchoolClient:
    """A running system and clients for its AWS services."""

    def __init__(self, running: System) -> None:
        self.running = running
        self.dynamodb = client("dynamodb", running.target)
        self.sqs = client("sqs", running.target)
        self.cognito = client("cognito-idp", running.target)
        self.s3 = client("s3", running.target)
        self.logs = client("logs", running.target)
        self.functions = client("lambda", running.target)
        self.events = client("events", running.target)
        self.user_pool_id = running.deployed.outputs["UserPoolId"]
        self.stepfunctions = boto3.client(
            "stepfunctions",
            region_name="us-east-1",
            endpoint_url=running.target.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            # Without the option, StartSyncExecution and TestState would go to sync-127.0.0.1.
            config=Config(inject_host_prefix=False, max_pool_connections=50, read_timeout=90),
        )

    # --- requests -------------------------------------------------------------------------------

    def admit(self, body: Mapping[str, Any]) -> str:
        """Run the admit workflow as the import does; return accepted, conflict or busy."""
        answer = self.stepfunctions.start_sync_execution(
            stateMachineArn=f"{MACHINES}-admit",
            input=json.dumps({"trusted": True, "form": body}),
        )
        if answer["status"] != "SUCCEEDED":
            return "busy"
        outcome: str = json.loads(answer["output"])["outcome"]
        return outcome

    def request_account(self, email: str, name: str = "Anna O'Brien", **fields: str) -> str:
        """Send an account request with a new id, without a proof; return the id."""
        request_id = str(uuid.uuid4())
        body = {"requestId": request_id, "email": email, "name": name, **fields}
        assert self.admit(body) == "accepted"
        return request_id

    def proof_in_email(self, recipient: str, link: str = PROOF_LINK) -> dict[str, str]:
        """Wait for the email that asks for a proof; return the proof in its link's fragment."""

        proofs = wait_until(
            lambda: self.proofs_in_emails(recipient, link), f"a proof for {recipient}", TIMEOUT_S
        )
        return proofs[0]

    def proofs_in_emails(self, recipient: str, link: str = PROOF_LINK) -> list[dict[str, str]]:
        """Return the proofs in the emails to a student, or to a guardian."""
        texts = [str(it["BodyText"]) for it in self.emails(recipient)]
        fragments = [it.partition(link)[2].split()[0] for it in texts if link in it]
        return [
            dict(zip(("requestId", "token"), fragment.split("."), strict=True))
            for fragment in fragments
        ]

    def wait_for_outcome(self, request_id: str) -> dict[str, Any]:
        """Wait until a request is decided; return its {"status", "codes"}."""

        def look() -> dict[str, Any] | None:
            item = self.item(f"REQUEST#{request_id}", "REQUEST")
            if item is None or item["status"]["S"] in {"pending", "unproved", "consent"}:
                return None
            reasons = item.get("reasons", {}).get("L", [])
            codes = [reason["M"]["code"]["S"] for reason in reasons]
            return {"status": item["status"]["S"], "codes": codes}

        return wait_until(look, f"the outcome of {request_id}", TIMEOUT_S)

    # --- state ----------------------------------------------------------------------------------

    def item(self, pk: str, sk: str) -> dict[str, Any] | None:
        """Return an item of the accounts table, or None."""
        answer = self.dynamodb.get_item(
            TableName=TABLE, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True
        )
        stored_item: dict[str, Any] | None = answer.get("Item")
        return stored_item

    def forget_request(self, request_id: str) -> None:
        """Delete a request's item, as DynamoDB does when it expires."""
        key = {"pk": {"S": f"REQUEST#{request_id}"}, "sk": {"S": "REQUEST"}}
        self.dynamodb.delete_item(TableName=TABLE, Key=key)

    def items(self) -> list[dict[str, Any]]:
        """Return every item of the accounts table."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=TABLE, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]

    def account_of(self, request_id: str) -> str:
        """Return the account id that the workflows derive from a request's id."""
        return hashlib.sha256(f"account/{request_id}".encode()).hexdigest()[:32]

    def mark(self, request_id: str) -> dict[str, Any] | None:
        """Return the mark of a request that is being created, or None."""
        return self.item("OPEN", request_id)

    def unmark(self, request_id: str) -> None:
        """Delete a request's mark."""
        key = {"pk": {"S": "OPEN"}, "sk": {"S": request_id}}
        self.dynamodb.delete_item(TableName=TABLE, Key=key)

    def emails(self, recipient: str | None = None) -> list[dict[str, Any]]:
        """Return the sent emails: all of them, or one student's."""
        url = f"{self.running.target.endpoint}/_ministack/ses/messages"
        with urllib.request.urlopen(url, timeout=60) as answer:
            by_account = json.load(answer)["messages"]
        sent_emails = [email for emails in by_account.values() for email in emails]
        return [it for it in sent_emails if recipient is None or recipient in it["To"]]

    def wait_for_emails(self, recipient: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for `count` emails and one more second; return every email to the recipient."""
        wait_until(
            lambda: len(self.emails(recipient)) >= count, f"an email to {recipient}", TIMEOUT_S
        )
        time.sleep(1)
        return self.emails(recipient)

    def users_with(self, email: str) -> list[dict[str, Any]]:
        """Return the Cognito users with an email address."""
        users = self.cognito.list_users(UserPoolId=self.user_pool_id, Filter=f'email = "{email}"')[
            "Users"
        ]
        return list(users)

    def execution_arn(self, request_id: str) -> str:
        """Return the ARN of the account workflow's execution for a request that was passed on."""
        return f"{EXECUTIONS}-account:{request_id}"

    def wait_for_end(self, execution: str, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
        """Wait for the end of an execution; return its description."""

        def look() -> dict[str, Any] | None:
            description = self.stepfunctions.describe_execution(executionArn=execution)
            return None if description["status"] == "RUNNING" else dict(description)

        return wait_until(look, f"the end of {execution}", timeout_s)

    # --- faults ---------------------------------------------------------------------------------

    @contextmanager
    def fault(self, **rule: str) -> Iterator[None]:
        """Inject faults into AWS calls of functions (aws_emulator, patches/fault_injection.py)."""
        path = f"{self.running.target.endpoint}/_local/faults"

        def send(method: str, query: str = "") -> None:
            request = urllib.request.Request(f"{path}{query}", method=method)
            urllib.request.urlopen(request, timeout=60).close()

        send("POST", f"?{urllib.parse.urlencode(rule)}")
        try:
            yield
        finally:
            send("DELETE")

    def faulted_calls(self) -> int:
        """Return the number of calls that the current fault rules affected."""
        path = f"{self.running.target.endpoint}/_local/faults"
        with urllib.request.urlopen(path, timeout=60) as answer:
            return sum(rule["acted"] for rule in json.load(answer))

    def kill_function(self, handler: str) -> int:
        """Kill every running process of a function; return their number."""
        return end_environments(self.running, handler)

    def queue_url(self, name: str) -> str:
        """Return the URL of a queue by the last part of its name."""
        url: str = self.sqs.get_queue_url(QueueName=f"meridian-local-{name}")["QueueUrl"]
        return url

    def drain(self, name: str) -> list[str]:
        """Receive and delete every visible message of a queue; return the bodies."""
        url, messages = self.queue_url(name), []
        while True:
            answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                messages.append(message["Body"])
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            if not answer.get("Messages"):
                return messages


def unique_email() -> str:
    """Return an email address that no other test uses."""
    return f"student-{uuid.uuid4().hex[:12]}@example.com"


def upload_roster(school: SchoolClient, name: str, content: bytes) -> str:
    """Upload a roster; return the key of its report."""
    school.s3.put_object(Bucket=ROSTERS, Key=f"rosters/{name}.csv", Body=content)
    return f"reports/{name}.csv"


def report_of(school: SchoolClient, key: str) -> bytes | None:
    """Return a report, or None if it doesn't exist yet."""
    if not school.s3.list_objects_v2(Bucket=ROSTERS, Prefix=key).get("Contents"):
        return None
    body: bytes = school.s3.get_object(Bucket=ROSTERS, Key=key)["Body"].read()
    return body
