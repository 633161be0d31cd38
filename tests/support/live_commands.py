"""The documents' commands that tests/system/test_document_commands.py runs as they are written."""

from typing import Final

#: Command → a text of its output.
LIVE: Final = {
    "curl -u portal-write-key: http://localhost:8080/v1/track -d    "
    '\'{"anonymousId": "visitor-1", "event": "Opened a lesson", "properties": {"lesson": 7}}\'': "",
    "make compact": "",
    "make help": "make run",
    "make invoke FUNCTION=ValidateFunction EVENT=events/stepfunctions/validate.json": '"expired"',
    "make logs": "cloudfront",
    "make logs FUNCTION=EdgeAuthFunction": "EdgeAuthFunction",
    "make logs TRACE=<request ID> FOLLOW=0": "EdgeIngestFunction",
    "make reconcile STAGE=<stage> REGION=<region>": "",
    "make reconcile": "",
    "make redrive STAGE=<stage> REGION=<region>": "",
    "make redrive": "",
    "make setup": "",
    "make sql Q=\"SELECT * FROM events_once WHERE message_id = '…'\"": "message_id",
    "make sql": "",
    "make sql Q='SELECT reason_code, reason FROM bad_rows_open'": "reason_code",
    "make sql Q='SELECT verdict, count(*) FROM events GROUP BY 1'": "good",
    "make student EMAIL=asha@example.com": "(not in the group",
    "make student EMAIL=asha@example.com PAYING=1": "(in the group",
    "make student EMAIL=kofi@example.com STAFF=1": "in the group staff",
    "make trace ID=<request ID>": "row good",
    "make verify RESTORE=1 STAGE=<stage> REGION=<region>": "",
    "make verify STAGE=<stage> REGION=<region>": "",
    "make verify": "",
}
