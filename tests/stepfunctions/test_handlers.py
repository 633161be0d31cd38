"""The handlers at their boundary: any legal event gives a legal answer, or one of our errors."""

import json
from io import BytesIO
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepfunctions import (
    dead_letters,
    identity,
    importer,
    mail,
    notify,
    relay,
    telemetry,
    validate,
)
from stepfunctions import settings as environment
from stepfunctions.accounts import Accounts
from stepfunctions.errors import (
    AbsentError,
    IdentityTakenError,
    OutboxError,
    RefusedError,
    SchoolError,
    SettingsError,
    TransientError,
)
from stepfunctions.outbox import Message
from stepfunctions.roster import request_id
from stepfunctions.settings import Settings
from stepfunctions.users import Users
from tests import strategies
from tests.stacks.test_templates import resources
from tests.stepfunctions.definitions import STACK
from tests.stepfunctions.fakes import Bus, Pool, Table, refusal, wire

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
#: A fixture that is made once for many examples is meant to be.
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (validate, identity, relay, notify, importer):
        monkeypatch.setattr(module, "settings", lambda: SETTINGS)


# --- validate -------------------------------------------------------------------------------------


def validated(monkeypatch: pytest.MonkeyPatch, table: Table) -> dict[str, Any]:
    accounts = Accounts("accounts", table)  # type: ignore[arg-type] # a fake
    monkeypatch.setattr(validate, "accounts", lambda: accounts)
    monkeypatch.setattr(validate, "secret", accounts.secret)
    return validate.lambda_handler({"accountId": "a1"}, None)


def test_a_good_request_gets_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(PERSON)
    first = validated(monkeypatch, table)
    assert (first["valid"], first["reasons"]) == (True, [])
    other = Table({**PERSON, "email": "ANNA@example.COM"})
    other.items["SECRET", "EMAIL"] = table.items["SECRET", "EMAIL"]
    assert validated(monkeypatch, other)["emailKey"] == first["emailKey"]
    assert validated(monkeypatch, Table(PERSON))["emailKey"] != first["emailKey"]


@pytest.mark.parametrize(("owner", "free"), [("a1", True), ("a2", False)])
def test_an_address_is_free_for_whose_it_is(
    monkeypatch: pytest.MonkeyPatch, owner: str, free: bool
) -> None:
    table = Table(PERSON)
    key = validated(monkeypatch, table)["emailKey"]
    row = {"pk": f"EMAIL#{key}", "sk": "EMAIL", "account_id": owner}
    table.items[row["pk"], row["sk"]] = wire(row)
    answer = validated(monkeypatch, table)
    assert (answer["valid"], answer["free"]) == (True, free)
    assert [it["code"] for it in answer["reasons"]] == ([] if free else ["taken"])


@pytest.mark.parametrize("status", ["pending", "active", "withdrawn"])
def test_what_became_of_an_account_is_said(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    for person in ((PERSON,), ()):
        answer = validated(monkeypatch, Table({**ACTIVE, "status": status}, *person))
        assert answer["status"] == status
    assert validated(monkeypatch, Table(PERSON))["status"] == ""


def test_whoever_comes_second_takes_the_first_ones_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(PERSON)
    accounts = Accounts("accounts", table)  # type: ignore[arg-type] # a fake
    read = table.get_item
    seen: list[int] = []

    def late(**given: Any) -> Any:
        answer = read(**given)
        if given["Key"]["pk"]["S"] == "SECRET" and not seen:
            seen.append(1)
            Accounts("accounts", table).secret()  # type: ignore[arg-type] # a fake
            return {}
        return answer

    monkeypatch.setattr(table, "get_item", late)
    assert accounts.secret() == Accounts("accounts", table).secret()  # type: ignore[arg-type] # a fake


def test_a_request_whose_words_expired_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = validated(monkeypatch, Table())
    assert (answer["valid"], answer["reasons"][0]["code"]) == (False, "expired")


@shared
@given(strategies.form_fields())
def test_any_form_gives_a_verdict_and_no_word_of_it(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, str | None]
) -> None:
    written = {name: f"{value} canary" for name, value in fields.items() if value is not None}
    answer = validated(monkeypatch, Table({"pk": "ACCOUNT#a1", "sk": "PERSON", **written}))
    assert answer.keys() == {"valid", "free", "reasons", "emailKey", "status"}
    assert answer["valid"] == (not answer["reasons"]) == bool(answer["emailKey"])
    assert "canary" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (refusal("ThrottlingException"), TransientError),
        (refusal("Whatever", 503), TransientError),
        (refusal("ValidationException"), RefusedError),
    ],
)
def test_what_dynamodb_says_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, error: Any, ours: type[SchoolError]
) -> None:
    table = Table(PERSON)
    table.errors = [error]
    with pytest.raises(ours) as caught:
        validated(monkeypatch, table)
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__


# --- identity -------------------------------------------------------------------------------------


def asked(
    monkeypatch: pytest.MonkeyPatch, pool: Pool, action: str, account: str = "a1", **changes: str
) -> dict[str, Any]:
    table = Table({**PERSON, "pk": f"ACCOUNT#{account}", **changes})
    accounts = Accounts("accounts", table)  # type: ignore[arg-type] # a fake
    users = Users("pool", pool)  # type: ignore[arg-type] # a fake
    monkeypatch.setattr(identity, "accounts", lambda: accounts)
    monkeypatch.setattr(identity, "users", lambda: users)
    return identity.lambda_handler({"action": action, "accountId": account}, None)


def test_a_user_is_made_once_and_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool()
    first = asked(monkeypatch, pool, "create")
    assert first["sub"]
    assert first == asked(monkeypatch, pool, "create")
    assert list(pool.users) == ["anna@example.com"]


def test_another_accounts_user_is_neither_taken_nor_deleted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = Pool()
    asked(monkeypatch, pool, "create")
    with pytest.raises(IdentityTakenError):
        asked(monkeypatch, pool, "create", "a2")
    asked(monkeypatch, pool, "delete", "a2")
    assert list(pool.users) == ["anna@example.com"]


def test_deleting_twice_is_deleting_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool()
    asked(monkeypatch, pool, "create")
    for _ in range(2):
        assert asked(monkeypatch, pool, "delete") == {"sub": ""}
    assert pool.users == {}


def test_what_was_never_an_address_has_no_user(monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, Pool(), "delete", email="nobody")
    with pytest.raises(AbsentError):
        asked(monkeypatch, Pool(), "create", email="nobody")


def test_a_user_who_is_gone_again_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool()
    pool.errors = [refusal("UsernameExistsException")]
    with pytest.raises(TransientError):
        asked(monkeypatch, pool, "create")


# --- relay ----------------------------------------------------------------------------------------


def streamed(number: int) -> dict[str, Any]:
    keys = {"pk": {"S": f"ACCOUNT#a{number}"}, "sk": {"S": "OUTBOX#AccountCreated"}}
    return {"dynamodb": {"Keys": keys, "SequenceNumber": str(1000 + number)}}


@shared
@given(st.integers(1, 45), st.sets(st.integers(0, 60), max_size=4))
def test_the_bus_has_everything_before_what_is_reported(
    monkeypatch: pytest.MonkeyPatch, count: int, refused: set[int]
) -> None:
    bus = Bus(refused)
    monkeypatch.setattr(relay, "client", lambda: bus)
    answer = relay.lambda_handler({"Records": [streamed(it) for it in range(count)]}, None)
    taken = [json.loads(it)["accountId"] for it in bus.taken]
    failures = answer["batchItemFailures"]
    first = int(failures[0]["itemIdentifier"]) - 1000 if failures else count
    assert len(failures) <= 1
    assert {f"a{it}" for it in range(first)} <= set(taken)
    assert first == min((it for it in refused if it < count), default=count)


@pytest.mark.parametrize(
    "record", [{}, {"dynamodb": {"Keys": {"pk": {"S": "X#1"}, "sk": {"S": "Y"}}}}]
)
def test_what_is_no_row_of_the_outbox_is_said(record: dict[str, Any]) -> None:
    with pytest.raises(OutboxError):
        relay.lambda_handler({"Records": [record]}, None)


# --- notify ---------------------------------------------------------------------------------------


def delivered(body: object, number: int = 1) -> dict[str, Any]:
    return {"messageId": f"m{number}", "body": json.dumps(body)}


GOOD = Message("a1/AccountCreated", "a1", "AccountCreated").document()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The letters, and a notifier without its memory."""
    letters: list[tuple[str, str]] = []
    monkeypatch.setattr(
        mail, "send", lambda _from, to, letter, _id: letters.append((to, letter.subject))
    )
    monkeypatch.setattr(notify, "_once", lambda: lambda message, _context: notify.tell(message))
    return letters


class Context:
    """An invocation whose time goes by with each look at it."""

    def __init__(self, *left_ms: int) -> None:
        self.left_ms = list(left_ms)

    def get_remaining_time_in_millis(self) -> int:
        return self.left_ms.pop(0) if self.left_ms else 20_000


def told(
    monkeypatch: pytest.MonkeyPatch, *records: dict[str, Any], items: Any = (), left: Any = ()
) -> Any:
    accounts = Accounts("accounts", Table(*items))  # type: ignore[arg-type] # a fake
    monkeypatch.setattr(notify, "accounts", lambda: accounts)
    return notify.lambda_handler({"Records": list(records)}, Context(*left))


def test_what_becomes_of_letters_is_counted_and_nobody_is_named(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dead_letters, "put", lambda *_given: None)
    withdrawn = {**ACTIVE, "pk": "ACCOUNT#a2", "status": "withdrawn"}
    other = Message("a2/AccountCreated", "a2", "AccountCreated").document()
    records = [delivered(GOOD, 1), delivered("no object", 2), delivered(other, 3)]
    told(monkeypatch, *records, items=(PERSON, ACTIVE, withdrawn))
    said = capsys.readouterr().out
    counted = json.loads(next(line for line in said.splitlines() if "_aws" in line))
    assert {name: counted[name] for name in notify.COUNTED.values()} == {
        "LettersSent": [1],
        "LettersToNobody": [1],
        "LettersRefused": [1],
    }
    assert "anna" not in said.lower()


def test_a_part_of_a_trace_needs_no_trace() -> None:
    with telemetry.part("letter", outbox="a1/AccountCreated"):
        pass


def test_no_letter_is_begun_that_may_not_be_finished(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any]
) -> None:
    records = [delivered(GOOD, number) for number in range(4)]
    left = (notify.ROOM_MS, notify.ROOM_MS - 1)
    answer = told(monkeypatch, *records, items=(PERSON, ACTIVE), left=left)
    assert [it["itemIdentifier"] for it in answer["batchItemFailures"]] == ["m2", "m3"]
    assert len(sent) == 2


def test_one_letter_fits_into_the_notifiers_time() -> None:
    """The first is always begun: there would be no end to beginning otherwise."""
    properties = resources(STACK)["NotifyFunction"]["Properties"]
    assert mail.READ_S * 1000 + 2_000 < notify.ROOM_MS < properties["Timeout"] * 1000


def test_an_active_account_is_written_to(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = told(monkeypatch, delivered(GOOD), items=(PERSON, ACTIVE))
    assert answer == {"batchItemFailures": []}
    assert sent == [("anna@example.com", "Chào mừng bạn đến với trường")]
    assert "anna" not in capsys.readouterr().out.lower()


@pytest.mark.parametrize(
    "items", [(), (PERSON,), (ACTIVE,), (PERSON, {**ACTIVE, "status": "withdrawn"})]
)
def test_who_has_no_account_hears_nothing(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], items: Any
) -> None:
    assert told(monkeypatch, delivered(GOOD), items=items) == {"batchItemFailures": []}
    assert sent == []


def test_a_failure_brings_back_what_follows_it(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any]
) -> None:
    monkeypatch.setattr(mail, "send", lambda *given: _second(sent))
    records = [delivered(GOOD, number) for number in range(4)]
    answer = told(monkeypatch, *records, items=(PERSON, ACTIVE))
    assert [it["itemIdentifier"] for it in answer["batchItemFailures"]] == ["m1", "m2", "m3"]


def _second(sent: list[Any]) -> None:
    if sent:
        raise TransientError("SES asks for patience.")
    sent.append(("x", "y"))


def test_what_is_refused_holds_up_nobody(monkeypatch: pytest.MonkeyPatch, sent: list[Any]) -> None:
    dead: list[str] = []
    monkeypatch.setattr(dead_letters, "put", lambda _url, number, _body: dead.append(number))
    records = [delivered("no object", 1), delivered({"outboxId": 1}, 2), delivered(GOOD, 3)]
    records.append({"messageId": "m4", "body": "no JSON"})
    answer = told(monkeypatch, *records, items=(PERSON, ACTIVE))
    assert answer == {"batchItemFailures": []}
    assert dead == ["m1", "m2", "m4"]
    assert len(sent) == 1


@shared
@given(st.lists(strategies.json_values(), min_size=1, max_size=5))
def test_any_body_is_delivered_or_dead(
    monkeypatch: pytest.MonkeyPatch, sent: list[Any], bodies: list[Any]
) -> None:
    dead: list[str] = []
    monkeypatch.setattr(dead_letters, "put", lambda _url, number, _body: dead.append(number))
    records = [delivered(body, number) for number, body in enumerate(bodies)]
    assert told(monkeypatch, *records) == {"batchItemFailures": []}
    assert len(dead) <= len(bodies)
    assert sent == []


# --- import ---------------------------------------------------------------------------------------


class Storage:
    def __init__(self, content: bytes) -> None:
        self.content = content
        self.put: dict[str, str] = {}

    def get_object(self, **_given: str) -> Any:
        return {"Body": BytesIO(self.content)}

    def put_object(self, **given: Any) -> None:
        self.put[given["Key"]] = given["Body"].decode()


REFUSED = {"ok": False, "known": False, "fileId": "", "rows": 0, "copy": ""}


def inspected(
    monkeypatch: pytest.MonkeyPatch, content: bytes, key: str = "rosters/x.csv", *rows: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    storage = Storage(content)
    accounts = Accounts("accounts", Table(*rows))  # type: ignore[arg-type] # a fake
    monkeypatch.setattr(importer, "storage", lambda: storage)
    monkeypatch.setattr(importer, "accounts", lambda: accounts)
    event = {"action": "inspect", "bucket": "b", "key": key}
    return importer.lambda_handler(event, None), storage.put


@pytest.mark.parametrize(
    ("key", "report"),
    [("rosters/x.csv", "reports/x.csv"), ("rosters/a/x.xlsx", "reports/a/x.xlsx.csv")],
)
def test_a_file_that_is_no_roster_gets_its_report(
    monkeypatch: pytest.MonkeyPatch, key: str, report: str
) -> None:
    answer, put = inspected(monkeypatch, b"\xff", key)
    assert answer == REFUSED
    assert put.keys() == {report}
    assert "UTF-8" in put[report]


def test_a_folder_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    assert inspected(monkeypatch, b"", "rosters/2026/") == (REFUSED, {})


def row(file_id: str, index: int, status: str) -> dict[str, str]:
    return {"pk": f"REQUEST#{request_id(file_id, index)}", "sk": "REQUEST", "status": status}


def test_what_is_read_is_what_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, put = inspected(monkeypatch, b"\xef\xbb\xbfname;email\r\nAnna;a@b.c\r\n")
    assert (answer["ok"], answer["known"], answer["rows"]) == (True, False, 1)
    assert put == {answer["copy"]: "name,email\r\nAnna,a@b.c\r\n"}
    assert answer["fileId"] in answer["copy"]


@pytest.mark.parametrize(
    ("statuses", "known"),
    [
        (["created", "rejected", "failed"], True),
        (["created", "rejected"], False),
        (["created", "pending", "created"], False),
        ([], False),
    ],
)
def test_a_file_of_which_all_is_decided_is_known(
    monkeypatch: pytest.MonkeyPatch, statuses: list[str], known: bool
) -> None:
    content = b"email,name\na,b\nc,d\ne,f\n"
    file_id = inspected(monkeypatch, content)[0]["fileId"]
    rows = [row(file_id, number, status) for number, status in enumerate(statuses)]
    answer, put = inspected(monkeypatch, content, "rosters/again.csv", *rows)
    assert (answer["known"], bool(put)) == (known, not known)


@pytest.mark.parametrize("last", [False, True])
def test_a_report_waits_for_the_last_request(monkeypatch: pytest.MonkeyPatch, last: bool) -> None:
    statuses = ("created", "rejected", "pending", "failed")
    table = Table(*(row("f", number, status) for number, status in enumerate(statuses)))
    accounts = Accounts("accounts", table)  # type: ignore[arg-type] # a fake
    storage = Storage(b"")
    monkeypatch.setattr(importer, "storage", lambda: storage)
    monkeypatch.setattr(importer, "accounts", lambda: accounts)
    event = {"action": "report", "bucket": "b", "key": "rosters/x.csv", "fileId": "f", "rows": 5}
    answer = importer.lambda_handler({**event, "last": last}, None)
    # The fifth row has no request: it was never admitted.
    totals = {"created": 1, "rejected": 1, "failed": 2, "pending": 1} if last else {}
    assert answer == {"done": last, **totals}
    assert (len(storage.put) == 1) == last


# --- settings -------------------------------------------------------------------------------------


def test_a_setting_that_is_missing_is_named() -> None:
    with pytest.raises(SettingsError, match="AWS_REGION"):
        environment.parse({})
    with pytest.raises(SettingsError, match="SENDER"):
        environment.parse({"AWS_REGION": "us-east-1"}).need("sender")
    given_all = {name: name.lower() for name in ("AWS_REGION", "ACCOUNTS_TABLE", "SENT_TABLE")}
    assert environment.parse(given_all).need("sent_table") == "sent_table"
