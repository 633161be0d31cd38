"""A roster: accounts for the good rows, reasons for the bad ones, nothing new the second time."""

import csv
import io
import uuid
from collections import Counter
from typing import Any

import pytest

from stepfunctions.roster import inspect, request_id
from tests.support.waiting import wait_until
from tests.system.school.world import MACHINES, ROSTERS, World, put_roster, report_of

pytestmark = pytest.mark.integration

ROWS = 200
BAD_EVERY = 20


def roster(tag: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["name", "email", "locale", "dateOfBirth"])
    for number in range(ROWS):
        bad = number % BAD_EVERY == BAD_EVERY - 1
        email = "no address" if bad else f"{tag}-{number}@example.com"
        writer.writerow([f'Student "{number}", O\'Neil', email, "hi" if number % 2 else "", ""])
    return text.getvalue().encode()


def imported(world: World, name: str, content: bytes) -> list[dict[str, str]]:
    """Put a roster into the bucket, and wait for its report."""
    key = put_roster(world, name, content)
    text = wait_until(lambda: report_of(world, key), "the report", 240).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_roster_becomes_accounts_and_a_report(world: World) -> None:
    tag = f"roster-{uuid.uuid4().hex[:8]}"
    content = roster(tag)
    lines = imported(world, tag, content)
    assert [int(line["row"]) for line in lines] == list(range(2, ROWS + 2))
    bad = ROWS // BAD_EVERY
    assert Counter(line["status"] for line in lines) == {"created": ROWS - bad, "rejected": bad}
    for line in lines:
        expected = ("invalid", "email") if (int(line["row"]) - 1) % BAD_EVERY == 0 else ("", "")
        assert (line["code"], line["field"]) == expected
    assert tag not in str(lines)
    # The machine and the report give a row the same id.
    file_id = inspect(content).file_id
    assert world.outcome(request_id(file_id, 0))["status"] == "created"
    assert world.row(f"REQUEST#{request_id(file_id, ROWS)}", "REQUEST") is None

    # Under whatever name, the same file creates nothing.
    before = sorted((row["pk"]["S"], row["sk"]["S"]) for row in world.rows())
    assert imported(world, f"{tag}-again", content) == lines
    assert sorted((row["pk"]["S"], row["sk"]["S"]) for row in world.rows()) == before

    # The same students in another file have their accounts already.
    other = content + b"Late,late@b,,\r\n"
    lines = imported(world, f"{tag}-more", other)
    assert Counter(line["code"] for line in lines) == {"taken": ROWS - bad, "invalid": bad + 1}

    emails = [f"{tag}-{it}@example.com" for it in range(ROWS) if it % BAD_EVERY != BAD_EVERY - 1]

    def all_heard() -> bool | None:
        return Counter(it["To"][0] for it in world.letters()) >= Counter(emails) or None

    wait_until(all_heard, "every letter", 120)
    heard: Counter[str] = Counter(it["To"][0] for it in world.letters() if tag in it["To"][0])
    assert heard == Counter(emails)


def test_a_roster_as_excel_writes_it(world: World) -> None:
    tag = f"excel-{uuid.uuid4().hex[:8]}"
    rows = (
        ("Email", "Name"),
        (f"{tag}@example.com", 'Zoë; "the second"'),
        ("", ""),
        ("x", "=1+1"),
        (f"{tag}-2@example.com", "two\nlines"),
    )
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=";").writerows(rows)
    lines = imported(world, tag, b"\xef\xbb\xbf" + text.getvalue().encode() + b"\r\n;\r\n")
    assert [(line["row"], line["status"], line["code"]) for line in lines] == [
        ("2", "created", ""),
        ("3", "rejected", "missing"),
        ("3", "rejected", "missing"),
        ("4", "rejected", "invalid"),
        ("4", "rejected", "invalid"),
        ("5", "rejected", "invalid"),
    ]
    (letter,) = world.heard(f"{tag}@example.com")
    assert 'Zoë; "the second"' in letter["BodyText"]


def test_a_file_that_is_no_text_is_refused_under_its_own_name(world: World) -> None:
    name = f"rosters/{uuid.uuid4().hex[:8]}.xlsx"
    world.storage.put_object(Bucket=ROSTERS, Key=name, Body=b"PK\x03\x04\0\0")
    key = name.replace("rosters/", "reports/") + ".csv"
    report = wait_until(lambda: report_of(world, key), "the report").decode()
    assert "refused,file,,The file is no text" in report


@pytest.mark.parametrize("content", [b"", b"e-mail,name\na@example.com,A\n", b"\xff\xfe"])
def test_a_file_that_is_no_roster_is_refused_with_a_reason(world: World, content: bytes) -> None:
    name = f"refused-{uuid.uuid4().hex[:8]}"
    (line,) = imported(world, name, content)
    assert (line["status"], line["code"]) == ("refused", "file")
    assert line["message"].endswith(".")
    assert None not in line


def test_the_imports_history_names_nobody(world: World) -> None:
    tag = f"canary{uuid.uuid4().hex[:8]}"
    imported(world, tag, roster(f"{tag}x"))
    executions = world.machines.list_executions(stateMachineArn=f"{MACHINES}-import")["executions"]
    assert executions
    said: list[Any] = [
        world.machines.get_execution_history(executionArn=it["executionArn"])["events"]
        for it in executions
    ]
    assert tag in str(said)
    assert f"{tag}x" not in str(said)
