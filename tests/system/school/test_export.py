"""The workflow of an export: the file has everything, its link expires, and a stop is redriven."""

import io
import json
import uuid
import zipfile
from typing import Any, Final

import httpx
import pytest

from tests.support.waiting import wait_until
from tests.system.school.school_client import EXECUTIONS, ROSTERS, TABLE, TIMEOUT_S, SchoolClient
from tests.system.school.test_address import new_student, unavailable
from tests.system.school.test_erasure import IDENTITY, order, subject

pytestmark = pytest.mark.integration

LINK: Final = "/export.html#"


def ask(school: SchoolClient, sub: str, request_id: str) -> dict[str, Any]:
    """Start an export as the API does, or read how far it is."""
    request = json.dumps({"requestId": request_id})
    event = {"action": "request-export", "student": sub, "request": request}
    answer = school.functions.invoke(FunctionName=IDENTITY, Payload=json.dumps(event).encode())
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    return result


def proof_in_email(school: SchoolClient, recipient: str) -> dict[str, str]:
    """Wait for the link of an export; return its proof."""

    def look() -> list[str]:
        texts = [str(it["BodyText"]) for it in school.emails(recipient)]
        return [it.partition(LINK)[2].split()[0] for it in texts if LINK in it]

    (fragment,) = wait_until(look, f"a link for {recipient}", 2 * TIMEOUT_S)
    export_id, _, token = fragment.partition(".")
    return {"exportId": export_id, "token": token}


def open_link(school: SchoolClient, proof: dict[str, str]) -> httpx.Response:
    url = f"{school.running.url}/api/exports/proofs"
    return httpx.post(url, json=proof, timeout=60)


def file_of(school: SchoolClient, proof: dict[str, str]) -> dict[str, list[Any]]:
    """Return the documents of each member of the file behind a link."""
    answer = open_link(school, proof)
    assert answer.status_code == 200, answer.text
    # Without credentials, as a browser opens it.
    content = httpx.get(answer.json()["address"], timeout=60)
    assert content.status_code == 200
    assert "attachment" in content.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(content.content)) as archive:
        return {
            it: [json.loads(line) for line in archive.read(it).splitlines()]
            for it in archive.namelist()
        }


def files(school: SchoolClient, key: str) -> list[str]:
    """Return the keys of the files about a student."""
    page = school.s3.list_objects_v2(Bucket=ROSTERS, Prefix=f"exports/{key}/")
    return [it["Key"] for it in page.get("Contents", [])]


def test_stopped_export_is_completed_by_redrive_and_erased_with_the_student(
    school: SchoolClient,
) -> None:
    student = new_student(school)
    sub, request_id = subject(school, student.email), str(uuid.uuid4())
    with unavailable(school, "meridian-local-lake-erasure"):
        for _ in range(2):
            assert ask(school, sub, request_id)["body"] == {"status": "running"}
        (item,) = [it for it in school.items() if _is_export(it, request_id)]
        key, arn = item["pk"]["S"][7:], f"{EXECUTIONS}-export:{item['request_id']['S']}"

        def is_held() -> bool:
            stored = school.item(f"EXPORT#{key}", "EXPORT")
            return stored is not None and json.loads(stored["work"]["S"]).get("phase") == "find"

        wait_until(is_held, "the phase find", TIMEOUT_S)
        school.stepfunctions.stop_execution(executionArn=arn)
        assert school.wait_for_end(arn)["status"] == "ABORTED"
    school.stepfunctions.redrive_execution(executionArn=arn)
    proof = proof_in_email(school, student.email)
    assert school.wait_for_end(arn)["status"] == "SUCCEEDED"

    documents = file_of(school, proof)
    (user,) = documents["user.jsonl"]
    assert (user["attributes"]["sub"], user["attributes"]["email"]) == (sub, student.email)
    kinds = {it["sk"] for it in documents["account.jsonl"]}
    assert {"ACCOUNT", "PERSON"} <= kinds
    # No secret of a link is in the file.
    assert "proof" not in json.dumps(documents["account.jsonl"])
    assert ask(school, sub, str(uuid.uuid4()))["body"] == {"status": "ready"}
    wrong = open_link(school, {**proof, "token": "x" * 43})
    assert (wrong.status_code, wrong.json()["code"]) == (404, "export_proof_invalid")

    # An erasure deletes the file; its link ends at once.
    assert files(school, key) != []
    erase_id = str(uuid.uuid4())

    def erased() -> bool:
        body = order(school, sub, student.email, erase_id)["body"]
        return bool(body["status"] == "erased")

    wait_until(erased, "the erasure", 2 * TIMEOUT_S)
    assert files(school, key) == []
    assert school.item(f"EXPORT#{key}", "EXPORT") is None
    assert open_link(school, proof).status_code == 404


def test_link_ends_with_its_time(school: SchoolClient) -> None:
    student = new_student(school)
    ask(school, subject(school, student.email), str(uuid.uuid4()))
    proof = proof_in_email(school, student.email)
    assert open_link(school, proof).status_code == 200
    school.dynamodb.update_item(
        TableName=TABLE,
        Key={"pk": {"S": f"EXPORT#{proof['exportId']}"}, "sk": {"S": "EXPORT"}},
        UpdateExpression="SET proof_expires_at = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )
    expired = open_link(school, proof)
    assert (expired.status_code, expired.json()["code"]) == (404, "export_proof_invalid")


def _is_export(item: dict[str, Any], request_id: str) -> bool:
    return bool(
        item["pk"]["S"].startswith("EXPORT#") and item["request_id"]["S"].endswith(request_id)
    )
