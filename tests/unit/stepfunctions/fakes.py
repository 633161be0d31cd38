"""AWS in memory, as far as this room's adapters know it."""

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
    bus="bus",
    sender="school@example.com",
    portal_url="https://school.example",
    dead_letters="https://queue",
)


def refusal(code: str, status: int = 400) -> ClientError:
    """An error as botocore raises it; its message is what must not be repeated."""
    answer: Any = {
        "Error": {"Code": code, "Message": "canary@example.com is refused"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "Operation")


class Table:
    """One table: items by pk and sk, and errors that come first."""

    def __init__(self, *items: dict[str, str]) -> None:
        self.items = {(it["pk"], it["sk"]): wire(it) for it in items}
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
            raise refusal("ConditionalCheckFailedException")
        self.items[key] = Item
        return {}

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803 - boto3's
        """Answer two keys at a time: the rest is unprocessed, as it may be."""
        self._fail()
        ((name, wanted),) = RequestItems.items()
        now, later = wanted["Keys"][:2], wanted["Keys"][2:]
        found = [self.items.get((key["pk"]["S"], key["sk"]["S"])) for key in now]
        answer: dict[str, Any] = {"Responses": {name: [it for it in found if it]}}
        if later:
            answer["UnprocessedKeys"] = {name: {**wanted, "Keys": later}}
        return answer

    def _fail(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


class Pool:
    """A user pool whose users are named by their address."""

    def __init__(self) -> None:
        self.users: dict[str, list[dict[str, str]]] = {}
        self.errors: list[ClientError] = []

    def admin_create_user(self, **given: Any) -> Any:
        self._fail()
        assert given["MessageAction"] == "SUPPRESS"
        if given["Username"] in self.users:
            raise refusal("UsernameExistsException")
        attributes = [*given["UserAttributes"], {"Name": "sub", "Value": f"sub-{len(self.users)}"}]
        self.users[given["Username"]] = attributes
        return {"User": {"Attributes": attributes}}

    def admin_get_user(self, **given: Any) -> Any:
        self._fail()
        if given["Username"] not in self.users:
            raise refusal("UserNotFoundException")
        return {"UserAttributes": self.users[given["Username"]]}

    def admin_delete_user(self, **given: Any) -> Any:
        self._fail()
        if self.users.pop(given["Username"], None) is None:
            raise refusal("UserNotFoundException")
        return {}

    def _fail(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


class Bus:
    """A bus that refuses entries by their place in the whole of what it was given."""

    def __init__(self, refused: set[int]) -> None:
        self.taken: list[str] = []
        self._refused = refused
        self._seen = 0

    def put_events(self, Entries: Any) -> Any:  # noqa: N803 - boto3's
        assert 1 <= len(Entries) <= 10
        answers: list[dict[str, str]] = []
        for entry in Entries:
            if self._seen in self._refused:
                answers.append({"ErrorCode": "ThrottlingException"})
            else:
                self.taken.append(entry["Detail"])
                answers.append({"EventId": "1"})
            self._seen += 1
        return {"Entries": answers}


def wire(item: dict[str, str]) -> dict[str, dict[str, str]]:
    return {name: {"S": value} for name, value in item.items()}
