"""Import a large roster twice: measure the first import, check that the second changes nothing."""

import csv
import io
import time
import uuid
from collections import Counter

from tools.dev.system import System
from tools.progress import step
from tools.stack import client


def run(running: System, rows: int) -> bool:
    """Import a roster with one invalid row in twenty twice; return whether both are correct."""
    text, tag = io.StringIO(newline=""), uuid.uuid4().hex[:8]
    writer = csv.writer(text)
    writer.writerow(["email", "name"])
    for number in range(rows):
        writer.writerow(
            [f"{tag}.{number}@example.com" if number % 20 else "no address", f"Student {number}"]
        )
    content = text.getvalue().encode()
    began = time.time()
    first = _imported(running, tag, content, rows)
    seconds = time.time() - began
    before = _users(running)
    began = time.time()
    again = _imported(running, f"{tag}-again", content, rows)
    bad = len(range(0, rows, 20))
    fine = first == {"created": rows - bad, "rejected": bad} and again == first
    print(f"\nroster of {rows:,} rows: {dict(first)} in {seconds:.0f} s, ", end="")
    # No requirement: the emulator's speed doesn't predict that of AWS.
    print(f"{rows / seconds:.0f} rows/s on the emulator")
    print(f"the same file again: {_users(running) - before} new users ", end="")
    print(f"in {time.time() - began:.0f} s")
    met = fine and _users(running) == before
    requirement = "an account for every valid row, a reason for every invalid one"
    print(f"{requirement}: {'met' if met else 'NOT MET'}")
    return met


def _imported(running: System, name: str, content: bytes, rows: int) -> Counter[str]:
    """Upload a roster, wait for its report, and return the rows by status."""
    storage = client("s3", running.target)
    bucket, key = "meridian-local-rosters-000000000000", f"reports/{name}.csv"
    before = _users(running)
    with step(f"roster {name}", rows) as progress:
        storage.put_object(Bucket=bucket, Key=f"rosters/{name}.csv", Body=content)
        while not storage.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents"):
            progress.done = _users(running) - before
            progress.note("users")
            time.sleep(0.5)
    report = storage.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    return Counter(line["status"] for line in csv.DictReader(io.StringIO(report, newline="")))


def _users(running: System) -> int:
    """Return the user pool's estimated number of users."""
    pools = client("cognito-idp", running.target)
    pool = pools.describe_user_pool(UserPoolId=running.deployed.outputs["UserPoolId"])
    return int(pool["UserPool"]["EstimatedNumberOfUsers"])
