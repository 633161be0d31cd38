"""In-memory fakes of the AWS clients that the adapters use."""

from typing import Any

from botocore.exceptions import ClientError

from stepfunctions.settings import Settings

PERSON = {
    "pk": "ACCOUNT#a1",
    "sk": "PERSON",
    "email": "Anna@Example.com",
    "name": "Anna",
    "locale": "vi",
}
ACTIVE = {"pk": "ACCOUNT#a1", "sk": "ACCOUNT", "status": "active"}
SETTINGS = Settings(
    region="us-east-1",
    accounts_table="accounts",
    sent_table="sent",
    user_pool_id="pool",
    event_bus_name="bus",
    sender="school@example.com",
    configuration_set="meridian-test",
    portal_url="https://school.example",
    dead_letter_queue_url="https://queue",
    appointments_table="appointments",
    profiles_table="profiles",
    notifications_arn="arn:aws:sqs:us-east-1:000000000000:meridian-test-notifications.fifo",
    schedule_prefix="meridian-test-reminder-",
    schedule_role_arn="arn:aws:iam::000000000000:role/reminders",
    schedule_dead_letters_arn="arn:aws:sqs:us-east-1:000000000000:meridian-test-rule-dead-letters",
)


def client_error(code: str, status: int = 400) -> ClientError:
    """Return an error as botocore raises it; the code under test must not repeat its message."""
    answer: Any = {
        "Error": {"Code": code, "Message": "canary@example.com is rejected"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "Operation")


class Table:
    """A DynamoDB table: items by pk and sk, and errors to raise before the next calls."""

    def __init__(self, *items: dict[str, str]) -> None:
        self.items = {(it["pk"], it["sk"]): to_item(it) for it in items}
        self.errors: list[ClientError] = []

    def get_item(self, TableName: str, Key: Any, ConsistentRead: bool) -> Any:  # noqa: N803 - boto3's
        assert ConsistentRead
        self._fail()
        item = self.items.get((Key["pk"]["S"], Key["sk"]["S"]))
        return {"Item": item} if item else {}

    def query(self, ConsistentRead: bool, ExpressionAttributeValues: Any, **_given: str) -> Any:  # noqa: N803 - boto3's
        assert ConsistentRead
        self._fail()
        pk = ExpressionAttributeValues[":pk"]["S"]
        return {"Items": [item for key, item in self.items.items() if key[0] == pk]}

    def put_item(self, TableName: str, Item: Any, ConditionExpression: str) -> Any:  # noqa: N803 - boto3's
        assert ConditionExpression == "attribute_not_exists(pk)"
        self._fail()
        key = (Item["pk"]["S"], Item["sk"]["S"])
        if key in self.items:
            raise client_error("ConditionalCheckFailedException")
        self.items[key] = Item
        return {}

    def update_item(self, **arguments: Any) -> Any:
        """Set attributes of an existing item."""
        assert arguments["ConditionExpression"] == "attribute_exists(pk)"
        self._fail()
        key = (arguments["Key"]["pk"]["S"], arguments["Key"]["sk"]["S"])
        if key not in self.items:
            raise client_error("ConditionalCheckFailedException")
        names, values = (
            arguments["ExpressionAttributeNames"],
            arguments["ExpressionAttributeValues"],
        )
        for part in arguments["UpdateExpression"].removeprefix("SET ").split(", "):
            name, value = part.split(" = ")
            self.items[key] = {**self.items[key], names[name]: values[value]}
        return {}

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803 - boto3's
        """Return two items per call and the other keys as unprocessed, as DynamoDB can."""
        self._fail()
        ((name, wanted),) = RequestItems.items()
        now, later = wanted["Keys"][:2], wanted["Keys"][2:]
        items = [self.items.get((key["pk"]["S"], key["sk"]["S"])) for key in now]
        answer: dict[str, Any] = {"Responses": {name: [it for it in items if it]}}
        if later:
            answer["UnprocessedKeys"] = {name: {**wanted, "Keys": later}}
        return answer

    def _fail(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


class Pool:
    """A Cognito user pool with the email address as username.

    `status` is the status of new users: CONFIRMED if the pool accepts users without a password.
    """

    def __init__(self, status: str = "CONFIRMED") -> None:
        self.status = status
        self.statuses: dict[str, str] = {}
        self.users: dict[str, list[dict[str, str]]] = {}
        self.errors: list[ClientError] = []

    def admin_create_user(self, **arguments: Any) -> Any:
        self._fail()
        assert arguments["MessageAction"] == "SUPPRESS"
        if arguments["Username"] in self.users:
            raise client_error("UsernameExistsException")
        attributes = [
            *arguments["UserAttributes"],
            {"Name": "sub", "Value": f"sub-{len(self.users)}"},
        ]
        self.users[arguments["Username"]] = attributes
        self.statuses[arguments["Username"]] = self.status
        return {"User": {"Attributes": attributes, "UserStatus": self.status}}

    def admin_set_user_password(self, **arguments: Any) -> Any:
        self._fail()
        assert arguments["Permanent"]
        assert len(arguments["Password"]) >= 12
        self.statuses[arguments["Username"]] = "CONFIRMED"
        return {}

    def admin_get_user(self, **arguments: Any) -> Any:
        self._fail()
        if arguments["Username"] not in self.users:
            raise client_error("UserNotFoundException")
        email = arguments["Username"]
        return {"UserAttributes": self.users[email], "UserStatus": self.statuses[email]}

    def admin_update_user_attributes(self, **arguments: Any) -> Any:
        self._fail()
        email = arguments["Username"]
        attributes = [*self.users[email], *arguments["UserAttributes"]]
        values = {it["Name"]: it["Value"] for it in attributes}
        self.users[email] = [{"Name": name, "Value": values[name]} for name in values]
        return {}

    def admin_delete_user(self, **arguments: Any) -> Any:
        self._fail()
        if self.users.pop(arguments["Username"], None) is None:
            raise client_error("UserNotFoundException")
        return {}

    def _fail(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


class EventBus:
    """An event bus that rejects entries by their index over all calls."""

    def __init__(self, rejected: set[int]) -> None:
        self.accepted: list[str] = []
        self._rejected = rejected
        self._seen = 0

    def put_events(self, Entries: Any) -> Any:  # noqa: N803 - boto3's
        assert 1 <= len(Entries) <= 10
        answers: list[dict[str, str]] = []
        for entry in Entries:
            if self._seen in self._rejected:
                answers.append({"ErrorCode": "ThrottlingException"})
            else:
                self.accepted.append(entry["Detail"])
                answers.append({"EventId": "1"})
            self._seen += 1
        return {"Entries": answers}


def to_item(item: dict[str, str]) -> dict[str, dict[str, str]]:
    return {name: {"S": value} for name, value in item.items()}
