"""Every state of every machine with mocked results in TestState: next state and output."""

import hashlib
import json
import re
import time
from typing import Any

import pytest

from aws_emulator.tests.ministack.running import Emulator
from stepfunctions.roster import request_id
from tests.support.state_machines import MACHINES, definition, levels, states

pytestmark = pytest.mark.integration

IDS = {"requestId": "r1", "accountId": "a1"}
#: The account workflow's state input after Validate.
CARRIED = {
    **IDS,
    "valid": True,
    "attempts": 1,
    "emailKey": "k1",
    "outcome": "rejected",
    "error": "E",
    "undone": "nothing",
    "free": True,
    "status": "",
    "sub": "s1",
    "reasons": [{"code": "c", "field": "f", "message": "m"}],
}
#: The answer of the bookings' function after a step that isn't the last.
BEGUN = {"text": "t", "waitSeconds": 5, "done": False, "refused": False}
BODY = {"requestId": "r1", "email": "a@example.com", "name": "Anna"}
ADMITTED = {
    **IDS,
    "digest": "d1",
    "trusted": True,
    "there": True,
    "same": True,
    "pending": True,
    "proved": False,
}
#: The admit workflow's state input after its Validate.
TO_PROVE = {
    **IDS,
    "valid": True,
    "free": True,
    "emailKey": "k1",
    "token": "t1",
    "reasons": [{"code": "c", "field": "f", "message": "m"}],
}
TOKEN = {"Payload": {"valid": True, "free": True, "emailKey": "k1", "token": "t1", "reasons": []}}
PROOF = {"requestId": "r1", "token": "t1"}
#: A proof whose token has a key of an address.
KEYED = {"requestId": "r1", "token": "t" * 43 + "k1"}
DIGEST = hashlib.sha256(b"t1").hexdigest()
#: The digest of BODY, as DeriveIds computes it.
FORGOTTEN = {
    **IDS,
    "digest": hashlib.sha256(b'{"email":"a@example.com","name":"Anna"}').hexdigest(),
}
RESTORED = {**FORGOTTEN, "known": True, "same": True, "status": "created"}
ACCOUNT = {"sk": {"S": "ACCOUNT"}, "status": {"S": "active"}}
PENDING = {"sk": {"S": "ACCOUNT"}, "status": {"S": "pending"}}
PARKED = {"sk": {"S": "ACCOUNT"}, "status": {"S": "withdrawn"}}
PROOF_EMAIL = {"sk": {"S": "OUTBOX#ProofRequested"}, "email_key": {"S": "k1"}}
PERSON = {"sk": {"S": "PERSON"}, "email": {"S": "a@example.com"}, "name": {"S": "Anna"}}
IMPORT = {
    "bucket": "b",
    "key": "rosters/k.csv",
    "fileId": "f1",
    "rows": 2,
    "polls": 3,
    "rounds": 0,
    "ok": True,
    "known": False,
    "copy": "read/f1.csv",
    "totals": {"done": True, "missing": False},
    "correlationId": "s3-1",
}
INSPECTED = {
    "Payload": {"ok": True, "known": False, "fileId": "f1", "rows": 2, "copy": "read/f1.csv"}
}
PUT = {"bucket": {"name": "b"}, "object": {"key": "rosters/k.csv"}}
ITEM = {
    "correlationId": "s3-1",
    "fileId": "f1",
    "index": 0,
    "row": {**BODY, "locale": "", "programme": "maths"},
}
ROW = {**BODY, "requestId": request_id("f1", 0), "programme": "maths"}
VALIDATED = {
    "Payload": {"valid": True, "free": False, "status": "", "reasons": [], "emailKey": "k1"}
}
CREATED_USER = {"Payload": {"sub": "s2"}}

#: The detail of an event, and the recovery workflow's state input after ReadRequest.
STOPPED = {"name": "r1", "status": "ABORTED", "input": json.dumps({**IDS, "correlationId": "cf-1"})}
RECOVERED = {
    **IDS,
    "correlationId": "cf-1",
    "trusted": False,
    "error": "Execution ABORTED",
    "pending": True,
    "again": False,
}

#: The result of ValidateFunction for a new account.
FREE = {"valid": True, "free": True, "status": "", "reasons": [], "emailKey": "k1"}
UNPROVED = {"status": {"S": "unproved"}, "proof": {"S": DIGEST}}
COMPARED = {"valid": True, "pending": False, "conflict": False, "minor": False, "asked": False}
#: A minor's request, and that of the guardian whose proof is PROOF; the input of the decision.
GUARDIAN = {"guardianKey": "k2", "guardianToken": "u" * 43}
MINOR = {"guardian_proof": {"S": "other"}, "proof_expires_at": {"N": "9999999999"}}
OF_GUARDIAN = {
    "status": {"S": "consent"},
    "proof": {"S": "other"},
    "guardian_proof": {"S": DIGEST},
    "consent_expires_at": {"N": "9999999999"},
}
DECIDED = {**PROOF, "decision": "consent", "consentText": "1"}
TO_DECIDE = {"valid": False, "asked": True, "decision": "none", "consentText": ""}
CONSENTED = {"requestId": "r1", "accountId": "a1", "proof": DIGEST, "consentText": "1"}
#: A mark of a lost request, and the sweep's input for it.
MARK = {
    "sk": {"S": "r1"},
    "account_id": {"S": "a1"},
    "correlation_id": {"S": "cf-1"},
    "trusted": {"S": "true"},
    "marked_at": {"N": "7"},
}
MARKED = {**IDS, "correlationId": "cf-1", "trusted": True, "markedAt": "7"}

#: machine, state, input, mocked result, next state (None: the end), part of the output.
#: A proof after DeriveIds.
PROVED = {**PROOF, **IDS, "emailKey": "k1", "run": "one", "now": "1"}
#: A change of an address: the execution's input, then the results of its functions.
CHANGE = {"accountId": "a1", "changeId": "c1", "correlationId": "cf-1"}
MOVED = {**CHANGE, "outcome": "changed", "sub": "s1"}
#: An erasure: the execution's input, then the results of its function.
ERASURE = {"erasureId": "e1", "correlationId": "cf-1"}
EXPORT = {"exportId": "e1", "requestId": "r1", "correlationId": "cf-1"}
STEP = {"phase": "tables", "waitSeconds": 0, "done": False}
#: A reprocessing: the state input of a slice.
SLICE = {"day": "2026-01-02", "mode": "run", "position": None, "counts": None}
CASES: list[tuple[str, str, Any, Any, str | None, Any]] = [
    ("account", "Validate", IDS, VALIDATED, "CheckExisting",
     {"attempts": 1, "valid": True, "free": False, "emailKey": "k1", "reasons": [], **IDS}),
    ("account", "Validate", {**IDS, "attempts": 2}, VALIDATED, "CheckExisting", {"attempts": 3}),
    ("account", "CreateMayHaveRun", IDS, None, "CloseRequest", {}),
    ("account", "CreateMayHaveRun", CARRIED, None, "Withdraw", {}),
    ("account", "CheckExisting", CARRIED, None, "Create", {}),
    ("account", "CheckExisting", {**CARRIED, "status": "pending"}, None, "Create", {}),
    ("account", "CheckExisting", {**CARRIED, "status": "active"}, None, "AlreadyActive", {}),
    ("account", "CheckExisting", {**CARRIED, "status": "withdrawn"}, None, "GiveUp", {}),
    ("account", "CheckExisting", {**CARRIED, "status": "undone"}, None, "AlreadyCompensated", {}),
    ("account", "AlreadyCompensated", CARRIED, None, None,
     {"status": "withdrawn", "accountId": "a1"}),
    ("account", "CheckExisting", {**CARRIED, "attempts": 5}, None, "Create", {}),
    ("account", "CheckExisting", {**CARRIED, "attempts": 6}, None, "GiveUp", {}),
    ("account", "CheckExisting", {**CARRIED, "free": False}, None, "CloseRequest", {}),
    ("account", "CheckExisting", {**CARRIED, "valid": False}, None, "CloseRequest", {}),
    ("account", "CheckExisting", {**CARRIED, "free": False, "changedAccount": "a2"}, None,
     "UpdateStudent", {}),
    ("account", "UpdateStudent", {**CARRIED, "changedAccount": "a2"}, {"Payload": {"sub": ""}},
     "CloseRequest", {"outcome": "updated", "reasons": [], "emailKey": "k1"}),
    ("account", "Outcome", {**CARRIED, "outcome": "updated"}, None, "Updated", {}),
    ("account", "Updated", {**CARRIED, "changedAccount": "a2"}, None, None,
     {"status": "updated", "accountId": "a2"}),
    ("account", "GiveUp", CARRIED, None, "Withdraw", {"outcome": "failed", "error": "GivenUp"}),
    ("account", "Create", CARRIED, {}, "CreateIdentity", CARRIED),
    ("account", "WaitBeforeRevalidation", {**CARRIED, "attempts": 0}, None, "Validate", {}),
    ("account", "CreateIdentity", CARRIED, CREATED_USER, "Activate", {"sub": "s2"}),
    ("account", "Activate", CARRIED, {}, None, {"status": "created", "accountId": "a1"}),
    ("account", "AlreadyActive", CARRIED, None, None, {"status": "created", "accountId": "a1"}),
    ("account", "Withdraw", CARRIED, {}, "DeleteIdentity", CARRIED),
    ("account", "DeleteIdentity", CARRIED, {"Payload": {}}, "DeleteAccount", CARRIED),
    ("account", "DeleteAccount", CARRIED, {}, "Outcome", CARRIED),
    ("account", "Park", CARRIED, {"MessageId": "m"}, "MarkParked", {"outcome": "failed"}),
    ("account", "MarkParked", CARRIED, {}, "Failed", CARRIED),
    ("account", "CloseRequest", CARRIED, {}, "Outcome", CARRIED),
    ("account", "Outcome", CARRIED, None, "Rejected", {}),
    ("account", "Outcome", {**CARRIED, "outcome": "failed"}, None, "Failed", {}),
    ("account", "Rejected", CARRIED, None, None, {"status": "rejected", "codes": ["c"]}),
    ("account", "Failed", CARRIED, None, None, None),
    ("admit", "DeriveIds", {"form": BODY}, None, "IsRow", {"request": BODY, "trusted": False}),
    ("admit", "DeriveIds", {"form": BODY, "trusted": True}, None, "IsRow",
     {"request": BODY, "trusted": True}),
    ("admit", "IsRow", {"trusted": False}, None, "Store", {}),
    ("admit", "IsRow", {"trusted": True}, None, "StoreRow", {}),
    ("admit", "StoreRow", {"request": BODY, "accountId": "a1", "digest": "d1", "trusted": True}, {},
     "Start", {**IDS, "trusted": True}),
    ("admit", "Store", {"request": BODY, "accountId": "a1", "digest": "d1", "trusted": False}, {},
     "Validate", {**IDS, "trusted": False}),
    ("admit", "IsTrusted", {**IDS, "trusted": True}, None, "Start", IDS),
    ("admit", "IsTrusted", {**IDS, "trusted": False}, None, "Validate", IDS),
    ("admit", "Validate", {**IDS, "trusted": False}, TOKEN, "IsValid", {**TO_PROVE, "reasons": []}),
    ("admit", "IsValid", TO_PROVE, None, "CountEmail", TO_PROVE),
    ("admit", "IsValid", {**TO_PROVE, "valid": False}, None, "Reject", {}),
    ("admit", "CountEmail", TO_PROVE, {}, "IsMinor", TO_PROVE),
    ("admit", "Validate", {**IDS, "trusted": False}, {"Payload": {**TOKEN["Payload"], **GUARDIAN}},
     "IsValid", GUARDIAN),
    ("admit", "IsMinor", TO_PROVE, None, "SendProof", TO_PROVE),
    ("admit", "IsMinor", {**TO_PROVE, **GUARDIAN}, None, "CountGuardianEmail", TO_PROVE),
    ("admit", "CountGuardianEmail", {**TO_PROVE, **GUARDIAN}, {}, "HoldConsent", GUARDIAN),
    ("admit", "HoldConsent", {**TO_PROVE, **GUARDIAN}, {}, "SendProof", TO_PROVE),
    ("admit", "SendProof", TO_PROVE, {}, "Accepted", {}),
    ("admit", "Withhold", TO_PROVE, {}, "Accepted", {}),
    ("admit", "Reject", TO_PROVE, {}, "Accepted", {}),
    ("admit", "ReadBack", ADMITTED, {}, "CompareDigest",
     {"there": False, "same": False, "pending": False}),
    ("admit", "ReadBack", ADMITTED, {"Item": {"digest": {"S": "d1"}, "status": {"S": "pending"}}},
     "CompareDigest", {"there": True, "same": True, "pending": True, "proved": False}),
    ("admit", "ReadBack", ADMITTED, {"Item": {"digest": {"S": "d2"}, "status": {"S": "created"}}},
     "CompareDigest", {"there": True, "same": False, "pending": False}),
    ("admit", "CompareDigest", {**ADMITTED, "there": False}, None, "ReadAccount", {}),
    ("admit", "ReadAccount", FORGOTTEN, {"Items": [ACCOUNT, PERSON]}, "CompareForm",
     {**FORGOTTEN, "known": True, "same": True, "status": "created"}),
    ("admit", "ReadAccount", FORGOTTEN, {"Items": [PARKED, PERSON]}, "CompareForm",
     {"known": True, "same": True, "status": "pending"}),
    ("admit", "ReadAccount", {**FORGOTTEN, "digest": "d1"}, {"Items": [ACCOUNT, PERSON]},
     "CompareForm", {"known": True, "same": False}),
    ("admit", "ReadAccount", FORGOTTEN, {"Items": [PERSON]}, "CompareForm", {"known": False}),
    ("admit", "ReadAccount", FORGOTTEN, {"Items": []}, "CompareForm",
     {"known": False, "same": False}),
    ("admit", "CompareForm", {**RESTORED, "known": False}, None, "Busy", {}),
    ("admit", "CompareForm", {**RESTORED, "same": False}, None, "Conflict", {}),
    ("admit", "CompareForm", RESTORED, None, "RestoreRequest", {}),
    ("admit", "RestoreRequest", RESTORED, {}, "IsRestoredPending", {**IDS, "pending": False}),
    ("admit", "RestoreRequest", {**RESTORED, "status": "pending"}, {}, "IsRestoredPending",
     {"pending": True}),
    ("admit", "IsRestoredPending", {**IDS, "pending": True}, None, "Mend", IDS),
    ("admit", "IsRestoredPending", {**IDS, "pending": False}, None, "Accepted", {}),
    ("admit", "CompareDigest", {**ADMITTED, "same": False}, None, "Conflict", {}),
    ("admit", "CompareDigest", ADMITTED, None, "IsTrusted", {}),
    ("admit", "CompareDigest", {**ADMITTED, "proved": True}, None, "Start", {}),
    ("admit", "CompareDigest", {**ADMITTED, "pending": False}, None, "Accepted", {}),
    ("admit", "Start", ADMITTED, {"ExecutionArn": "arn"}, "Accepted", {}),
    ("admit", "Mend", ADMITTED, {"ExecutionArn": "arn"}, "Accepted", {}),
    ("admit", "Accepted", {}, None, None, {"outcome": "accepted"}),
    ("admit", "Conflict", {}, None, None, {"outcome": "conflict"}),
    ("admit", "Busy", {}, None, None, None),
    ("create", "ReadAccount", IDS, {"Items": [PERSON, PROOF_EMAIL]}, "IsChecked",
     {**IDS, "ordinary": True, "active": False, "emailKey": "k1"}),
    ("create", "ReadAccount", IDS, {"Items": [PERSON, PROOF_EMAIL, PENDING]}, "IsChecked",
     {"ordinary": True, "active": False}),
    ("create", "ReadAccount", IDS, {"Items": [PERSON, PROOF_EMAIL, ACCOUNT]}, "IsChecked",
     {"ordinary": False, "active": True}),
    ("create", "ReadAccount", IDS, {"Items": [PERSON, PROOF_EMAIL, PARKED]}, "IsChecked",
     {"ordinary": False, "active": False}),
    ("create", "ReadAccount", IDS, {"Items": [PERSON]}, "IsChecked",
     {"ordinary": False, "active": False, "emailKey": ""}),
    ("create", "ReadAccount", IDS, {"Items": []}, "IsChecked",
     {"ordinary": False, "active": False}),
    ("create", "IsChecked", {"active": True, "ordinary": False}, None, "Unmark", {}),
    ("create", "IsChecked", {"active": False, "ordinary": True}, None, "Create", {}),
    ("create", "IsChecked", {"active": False, "ordinary": False}, None, "Validate", {}),
    ("create", "Claim", {**IDS, "run": "one"}, {}, "PassOn", {**IDS, "run": "one"}),
    ("create", "Validate", IDS, VALIDATED, "IsOrdinary",
     {**IDS, "ordinary": False, "active": False, "emailKey": "k1"}),
    ("create", "Validate", IDS, {"Payload": {**FREE, "status": "pending"}}, "IsOrdinary",
     {"ordinary": True, "active": False}),
    ("create", "Validate", IDS, {"Payload": {**FREE, "status": "active"}}, "IsOrdinary",
     {"ordinary": False, "active": True}),
    ("create", "Validate", IDS, {"Payload": {**FREE, "valid": False}}, "IsOrdinary",
     {"ordinary": False}),
    ("create", "Validate", IDS, {"Payload": {**FREE, "status": "withdrawn"}}, "IsOrdinary",
     {"ordinary": False, "active": False}),
    ("create", "IsOrdinary", {"active": True, "ordinary": False}, None, "Unmark", {}),
    ("create", "IsOrdinary", {"active": False, "ordinary": True}, None, "Create", {}),
    ("create", "IsOrdinary", {"active": False, "ordinary": False}, None, "Claim", {}),
    ("create", "Create", {**CARRIED, "run": "one"}, {}, "CreateIdentity", CARRIED),
    ("create", "CreateIdentity", CARRIED, CREATED_USER, "Activate", {"sub": "s2"}),
    ("create", "Activate", CARRIED, {}, "Unmark", CARRIED),
    ("create", "PassOn", CARRIED, {"ExecutionArn": "arn"}, "Unmark", CARRIED),
    ("create", "Unmark", CARRIED, {}, "Done", {}),
    ("create", "Done", {}, None, None, {}),
    ("create", "NotPassedOn", {}, None, None, None),
    ("export", "Step", EXPORT, {"Payload": {"phase": "lake", "waitSeconds": 0, "done": False}},
     "IsDone", {**EXPORT, "done": False, "rounds": 0}),
    ("export", "IsDone", {**EXPORT, "done": False}, None, "Step", EXPORT),
    ("export", "IsDone", {**EXPORT, "done": True}, None, "Done", EXPORT),
    ("export", "WaitAgain", {**EXPORT, "rounds": 3}, None, "Step", {**EXPORT, "rounds": 4}),
    ("export", "WaitAgain", EXPORT, None, "Step", {**EXPORT, "rounds": 1}),
    ("export", "Done", EXPORT, None, None, EXPORT),
    ("import", "Inspect", PUT, INSPECTED, "IsValid",
     {"polls": 0, "rounds": 0, "known": False, "copy": "read/f1.csv", "key": "rosters/k.csv",
      "rows": 2}),
    ("import", "IsValid", IMPORT, None, "Rows", {}),
    ("import", "IsValid", {**IMPORT, "ok": False}, None, "Rejected", {}),
    ("import", "IsValid", {**IMPORT, "known": True}, None, "Report", {}),
    ("import", "Pace", ITEM, None, "BuildRequest", ITEM),
    ("import", "BuildRequest", ITEM, None, "Admit",
     {"attempts": 0, "name": "s3-1.0", "body": ROW}),
    ("import", "Admit", {"attempts": 0, "name": "s3-1.0", "body": ROW}, {"Status": "SUCCEEDED"},
     "IsAdmitted",
     {"status": "SUCCEEDED", "attempts": 1, "name": "s3-1.0", "body": ROW}),
    ("import", "IsAdmitted", {"status": "SUCCEEDED"}, None, "RowAdmitted", {}),
    ("import", "IsAdmitted", {"status": "FAILED", "attempts": 4}, None, "WaitBeforeAdmit", {}),
    ("import", "IsAdmitted", {"status": "FAILED", "attempts": 5}, None, "RowNotAdmitted", {}),
    ("import", "WaitBeforeAdmit", {"attempts": 0}, None, "Admit", {}),
    ("import", "RowAdmitted", {}, None, None, 1),
    ("import", "RowNotAdmitted", {}, None, None, None),
    ("import", "Report", IMPORT, {"Payload": {"done": False, "missing": True}}, "IsComplete",
     {"polls": 4, "totals": {"done": False, "missing": True}}),
    ("import", "IsComplete", IMPORT, None, "Imported", {}),
    ("import", "IsComplete", {**IMPORT, "totals": {"done": False, "missing": False}}, None,
     "WaitBeforeReport", {}),
    ("import", "IsComplete", {**IMPORT, "totals": {"done": False, "missing": True}}, None,
     "WaitBeforeRows", {}),
    ("import", "WaitBeforeRows", IMPORT, None, "Rows", {"polls": 0, "rounds": 1, "fileId": "f1"}),
    ("import", "Rows", IMPORT, [1, 1], "Report", IMPORT),
    ("import", "WaitBeforeReport", IMPORT, None, "Report", {}),
    ("import", "Imported", IMPORT, None, None, {"done": True}),
    ("import", "Rejected", IMPORT, None, None, {"refused": True}),
    ("import", "Failed", {}, None, None, None),
    ("prove", "DeriveIds", KEYED, None, "IsOrdinary",
     {**KEYED, "emailKey": "k1", "correlationId": "test"}),
    ("prove", "DeriveIds", PROOF, None, "IsOrdinary", {**PROOF, "emailKey": ""}),
    ("prove", "IsOrdinary", {**PROOF, "emailKey": "k1"}, None, "Create", PROOF),
    ("prove", "IsOrdinary", {**PROOF, "emailKey": ""}, None, "Prove", PROOF),
    ("prove", "Create", PROVED, {}, "CreateIdentity", PROVED),
    ("prove", "CreateIdentity", PROVED, CREATED_USER, "Activate", {"sub": "s2"}),
    ("prove", "Activate", {**PROVED, "sub": "s2"}, {}, "Accepted", {}),
    ("prove", "PassOn", PROVED, {"ExecutionArn": "arn"}, "Unmark", IDS),
    ("prove", "Unmark", PROVED, {}, "Accepted", {}),
    ("prove", "Prove", PROOF, {}, "Start", {"requestId": "r1"}),
    ("prove", "ReadProof", PROOF, {}, "CompareProof", {"valid": False, "pending": False}),
    ("prove", "ReadProof", PROOF, {"Item": {"status": {"S": "unproved"}, "proof": {"S": DIGEST}}},
     "CompareProof", {"valid": False}),
    ("prove", "ReadProof", PROOF, {"Item": {"status": {"S": "created"}, "proof": {"S": "other"}}},
     "CompareProof", {"valid": False}),
    ("prove", "ReadProof", PROOF, {"Item": {"status": {"S": "pending"}, "proof": {"S": DIGEST}}},
     "CompareProof", {"requestId": "r1", "valid": True, "pending": True}),
    ("prove", "ReadProof", PROOF, {"Item": {"status": {"S": "created"}, "proof": {"S": DIGEST}}},
     "CompareProof", {"valid": True, "pending": False}),
    ("prove", "ReadProof", PROOF, {"Item": {**UNPROVED, "proof_expires_at": {"N": "9999999999"}}},
     "CompareProof", {"valid": False, "conflict": True}),
    ("prove", "ReadProof", PROOF, {"Item": {**UNPROVED, "proof_expires_at": {"N": "1"}}},
     "CompareProof", {"valid": False, "conflict": False}),
    ("prove", "ReadProof", PROOF, {"Item": {**MINOR, **UNPROVED}}, "CompareProof",
     {"valid": False, "conflict": False, "minor": True, "asked": False}),
    ("prove", "ReadProof", PROOF, {"Item": {**MINOR, **UNPROVED, "proof_expires_at": {"N": "1"}}},
     "CompareProof", {"valid": False, "conflict": False, "minor": False, "asked": False}),
    ("prove", "ReadProof", PROOF, {"Item": {**MINOR, **UNPROVED, "status": {"S": "consent"}}},
     "CompareProof", {"valid": True, "minor": False, "asked": False, "pending": False}),
    ("prove", "ReadProof", PROOF, {"Item": OF_GUARDIAN}, "CompareProof",
     {"valid": False, "minor": False, "asked": True, "decision": "none", "consentText": ""}),
    ("prove", "ReadProof", DECIDED, {"Item": OF_GUARDIAN}, "CompareProof",
     {"asked": True, "decision": "consent", "consentText": "1"}),
    ("prove", "ReadProof", DECIDED, {"Item": {**OF_GUARDIAN, "consent_expires_at": {"N": "1"}}},
     "CompareProof", {"valid": False, "asked": False}),
    ("prove", "ReadProof", DECIDED, {"Item": {**OF_GUARDIAN, "status": {"S": "unproved"}}},
     "CompareProof", {"valid": False, "minor": False, "asked": False}),
    ("prove", "ReadProof", DECIDED, {"Item": {**OF_GUARDIAN, "status": {"S": "pending"}}},
     "CompareProof", {"valid": True, "asked": False, "pending": True}),
    ("prove", "CompareProof", {**COMPARED, "valid": False, "minor": True}, None, "AskGuardian", {}),
    ("prove", "CompareProof", {**COMPARED, **TO_DECIDE}, None, "ReadStudent", {}),
    ("prove", "CompareProof", {**COMPARED, **TO_DECIDE, "decision": "consent"}, None,
     "ReadStudent", {}),
    ("prove", "CompareProof", {**COMPARED, **TO_DECIDE, "decision": "consent", "consentText": "1"},
     None, "Consent", {}),
    ("prove", "CompareProof", {**COMPARED, **TO_DECIDE, "decision": "refuse"}, None, "Refuse", {}),
    ("prove", "AskGuardian", CONSENTED, {}, "Accepted", {}),
    ("prove", "ReadStudent", CONSENTED, {"Item": {"email": {"S": "a@example.com"}}}, None,
     {"outcome": "asked", "studentEmail": "a@example.com"}),
    ("prove", "ReadStudent", CONSENTED, {}, None, {"outcome": "invalid"}),
    ("prove", "Consent", CONSENTED, {}, "Start", {"requestId": "r1"}),
    ("prove", "Refuse", CONSENTED, {}, "Accepted", {}),
    ("prove", "CompareProof", {**COMPARED, "conflict": True}, None, "Busy", {}),
    ("prove", "CompareProof", {**COMPARED, "valid": False}, None, "Invalid", {}),
    ("prove", "CompareProof", {**COMPARED, "pending": True}, None, "Start", {}),
    ("prove", "CompareProof", COMPARED, None, "Accepted", {}),
    ("prove", "Start", {"requestId": "r1"}, {"ExecutionArn": "arn"}, "Accepted", {}),
    ("prove", "Accepted", {}, None, None, {"outcome": "accepted"}),
    ("prove", "Invalid", {}, None, None, {"outcome": "invalid"}),
    ("prove", "Busy", {}, None, None, None),
    ("recover", "ReadRequest", STOPPED, {"Item": {"status": {"S": "pending"}}}, "IsPending",
     RECOVERED),
    ("recover", "ReadRequest", {**STOPPED, "name": "stopped-r1"}, {}, "IsPending",
     {**RECOVERED, "pending": False, "again": True}),
    ("recover", "ReadRequest", STOPPED, {"Item": {"status": {"S": "failed"}}}, "IsPending",
     {**RECOVERED, "pending": False}),
    ("recover", "IsPending", RECOVERED, None, "Start", {}),
    ("recover", "IsPending", {**RECOVERED, "again": True}, None, "MarkParked", {}),
    ("recover", "IsPending", {**RECOVERED, "again": True, "pending": False}, None, "Decided", {}),
    ("recover", "Start", RECOVERED, {"ExecutionArn": "arn"}, "Decided", {}),
    ("recover", "MarkParked", RECOVERED, {}, "Park", RECOVERED),
    ("recover", "Park", RECOVERED, {"MessageId": "m"}, "Decided", {}),
    ("recover", "Decided", {}, None, None, {}),
    ("recover", "Failed", {}, None, None, None),
    ("address", "ChangeAddress", CHANGE, {"Payload": {"outcome": "changed", "sub": "s1"}},
     "IsChanged", MOVED),
    ("address", "IsChanged", MOVED, None, "SignOut", MOVED),
    ("address", "IsChanged", {**CHANGE, "outcome": "refused", "sub": ""}, None, "Done", {}),
    ("address", "SignOut", MOVED, {"Payload": {"status": 200}}, "IsSignedOut",
     {**MOVED, "signedOut": True}),
    ("address", "SignOut", MOVED, {"Payload": {"status": 404}}, "IsSignedOut",
     {**MOVED, "signedOut": True}),
    ("address", "SignOut", MOVED, {"Payload": {"status": 409}}, "IsSignedOut",
     {**MOVED, "signedOut": False}),
    ("address", "IsSignedOut", {**MOVED, "signedOut": True}, None, "Done", {}),
    ("address", "IsSignedOut", {**MOVED, "signedOut": False}, None, "WaitAgain", {}),
    ("address", "WaitAgain", MOVED, None, "ChangeAddress", {**MOVED, "rounds": 1}),
    ("address", "WaitAgain", {**MOVED, "rounds": 0}, None, "ChangeAddress", {"rounds": 1}),
    ("address", "Done", {}, None, None, {}),
    ("erase", "Step", ERASURE, {"Payload": STEP}, "IsDone", {**ERASURE, **STEP, "rounds": 0}),
    ("erase", "IsDone", {**ERASURE, **STEP}, None, "Step", {**ERASURE, **STEP}),
    ("erase", "IsDone", {**ERASURE, **STEP, "waitSeconds": 3}, None, "WaitForChanges", {}),
    ("erase", "IsDone", {**ERASURE, **STEP, "done": True}, None, "Done", {}),
    ("erase", "WaitForChanges", {**ERASURE, **STEP}, None, "Step", ERASURE),
    ("erase", "WaitAgain", ERASURE, None, "Step", {**ERASURE, "rounds": 1}),
    ("erase", "WaitAgain", {**ERASURE, "rounds": 0}, None, "Step", {"rounds": 1}),
    ("erase", "Done", {}, None, None, {}),
    ("failover", "Advance", {}, {"Payload": {"status": 200, "body": BEGUN}}, "IsMoved",
     {"lost": False, "calls": 1, "text": "t", "done": False, "refused": False, "waitSeconds": 5}),
    ("failover", "Advance", {"lost": True, "calls": 3},
     {"Payload": {"status": 503, "body": {"code": "c", "detail": "d"}}}, "IsMoved",
     {"lost": True, "calls": 4, "text": "d", "done": False, "refused": True, "waitSeconds": 1}),
    ("failover", "IsMoved", {"done": True, "refused": False}, None, "Moved", {}),
    ("failover", "IsMoved", {"done": False, "refused": True}, None, "Refused", {}),
    ("failover", "IsMoved", {"done": False, "refused": False}, None, "Pause", {}),
    ("failover", "Pause", {"waitSeconds": 1, "calls": 1}, None, "Advance", {"calls": 1}),
    ("failover", "Moved", {"text": "t"}, None, None, {"text": "t"}),
    ("failover", "Refused", {"text": "t"}, None, None, None),
    ("reprocess", "Slice", SLICE, {"Payload": {**SLICE, "done": True}}, "IsDone",
     {**SLICE, "done": True}),
    ("reprocess", "IsDone", {**SLICE, "done": True}, None, "Done", {}),
    ("reprocess", "IsDone", {**SLICE, "done": False}, None, "Slice", SLICE),
    ("reprocess", "HasRounds", {**SLICE, "rounds": 60}, None, "WaitAgain", SLICE),
    ("reprocess", "HasRounds", {**SLICE, "rounds": 61}, None, "SliceFailed", {}),
    ("reprocess", "WaitAgain", {**SLICE, "rounds": 0}, None, "Slice", SLICE),
    ("reprocess", "SliceFailed", SLICE, None, None, None),
    ("reprocess", "Done", {}, None, None, {}),
    ("sweep", "FindMarks", {}, {"Items": [MARK]}, "Marks", {"marks": [MARKED]}),
    ("sweep", "FindMarks", {}, {"Items": []}, "Marks", {"marks": []}),
    ("sweep", "Marks", {"marks": [MARKED]}, [0, 1], "IsComplete", 1),
    ("sweep", "IsComplete", 1, None, "Failed", 1),
    ("sweep", "IsComplete", 0, None, "Done", 0),
    ("sweep", "Claim", MARKED, {}, "Start", MARKED),
    ("sweep", "Claimed", {}, None, None, 0),
    ("sweep", "Start", MARKED, {"ExecutionArn": "arn"}, "Unmark", MARKED),
    ("sweep", "Unmark", MARKED, {}, None, 0),
    ("sweep", "Left", {}, None, None, 1),
    ("sweep", "Done", 0, None, None, 0),
    ("sweep", "Failed", {}, None, None, None),
]  # fmt: skip


def state_definition(machine: str, state: str) -> str:
    """Return the definition of a single state for TestState."""
    (fields,) = [
        it
        for level in levels(definition(machine))
        for key, it in level["States"].items()
        if key == state
    ]
    return json.dumps({"QueryLanguage": "JSONata", **fields})


def run_state(
    emulator: Emulator, machine: str, state: str, state_input: Any, **more: Any
) -> dict[str, Any]:
    answer: dict[str, Any] = emulator.client("stepfunctions").test_state(
        definition=state_definition(machine, state),
        input=json.dumps(state_input),
        inspectionLevel="DEBUG",
        **more,
    )
    return answer


def test_every_state_has_case() -> None:
    existing = {(machine, key) for machine in MACHINES for key, _ in states(machine)}
    assert {(case[0], case[1]) for case in CASES} == existing


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def test_state_returns_next_state_and_output(emulator: Emulator, case: Any) -> None:
    machine, state, state_input, result, following, output = case
    mock = {} if result is None else {"mock": {"result": json.dumps(result)}}
    answer = run_state(emulator, machine, state, state_input, **mock)
    if output is None:
        assert answer["status"] == "FAILED"
        return
    assert answer["status"] == "SUCCEEDED", answer
    assert answer.get("nextState") == following
    document = json.loads(answer["output"])
    assert (
        document == output if not isinstance(output, dict) else document.items() >= output.items()
    )


TASKS = [
    (machine, key, state)
    for machine in MACHINES
    for key, state in states(machine)
    if state["Type"] in {"Task", "Map"}
]
GIVEN = {(case[0], case[1]): case[2] for case in CASES}


@pytest.mark.parametrize(("machine", "key", "state"), TASKS, ids=lambda it: str(it)[:20])
def test_task_retries_and_catches_every_error(
    emulator: Emulator, machine: str, key: str, state: dict[str, Any]
) -> None:
    """After its last retry an error is caught; the output of the catcher omits the cause."""

    def fail(error: str, tries: int) -> dict[str, Any]:
        return run_state(
            emulator,
            machine,
            key,
            GIVEN[machine, key],
            mock={"errorOutput": {"error": error, "cause": "canary@example.com"}},
            stateConfiguration={"retrierRetryCount": tries},
        )

    for retrier in state.get("Retry", ()):
        for error in retrier["ErrorEquals"]:
            caught_by = next(
                it for it in state["Catch"] if {error, "States.ALL"} & set(it["ErrorEquals"])
            )
            assert fail(error, retrier["MaxAttempts"] - 1)["status"] == "RETRIABLE"
            after = fail(error, retrier["MaxAttempts"])
            assert (after["status"], after["nextState"]) == ("CAUGHT_ERROR", caught_by["Next"])
            assert "canary" not in after["output"]
    for catcher in state["Catch"]:
        error = catcher["ErrorEquals"][0].replace("States.ALL", "Some.Error")
        tries = [it["MaxAttempts"] for it in state.get("Retry", ()) if error in it["ErrorEquals"]]
        caught = fail(error, *tries or [0])
        assert (caught["status"], caught["nextState"]) == ("CAUGHT_ERROR", catcher["Next"])
        assert "canary" not in caught["output"]
        state_input = GIVEN[machine, key]
        if machine == "account" and key != "Validate":
            assert (
                json.loads(caught["output"]).items()
                >= {**IDS, "emailKey": state_input["emailKey"]}.items()
            )


@pytest.mark.parametrize(
    ("machine", "state", "state_input", "expected"),
    [
        ("admit", "Start", ADMITTED, "test"),
        ("admit", "Validate", {**IDS, "trusted": False}, "test"),
        ("admit", "SendProof", TO_PROVE, "test"),
        ("prove", "Start", {"requestId": "r1"}, "test"),
        *(
            ("prove", state, {**PROVED, "correlationId": "cf-1"}, "cf-1")
            for state in ("Create", "CreateIdentity", "PassOn")
        ),
        *(
            ("account", state, {**CARRIED, **state_input}, expected)
            for state in ("Validate", "Create", "CreateIdentity", "DeleteIdentity", "Park")
            # An operator starts an execution with the two ids only.
            for state_input, expected in (({"correlationId": "cf-1"}, "cf-1"), ({}, "a1"))
        ),
        ("import", "Inspect", {**PUT, "request-id": "s3-1"}, "s3-1"),
        ("import", "Inspect", PUT, "test"),
        ("import", "Admit", {"attempts": 0, "name": "s3-1.0", "body": ROW}, "s3-1.0"),
        ("import", "Report", IMPORT, "s3-1"),
        *(
            ("create", state, {**CARRIED, "run": "one", "correlationId": "cf-1"}, "cf-1")
            for state in ("Validate", "Create", "CreateIdentity", "PassOn")
        ),
        ("address", "ChangeAddress", CHANGE, "cf-1"),
        ("erase", "Step", ERASURE, "cf-1"),
        ("export", "Step", EXPORT, "cf-1"),
        ("sweep", "Start", MARKED, "cf-1"),
        ("recover", "Start", RECOVERED, "cf-1"),
        ("recover", "Park", RECOVERED, "cf-1"),
    ],
)
def test_state_passes_on_id_of_causing_request(
    emulator: Emulator, machine: str, state: str, state_input: Any, expected: str
) -> None:
    results = {
        "Validate": TOKEN if machine == "admit" else VALIDATED,
        "CreateIdentity": CREATED_USER,
        "Inspect": INSPECTED,
    }
    answer = run_state(
        emulator, machine, state, state_input, mock={"result": json.dumps(results.get(state, {}))}
    )
    arguments = json.dumps(json.loads(answer["inspectionData"]["afterArguments"]))
    names = "|".join(("correlationId", "correlation_id", "Name"))
    matches = re.findall(rf'"(?:{names})": (?:{{"S": )?"([^"]*)"', arguments.replace('\\"', '"'))
    assert expected in matches


def test_digest_is_independent_of_property_order(emulator: Emulator) -> None:
    one, other, changed = (
        json.loads(run_state(emulator, "admit", "DeriveIds", {"form": body})["output"])
        for body in (BODY, dict(reversed(BODY.items())), {**BODY, "locale": "hi"})
    )
    assert one["digest"] == other["digest"] != changed["digest"]
    assert one["accountId"] == changed["accountId"]
    assert len(one["accountId"]) == 32


def test_request_omits_empty_fields_of_row(emulator: Emulator) -> None:
    body = json.loads(run_state(emulator, "import", "BuildRequest", ITEM)["output"])["body"]
    assert body.keys() == {"requestId", "email", "name", "programme"}


@pytest.mark.parametrize(
    "optional", [{}, {"dateOfBirth": "2010-01-01", "programme": "m", "locale": "hi"}]
)
def test_store_writes_every_form_field(emulator: Emulator, optional: dict[str, str]) -> None:
    request_input = {**BODY, **optional}
    state_input = {"request": request_input, "accountId": "a1", "digest": "d1", "trusted": False}
    answer = run_state(emulator, "admit", "Store", state_input, mock={"result": "{}"})
    arguments = json.loads(answer["inspectionData"]["afterArguments"])
    request, person = (it["Put"]["Item"] for it in arguments["TransactItems"])
    assert not {"email", "name"} & request.keys()
    stored = {
        name: it["S"] for name, it in person.items() if "S" in it and name not in ("pk", "sk")
    }
    names = {"dateOfBirth": "date_of_birth"}
    expected = {names.get(name, name): value for name, value in request_input.items()}
    del expected["requestId"]
    assert stored.items() >= expected.items()
    assert "expires_at" in person


@pytest.mark.parametrize("count", [0, 1, 3])
def test_reasons_are_stored_as_list(emulator: Emulator, count: int) -> None:
    reasons = [{"code": str(it), "field": "f", "message": "m"} for it in range(count)]
    answer = run_state(
        emulator, "account", "CloseRequest", {**CARRIED, "reasons": reasons}, mock={"result": "{}"}
    )
    arguments = json.loads(answer["inspectionData"]["afterArguments"])
    values = arguments["TransactItems"][0]["Update"]["ExpressionAttributeValues"]
    assert [it["M"]["code"]["S"] for it in values[":reasons"]["L"]] == [
        it["code"] for it in reasons
    ]


@pytest.mark.parametrize(("free", "kind"), [(True, "ProofRequested"), (False, "AccountExists")])
def test_proof_of_taken_address_is_stored_expired(
    emulator: Emulator, free: bool, kind: str
) -> None:
    """The response is the same; only the email differs, and the proof isn't valid."""
    answer = run_state(
        emulator, "admit", "SendProof", {**TO_PROVE, "free": free}, mock={"result": "{}"}
    )
    arguments = json.loads(answer["inspectionData"]["afterArguments"])
    update, put = (arguments["TransactItems"][0]["Update"], arguments["TransactItems"][1]["Put"])
    values = update["ExpressionAttributeValues"]
    assert values[":proof"] == {"S": DIGEST}
    assert (int(values[":expires"]["N"]) > time.time()) == free
    assert put["Item"]["sk"] == {"S": f"OUTBOX#{kind}"}
    assert put["Item"]["proof"] == {"S": "r1.t1"}


def test_proof_starts_the_account_that_admit_stored(emulator: Emulator) -> None:
    stored = json.loads(run_state(emulator, "admit", "DeriveIds", {"form": BODY})["output"])
    answer = run_state(emulator, "prove", "Start", {"requestId": "r1"}, mock={"result": "{}"})
    arguments = json.loads(answer["inspectionData"]["afterArguments"])
    assert arguments["Input"]["accountId"] == stored["accountId"]
    assert arguments["Name"] == "r1"
    answer = run_state(emulator, "prove", "DeriveIds", PROOF)
    assert json.loads(answer["output"])["accountId"] == stored["accountId"]
