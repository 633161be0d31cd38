"""The adapter of the queue `parked`, its items in the office's table, and the account workflow.

The intake moves the messages to items `PARKED` / `<parkedId>`.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from office.aws_calls import call, error_code
from office.intake import Intake, item_id
from office.office_table import VIEW_S
from office.parked import Parked, Progress

MAX_LISTED: Final = 25
#: As in account.asl.yaml: Step Functions lets the execution's name be used again after 90 days.
WITHDRAWN_S: Final = 90 * 86_400


class ParkedQueue:
    """Low-level clients of SQS, DynamoDB and Step Functions."""

    def __init__(
        self,
        sqs: Any,
        dynamodb: Any,
        states: Any,
        *,
        queue_url: str,
        office: str,
        accounts: str,
        machine: str,
        region: str,
    ) -> None:
        self._intake = Intake(sqs, dynamodb, office)
        self._dynamodb = dynamodb
        self._states = states
        self._url = queue_url
        self._office = office
        self._accounts = accounts
        self._machine = machine
        self._region = region

    def take_in(self) -> None:
        """Move the queue's messages to the table.

        Raises:
            UnavailableError: A service failed. The messages that weren't moved stay in the queue.
        """
        self._intake.take_in(self._url, _item)

    def listed(self) -> tuple[list[Parked], bool]:
        """Return the newest parked requests, at most MAX_LISTED, and whether there are more.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        page = call(
            lambda: self._dynamodb.query(
                TableName=self._office,
                KeyConditionExpression="pk = :parked",
                ExpressionAttributeValues={":parked": {"S": "PARKED"}},
                ScanIndexForward=False,
                Limit=MAX_LISTED,
                ConsistentRead=True,
            )
        )
        return [_parked(it) for it in page["Items"]], "LastEvaluatedKey" in page

    def parked(self, parked_id: str) -> Parked | None:
        """Return a parked request, or None.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        page = call(
            lambda: self._dynamodb.get_item(
                TableName=self._office, Key=_key("PARKED", parked_id), ConsistentRead=True
            )
        )
        return _parked(page["Item"]) if "Item" in page else None

    def progress(self, parked: Parked) -> Progress:
        """Return the account's status, and whether the form exists, with its address.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        account = self._account_item(parked, "ACCOUNT")
        form = self._account_item(parked, "PERSON")
        email = form.get("email", {}).get("S", "")
        return Progress(account.get("status", {}).get("S", ""), bool(form), email)

    def _account_item(self, parked: Parked, kind: str) -> Mapping[str, Any]:
        # The role allows these attributes only: the form's address tells whose account waits.
        page = call(
            lambda: self._dynamodb.get_item(
                TableName=self._accounts,
                Key=_key(f"ACCOUNT#{parked.account}", kind),
                ConsistentRead=True,
                ProjectionExpression="pk, sk, #status, email",
                ExpressionAttributeNames={"#status": "status"},
            )
        )
        item: Mapping[str, Any] = page.get("Item", {})
        return item

    def note(self, parked: Parked, action: str, reason: str, by: str, now_ms: int) -> None:
        """Record who acted, when and why; the record is kept as long as those of reads.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        call(
            lambda: self._dynamodb.update_item(
                TableName=self._office,
                Key=_key("PARKED", parked.id),
                UpdateExpression=(
                    "SET #action = :action, reason = :reason, by_email = :by, handled_at = :now, "
                    "expires_at = :expires"
                ),
                ExpressionAttributeNames={"#action": "action"},
                ExpressionAttributeValues={
                    ":action": {"S": action},
                    ":reason": {"S": reason},
                    ":by": {"S": by},
                    ":now": {"N": str(now_ms)},
                    ":expires": {"N": str(now_ms // 1000 + VIEW_S)},
                },
            )
        )

    def withdraw(self, parked: Parked, now_ms: int) -> bool:
        """Set the account's status as the state Withdraw does; False if the account is active.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        from botocore.exceptions import ClientError

        def send() -> bool:
            try:
                self._dynamodb.update_item(
                    TableName=self._accounts,
                    Key=_key(f"ACCOUNT#{parked.account}", "ACCOUNT"),
                    ConditionExpression=(
                        "attribute_not_exists(pk) OR #status IN (:pending, :withdrawn)"
                    ),
                    UpdateExpression=(
                        "SET #status = :withdrawn, origin_region = :origin, expires_at = :expires"
                    ),
                    ExpressionAttributeNames={"#status": "status"},
                    ExpressionAttributeValues={
                        ":pending": {"S": "pending"},
                        ":withdrawn": {"S": "withdrawn"},
                        ":origin": {"S": self._region},
                        ":expires": {"N": str(now_ms // 1000 + WITHDRAWN_S)},
                    },
                )
            except ClientError as error:
                if error_code(error) == "ConditionalCheckFailedException":
                    return False
                raise
            return True

        return call(send)

    def start(self, parked: Parked, name: str) -> None:
        """Start the account workflow; the same name starts it once.

        Raises:
            UnavailableError: Step Functions failed.
        """
        from botocore.exceptions import ClientError

        ids = {
            "requestId": parked.request,
            "accountId": parked.account,
            "correlationId": parked.correlation,
            "trusted": parked.trusted,
        }

        def send() -> None:
            try:
                self._states.start_execution(
                    stateMachineArn=self._machine, name=name, input=json.dumps(ids)
                )
            except ClientError as error:
                # "StartExecution is idempotent for STANDARD workflows" while the execution runs.
                if error_code(error) != "ExecutionAlreadyExists":
                    raise

        call(send)


def _item(message: Mapping[str, Any]) -> dict[str, Any]:
    sent_ms = int(message["Attributes"]["SentTimestamp"])
    body = json.loads(message["Body"])
    return {
        **_key("PARKED", item_id(message)),
        "at_ms": {"N": str(sent_ms)},
        "request_id": {"S": str(body["requestId"])},
        "account_id": {"S": str(body["accountId"])},
        "correlation_id": {"S": str(body.get("correlationId", body["accountId"]))},
        "error": {"S": str(body.get("error", ""))},
        # An earlier version's message says nothing: as without it before.
        "trusted": {"BOOL": body.get("trusted") is True},
    }


def _parked(item: Mapping[str, Any]) -> Parked:
    def text(name: str) -> str:
        return str(item.get(name, {}).get("S", ""))

    return Parked(
        text("sk"),
        text("request_id"),
        text("account_id"),
        text("correlation_id"),
        text("error"),
        int(item["at_ms"]["N"]),
        text("action"),
        text("reason"),
        text("by_email"),
        trusted=bool(item.get("trusted", {}).get("BOOL")),
    )


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}
