"""The inbox of the students' feedback: from the queue of each Region to items with marks."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from office.aws_calls import call, error_code
from office.errors import UnavailableError, UnknownFeedbackError
from office.intake import Intake, Item, Message, item_id
from office.office_table import time_text

#: One page of the inbox.
PAGE: Final = 25
#: Answered or not, feedback is kept for a year after it was taken in, in seconds.
KEPT_S: Final = 365 * 86_400
MARKS: Final = ("new", "read", "answered")
_PK: Final = "FEEDBACK"


class Inbox:
    """The feedback of all Regions. `intakes` has one per Region, with the queue's URL."""

    def __init__(
        self,
        dynamodb: Any,
        table: str,
        intakes: Mapping[str, tuple[Intake, str]],
        now_ms: Callable[[], int],
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._intakes = intakes
        self._now_ms = now_ms

    def page(self, after: str) -> dict[str, Any]:
        """Return the feedback that is older than `after`, newest first; "" for the newest.

        A Region whose queue can't be read is named in `missing`.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        missing = [] if after else self._take_in()
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :feedback",
            "ExpressionAttributeValues": {":feedback": {"S": _PK}},
            "ScanIndexForward": False,
            "Limit": PAGE,
            "ConsistentRead": True,
        }
        if after:
            request["ExclusiveStartKey"] = _key(after)
        result = call(lambda: self._dynamodb.query(**request))
        answer: dict[str, Any] = {
            "feedback": [_document(it) for it in result["Items"]],
            "missing": missing,
        }
        if "LastEvaluatedKey" in result:
            answer["next"] = result["LastEvaluatedKey"]["sk"]["S"]
        return answer

    def _take_in(self) -> list[str]:
        missing = []
        for region_name, (intake, url) in self._intakes.items():
            try:
                intake.take_in(url, partial(self._item, region_name))
            except UnavailableError:
                # The feedback of the other Regions is readable, and this one's waits in its queue.
                missing.append(region_name)
        return missing

    def _item(self, region_name: str, message: Message) -> Item:
        body = json.loads(message["Body"])
        attributes = message.get("MessageAttributes", {})
        return {
            **_key(item_id(message)),
            "student": {"S": attributes.get("student", {}).get("StringValue", "")},
            "message": {"S": str(body["message"])},
            "topic": {"S": str(body.get("topic", ""))},
            "received_in": {"S": region_name},
            "mark": {"S": MARKS[0]},
            "expires_at": {"N": str(self._now_ms() // 1000 + KEPT_S)},
        }

    def mark(self, feedback_id: str, mark: str, by: str) -> dict[str, Any]:
        """Mark feedback, and return it. The last of several marks counts.

        Raises:
            UnknownFeedbackError: There is none with this id.
            UnavailableError: DynamoDB failed.
        """
        from botocore.exceptions import ClientError

        def send() -> Any:
            try:
                return self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_key(feedback_id),
                    ConditionExpression="attribute_exists(pk)",
                    UpdateExpression="SET mark = :mark, by_email = :by, marked_at = :now",
                    ExpressionAttributeValues={
                        ":mark": {"S": mark},
                        ":by": {"S": by},
                        ":now": {"N": str(self._now_ms())},
                    },
                    ReturnValues="ALL_NEW",
                )
            except ClientError as error:
                if error_code(error) == "ConditionalCheckFailedException":
                    raise UnknownFeedbackError("No feedback has this id.") from error
                raise

        return _document(call(send)["Attributes"])


def _document(item: Mapping[str, Any]) -> dict[str, Any]:
    def text(name: str) -> str:
        return str(item.get(name, {}).get("S", ""))

    feedback_id = text("sk")
    return {
        "feedbackId": feedback_id,
        "sentAt": time_text(int(feedback_id.partition("-")[0])),
        "studentId": text("student"),
        "topic": text("topic"),
        "message": text("message"),
        "receivedIn": text("received_in"),
        "mark": text("mark"),
        "by": text("by_email"),
    }


def _key(feedback_id: str) -> Item:
    return {"pk": {"S": _PK}, "sk": {"S": feedback_id}}
