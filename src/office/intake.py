"""Move the messages of a queue to items, because SQS has no operation that lists messages."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from office.aws_calls import call, error_code

#: SQS, ReceiveMessage: at most 10. More messages wait for the next list.
BATCH: Final = 10
MAX_BATCHES: Final = 5
#: While the item is written, no other list gets the message, in seconds.
VISIBILITY_S: Final = 30

type Item = dict[str, Any]
type Message = Mapping[str, Any]


def item_id(message: Message) -> str:
    """Return an id that is the same at each delivery, and grows with the time of sending."""
    return f"{message['Attributes']['SentTimestamp']}-{message['MessageId']}"


class Intake:
    """Low-level clients of SQS and DynamoDB, and the table's name."""

    def __init__(self, sqs: Any, dynamodb: Any, table: str) -> None:
        self._sqs = sqs
        self._dynamodb = dynamodb
        self._table = table

    def take_in(self, queue_url: str, item_of: Callable[[Message], Item]) -> None:
        """Move at most MAX_BATCHES * BATCH messages: each is deleted after its item is stored.

        Raises:
            UnavailableError: A service failed. The messages that weren't moved stay in the queue.
        """
        for _ in range(MAX_BATCHES):
            page = call(
                lambda: self._sqs.receive_message(
                    QueueUrl=queue_url,
                    MaxNumberOfMessages=BATCH,
                    VisibilityTimeout=VISIBILITY_S,
                    MessageSystemAttributeNames=["SentTimestamp"],
                    MessageAttributeNames=["All"],
                )
            )
            messages = page.get("Messages", [])
            for message in messages:
                try:
                    item = item_of(message)
                except (KeyError, ValueError):
                    # Sent by hand in another format. After five deliveries, SQS moves it to the
                    # dead-letter queue, if there is one.
                    continue
                self._move(queue_url, message, item)
            if not messages:
                return

    def _move(self, queue_url: str, message: Message, item: Item) -> None:
        from botocore.exceptions import ClientError

        def send() -> None:
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=item,
                    # A message that was delivered again: its item may have been changed.
                    ConditionExpression="attribute_not_exists(pk)",
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
            handle = message["ReceiptHandle"]
            self._sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=handle)

        call(send)
