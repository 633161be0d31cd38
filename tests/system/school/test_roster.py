"""Roster import: accounts for valid rows, reasons for the others, and no change on repetition."""

import csv
import io
import uuid
from collections import Counter
from typing import Any

import pytest

from stepfunctions.roster import parse, request_id
from tests.support.waiting import wait_until
from tests.system.school.school_client import (
    MACHINES,
    ROSTERS,
    SchoolClient,
    report_of,
    upload_roster,
)

pytestmark = pytest.mark.integration

ROWS = 60
BAD_EVERY = 20


def roster(tag: str) -> bytes:
    """Return a roster with one invalid row in twenty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["name", "email", "locale", "dateOfBirth"])
    for number in range(ROWS):
        bad = number % BAD_EVERY == BAD_EVERY - 1
        email = "no address" if bad else f"{tag}-{number}@example.com"
        writer.writerow([f'Student "{number}", O\'Neil', email, "hi" if number % 2 else "", ""])
    return text.getvalue().encode()


def import_roster(school: SchoolClient, name: str, content: bytes) -> list[dict[str, str]]:
    """Upload a roster; return the lines of its report."""
    key = upload_roster(school, name, content)
    text = wait_until(lambda: report_of(school, key), "the report", 240).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_roster_creates_accounts_and_report(school: SchoolClient) -> None:
    tag = f"roster-{uuid.uuid4().hex[:8]}"
    content = roster(tag)
    lines = import_roster(school, tag, content)
    assert [int(line["row"]) for line in lines] == list(range(2, ROWS + 2))
    bad = ROWS // BAD_EVERY
    counts = Counter((line["status"], line["code"]) for line in lines)
    assert counts == {("created", ""): ROWS - bad, ("rejected", "invalid"): bad}
    for line in lines:
        expected = ("invalid", "email") if (int(line["row"]) - 1) % BAD_EVERY == 0 else ("", "")
        assert (line["code"], line["field"]) == expected
    assert tag not in str(lines)
    # The workflow and the report compute the same request id.
    file_id = parse(content).file_id
    assert school.wait_for_outcome(request_id(file_id, 0))["status"] == "created"
    assert school.item(f"REQUEST#{request_id(file_id, ROWS)}", "REQUEST") is None

    # The same content under another name creates nothing.
    before = sorted((row["pk"]["S"], row["sk"]["S"]) for row in school.items())
    assert import_roster(school, f"{tag}-again", content) == lines
    assert sorted((row["pk"]["S"], row["sk"]["S"]) for row in school.items()) == before

    # The same students in a different file already have accounts.
    other = content + b"Late,late@b,,\r\n"
    lines = import_roster(school, f"{tag}-more", other)
    assert Counter(line["code"] for line in lines) == {"exists": ROWS - bad, "invalid": bad + 1}

    emails = [f"{tag}-{it}@example.com" for it in range(ROWS) if it % BAD_EVERY != BAD_EVERY - 1]

    def all_sent() -> bool | None:
        return Counter(it["To"][0] for it in school.emails()) >= Counter(emails) or None

    wait_until(all_sent, "every email", 120)
    sent: Counter[str] = Counter(it["To"][0] for it in school.emails() if tag in it["To"][0])
    assert sent == Counter(emails)


def test_roster_in_excel_format_is_imported(school: SchoolClient) -> None:
    tag = f"excel-{uuid.uuid4().hex[:8]}"
    rows = (
        ("E-mail address", "Full name"),
        (f"{tag}@example.com", 'Zoë; "the second"'),
        ("", ""),
        ("x", "=1+1"),
        (f"{tag}-2@example.com", "two\nlines"),
        (f"\u00a0{tag}-3@example.com\u00a0", "Anna\\Maria\u2028"),
        (f"{tag.upper()}@example.com", "Zoë's sister"),
        (f"{tag}-4@example.com", "Smith", "Ann"),
    )
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=";").writerows(rows)
    content = f"sep=;\r\n{text.getvalue()}\r\n;\r\n".encode("utf-8-sig")
    lines = import_roster(school, tag, content)
    assert [(line["row"], line["status"], line["code"]) for line in lines] == [
        ("2", "created", ""),
        ("3", "rejected", "missing"),
        ("3", "rejected", "missing"),
        ("4", "rejected", "invalid"),
        ("4", "rejected", "invalid"),
        ("5", "rejected", "invalid"),
        ("6", "created", ""),
        ("7", "rejected", "repeated"),
        ("8", "rejected", "cells"),
    ]
    (message,) = school.wait_for_emails(f"{tag}@example.com")
    assert 'Zoë; "the second"' in message["BodyText"]
    (message,) = school.wait_for_emails(f"{tag}-3@example.com")
    assert "Anna\\Maria" in message["BodyText"]


def test_same_roster_after_90_days_creates_nothing(school: SchoolClient) -> None:
    """DynamoDB deletes the requests' items after 90 days."""
    tag = f"later-{uuid.uuid4().hex[:8]}"
    content = f"email,name\n{tag}-1@example.com,Ann\n{tag}-2@example.com,Bob\n".encode()
    lines = import_roster(school, tag, content)
    for index in range(2):
        school.forget_request(request_id(parse(content).file_id, index))
    assert import_roster(school, f"{tag}-again", content) == lines
    assert [line["status"] for line in lines] == ["created", "created"]
    assert len(school.wait_for_emails(f"{tag}-1@example.com")) == 1


def test_mended_roster_updates_changed_rows_and_names_missing_ones(school: SchoolClient) -> None:
    tag = f"mended-{uuid.uuid4().hex[:8]}"

    def lines_of(*rows: str) -> list[tuple[str, str]]:
        content = "email,name,programme\n" + "".join(f"{tag}-{row}\n" for row in rows)
        school.s3.delete_object(Bucket=ROSTERS, Key=f"reports/{tag}.csv")
        lines = import_roster(school, tag, content.encode())
        return [(line["row"], line["status"]) for line in lines]

    first = ("1@example.com,Ann,", "2@example.com,,", "3@example.com,Cy,", "4@example.com,Di,")
    assert [status for _, status in lines_of(*first)] == ["created", "rejected", *["created"] * 2]
    mended = ("1@example.com,Ann Lee,music", "2@example.com,Bo,", "3@example.com,Cy,")
    expected = [("2", "updated"), ("3", "created"), ("4", "exists"), ("", "left")]
    assert lines_of(*mended) == expected
    assert lines_of(*mended) == expected
    (user,) = school.users_with(f"{tag}-1@example.com")
    attributes = {it["Name"]: it["Value"] for it in user["Attributes"]}
    assert (attributes["name"], attributes["email_verified"]) == ("Ann Lee", "true")
    assert len(school.wait_for_emails(f"{tag}-1@example.com")) == 1
    assert len(school.users_with(f"{tag}-4@example.com")) == 1


def test_binary_file_gets_report_under_its_name(school: SchoolClient) -> None:
    name = f"rosters/{uuid.uuid4().hex[:8]}.xlsx"
    school.s3.put_object(Bucket=ROSTERS, Key=name, Body=b"PK\x03\x04\0\0")
    key = name.replace("rosters/", "reports/") + ".report.csv"
    report = wait_until(lambda: report_of(school, key), "the report").decode()
    assert "refused,file,,The file isn't a text file" in report


@pytest.mark.parametrize("content", [b"", b"address,name\na@example.com,A\n", b"\xff\xfe"])
def test_invalid_file_is_rejected_with_reason(school: SchoolClient, content: bytes) -> None:
    name = f"refused-{uuid.uuid4().hex[:8]}"
    (line,) = import_roster(school, name, content)
    assert (line["status"], line["code"]) == ("refused", "file")
    assert line["message"].endswith(".")
    assert None not in line


def test_import_history_contains_no_personal_data(school: SchoolClient) -> None:
    tag = f"canary{uuid.uuid4().hex[:8]}"
    import_roster(school, tag, roster(f"{tag}x"))
    executions = school.stepfunctions.list_executions(stateMachineArn=f"{MACHINES}-import")[
        "executions"
    ]
    assert executions
    histories: list[Any] = [
        school.stepfunctions.get_execution_history(executionArn=it["executionArn"])["events"]
        for it in executions
    ]
    assert tag in str(histories)
    assert f"{tag}x" not in str(histories)
