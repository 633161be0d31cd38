"""Handlers of the workflow: a valid event returns a valid result or raises a SchoolError."""

import json
import re
from datetime import UTC, date, datetime
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepfunctions import (
    identity,
    outbox,
    relay,
    validate,
)
from stepfunctions import settings as environment
from stepfunctions.accounts import Accounts
from stepfunctions.email_address import email_key
from stepfunctions.errors import (
    IdentityTakenError,
    OutboxError,
    PermanentError,
    PersonNotFoundError,
    SchoolError,
    SettingsError,
    TransientError,
)
from stepfunctions.users import Users
from tests import strategies
from tests.unit.stepfunctions.fakes import (
    ACTIVE,
    PERSON,
    EventBus,
    Pool,
    Table,
    client_error,
    to_item,
)

#: The examples of a property test share the function-scoped fixtures on purpose.
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


# --- validate -------------------------------------------------------------------------------------


def validation(monkeypatch: pytest.MonkeyPatch, table: Table) -> dict[str, Any]:
    accounts = Accounts("accounts", table)  # type: ignore[arg-type] # a fake
    monkeypatch.setattr(validate, "accounts", lambda: accounts)
    return validate.lambda_handler({"accountId": "a1"}, None)


def test_valid_request_gets_email_key(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(PERSON)
    first = validation(monkeypatch, table)
    assert (first["valid"], first["reasons"]) == (True, [])
    other = Table({**PERSON, "email": "ANNA@example.COM"})
    other.items["SECRET", "EMAIL"] = table.items["SECRET", "EMAIL"]
    assert validation(monkeypatch, other)["emailKey"] == first["emailKey"]
    assert validation(monkeypatch, Table(PERSON))["emailKey"] != first["emailKey"]


@pytest.mark.parametrize("proof", [True, False])
@pytest.mark.parametrize(("age", "minor"), [(10, True), (17, True), (18, False), (40, False)])
def test_only_the_form_of_a_minor_has_a_proof_for_the_guardian(
    monkeypatch: pytest.MonkeyPatch, age: int, minor: bool, proof: bool
) -> None:
    today = datetime.now(UTC).date()
    born = f"{today.year - age}-01-01"
    person = {**PERSON, "date_of_birth": born, "guardian_email": "Parent@Example.com"}
    table = Table(person)
    accounts = Accounts("accounts", table)  # type: ignore[arg-type] # a fake
    monkeypatch.setattr(validate, "accounts", lambda: accounts)
    answer = validate.lambda_handler({"accountId": "a1", "proof": proof}, None)
    assert answer["valid"]
    assert {"guardianKey", "guardianToken"} & answer.keys() == (
        {"guardianKey", "guardianToken"} if minor and proof else set()
    )
    if minor and proof:
        assert answer["guardianKey"] == email_key("parent@example.com", accounts.email_secret())
        assert len({answer["token"], answer["guardianToken"]}) == 2


def test_row_of_a_minor_needs_no_guardian(monkeypatch: pytest.MonkeyPatch) -> None:
    born = f"{datetime.now(UTC).year - 10}-01-01"
    accounts = Accounts("accounts", Table({**PERSON, "date_of_birth": born}))  # type: ignore[arg-type] # a fake
    monkeypatch.setattr(validate, "accounts", lambda: accounts)
    answers = [
        validate.lambda_handler({"accountId": "a1", "trusted": it}, None) for it in (True, False)
    ]
    assert [it["valid"] for it in answers] == [True, False]
    assert answers[1]["reasons"][0]["field"] == "guardianEmail"


@pytest.mark.parametrize(("owner", "free"), [("a1", True), ("a2", False)])
def test_address_is_free_only_for_its_owner(
    monkeypatch: pytest.MonkeyPatch, owner: str, free: bool
) -> None:
    table = Table(PERSON)
    key = validation(monkeypatch, table)["emailKey"]
    row = {"pk": f"EMAIL#{key}", "sk": "EMAIL", "account_id": owner}
    table.items[row["pk"], row["sk"]] = to_item(row)
    answer = validation(monkeypatch, table)
    assert (answer["valid"], answer["free"]) == (True, free)
    assert [it["code"] for it in answer["reasons"]] == ([] if free else ["taken"])


@pytest.mark.parametrize("status", ["pending", "active", "withdrawn"])
def test_validate_returns_account_status(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    account = {**ACTIVE, "status": status}
    assert validation(monkeypatch, Table(account, PERSON))["status"] == status
    alone = validation(monkeypatch, Table(account))["status"]
    assert alone == ("undone" if status == "withdrawn" else status)
    assert validation(monkeypatch, Table(PERSON))["status"] == ""


def test_validate_returns_token_only_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """The histories of Standard workflows keep the result, so the account workflow gets none."""
    assert "token" not in validation(monkeypatch, Table(PERSON))
    event = {"accountId": "a1", "proof": True}
    tokens = {validate.lambda_handler(event, None)["token"] for _ in range(100)}
    assert len(tokens) == 100
    # The pattern of the API's AccountProof, and the key of the address.
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}[0-9a-f]{64}", it) for it in tokens)


MINOR: Final = {
    **PERSON,
    "date_of_birth": f"{date.today().year - 15}-01-01",  # noqa: DTZ011 - any day of the year
    "guardian_email": "parent@example.com",
}
OWNED: Final = {"sk": "EMAIL", "account_id": "a2"}


@pytest.mark.parametrize(
    ("person", "is_owned", "creates"),
    [(PERSON, False, True), (PERSON, True, False), (MINOR, False, False)],
)
def test_token_has_the_key_of_the_address_if_the_proof_may_create_the_account(
    monkeypatch: pytest.MonkeyPatch, person: dict[str, str], is_owned: bool, creates: bool
) -> None:
    table = Table(person)
    key = validation(monkeypatch, table)["emailKey"]
    if is_owned:
        row = {"pk": f"EMAIL#{key}", **OWNED}
        table.items[row["pk"], row["sk"]] = to_item(row)
    answer = validate.lambda_handler({"accountId": "a1", "proof": True}, None)
    assert answer["valid"]
    assert answer["token"][43:] == (key if creates else "")


def test_concurrent_creation_of_secret_returns_first_one(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(PERSON)
    accounts = Accounts("accounts", table)  # type: ignore[arg-type] # a fake
    read = table.get_item
    seen: list[int] = []

    def late(**arguments: Any) -> Any:
        answer = read(**arguments)
        if arguments["Key"]["pk"]["S"] == "SECRET" and not seen:
            seen.append(1)
            Accounts("accounts", table).email_secret()  # type: ignore[arg-type] # a fake
            return {}
        return answer

    monkeypatch.setattr(table, "get_item", late)
    assert accounts.email_secret() == Accounts("accounts", table).email_secret()  # type: ignore[arg-type] # a fake


def test_validate_rejects_expired_request(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = validation(monkeypatch, Table())
    assert (answer["valid"], answer["reasons"][0]["code"]) == (False, "expired")


@shared
@given(strategies.form_fields())
def test_validate_returns_result_without_form_values(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, str | None]
) -> None:
    form = {name: f"{value} canary" for name, value in fields.items() if value is not None}
    answer = validation(monkeypatch, Table({"pk": "ACCOUNT#a1", "sk": "PERSON", **form}))
    assert answer.keys() == {"valid", "free", "reasons", "emailKey", "status"}
    assert answer["valid"] == (not answer["reasons"]) == bool(answer["emailKey"])
    assert "canary" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (client_error("ThrottlingException"), TransientError),
        (client_error("Whatever", 503), TransientError),
        (client_error("ValidationException"), PermanentError),
    ],
)
def test_error_omits_message_of_dynamodb(
    monkeypatch: pytest.MonkeyPatch, error: Any, expected: type[SchoolError]
) -> None:
    table = Table(PERSON)
    table.errors = [error]
    with pytest.raises(expected) as caught:
        validation(monkeypatch, table)
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize(
    ("stored", "listed", "changes"),
    [
        ({"name": "Anna"}, {"name": "Anna"}, False),
        ({"name": "Anna", "locale": "vi"}, {"name": "Anna"}, False),
        ({"name": "Anna"}, {"name": "Ann Lee"}, True),
        ({"name": "Anna"}, {"name": "Anna", "programme": "music"}, True),
    ],
)
def test_only_changed_row_of_roster_changes_account(
    monkeypatch: pytest.MonkeyPatch,
    trusted: bool,
    stored: dict[str, str],
    listed: dict[str, str],
    changes: bool,
) -> None:
    email = {"email": "anna@example.com"}
    table = Table(
        {"pk": "ACCOUNT#a1", "sk": "PERSON", **email, **listed},
        {"pk": "ACCOUNT#a2", "sk": "PERSON", **email, **stored},
        {"pk": "ACCOUNT#a2", "sk": "ACCOUNT", "status": "active"},
    )
    key = validation(monkeypatch, table)["emailKey"]
    table.items[f"EMAIL#{key}", "EMAIL"] = to_item({"account_id": "a2"})
    answer = validate.lambda_handler({"accountId": "a1", "trusted": trusted}, None)
    assert (answer["free"], answer.get("changedAccount")) == (
        False,
        "a2" if trusted and changes else None,
    )
    # An account that isn't created yet, or withdrawn, keeps its own data.
    table.items["ACCOUNT#a2", "ACCOUNT"] = to_item({**ACTIVE, "status": "pending"})
    assert "changedAccount" not in validate.lambda_handler(
        {"accountId": "a1", "trusted": True}, None
    )


# --- identity -------------------------------------------------------------------------------------


def identity_result(
    monkeypatch: pytest.MonkeyPatch, pool: Pool, action: str, account: str = "a1", **changes: str
) -> dict[str, Any]:
    table = Table({**PERSON, "pk": f"ACCOUNT#{account}", **changes})
    accounts = Accounts("accounts", table)  # type: ignore[arg-type] # a fake
    users = Users("pool", pool)  # type: ignore[arg-type] # a fake
    monkeypatch.setattr(identity, "accounts", lambda: accounts)
    monkeypatch.setattr(identity, "users", lambda: users)
    return identity.lambda_handler({"action": action, "accountId": account}, None)


def test_create_is_idempotent(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool()
    first = identity_result(monkeypatch, pool, "create")
    assert first["sub"]
    assert first == identity_result(monkeypatch, pool, "create")
    assert list(pool.users) == ["anna@example.com"]


def test_user_of_another_account_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = Pool()
    identity_result(monkeypatch, pool, "create")
    with pytest.raises(IdentityTakenError):
        identity_result(monkeypatch, pool, "create", "a2")
    identity_result(monkeypatch, pool, "delete", "a2")
    assert list(pool.users) == ["anna@example.com"]


def test_delete_is_idempotent(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool()
    identity_result(monkeypatch, pool, "create")
    for _ in range(2):
        assert identity_result(monkeypatch, pool, "delete") == {"sub": ""}
    assert pool.users == {}


def test_update_changes_student_and_user_but_not_address(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool()
    identity_result(monkeypatch, pool, "create")
    row = {"pk": "ACCOUNT#a9", "sk": "PERSON", "email": "anna@example.com", "name": "Ann Lee"}
    table = Table(PERSON, ACTIVE, {**row, "programme": "music"})
    accounts = Accounts("accounts", table)  # type: ignore[arg-type] # a fake
    monkeypatch.setattr(identity, "accounts", lambda: accounts)
    event = {"action": "update", "accountId": "a9", "changedAccount": "a1"}
    for _ in range(2):
        assert identity.lambda_handler(event, None) == {"sub": ""}
    attributes = {it["Name"]: it["Value"] for it in pool.users["anna@example.com"]}
    assert (attributes["name"], attributes["locale"]) == ("Ann Lee", "vi")
    changed = {"name": "Ann Lee", "programme": "music"}
    assert table.items["ACCOUNT#a1", "PERSON"] == to_item({**PERSON, **changed})


@pytest.mark.parametrize("missing", ["PERSON", "ACCOUNT"])
def test_update_of_missing_account_is_refused(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    pool = Pool()
    identity_result(monkeypatch, pool, "create")
    table = Table(PERSON, ACTIVE, {**PERSON, "pk": "ACCOUNT#a9", "name": "Ann Lee"})
    del table.items["ACCOUNT#a1", missing]
    accounts = Accounts("accounts", table)  # type: ignore[arg-type] # a fake
    monkeypatch.setattr(identity, "accounts", lambda: accounts)
    event = {"action": "update", "accountId": "a9", "changedAccount": "a1"}
    with pytest.raises(PersonNotFoundError):
        identity.lambda_handler(event, None)
    assert "Ann Lee" not in str(pool.users)


def test_update_never_changes_user_of_another_account(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool()
    identity_result(monkeypatch, pool, "create", "a2")
    table = Table(PERSON, ACTIVE, {**PERSON, "pk": "ACCOUNT#a9", "name": "Ann Lee"})
    accounts = Accounts("accounts", table)  # type: ignore[arg-type] # a fake
    monkeypatch.setattr(identity, "accounts", lambda: accounts)
    event = {"action": "update", "accountId": "a9", "changedAccount": "a1"}
    with pytest.raises(PermanentError):
        identity.lambda_handler(event, None)
    assert "Ann Lee" not in str(pool.users)


def test_invalid_address_has_no_user(monkeypatch: pytest.MonkeyPatch) -> None:
    identity_result(monkeypatch, Pool(), "delete", email="no-domain")
    with pytest.raises(PersonNotFoundError):
        identity_result(monkeypatch, Pool(), "create", email="no-domain")


def test_create_retries_when_existing_user_disappears(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool()
    pool.errors = [client_error("UsernameExistsException")]
    with pytest.raises(TransientError):
        identity_result(monkeypatch, pool, "create")


@pytest.mark.parametrize("attempts", [1, 2])
def test_created_user_can_sign_in_although_pool_sets_temporary_password(
    monkeypatch: pytest.MonkeyPatch, attempts: int
) -> None:
    pool = Pool("FORCE_CHANGE_PASSWORD")
    for _ in range(attempts):
        assert identity_result(monkeypatch, pool, "create")["sub"]
    assert pool.statuses == {"anna@example.com": "CONFIRMED"}


@pytest.mark.parametrize("random", ["aaaa", "ZZZZ", "0000", "____"])
def test_temporary_password_is_replaced_by_one_that_any_policy_accepts(
    monkeypatch: pytest.MonkeyPatch, random: str
) -> None:
    """An existing pool can require 99 characters and each class (PasswordPolicyType)."""
    pool, sent = Pool("FORCE_CHANGE_PASSWORD"), []
    confirm = pool.admin_set_user_password

    def keep(**arguments: Any) -> Any:
        sent.append(arguments["Password"])
        return confirm(**arguments)

    monkeypatch.setattr(pool, "admin_set_user_password", keep)
    # base64url: four characters for three bytes.
    monkeypatch.setattr("secrets.token_urlsafe", lambda size: random * (size // 3))
    identity_result(monkeypatch, pool, "create")
    (password,) = sent
    assert 99 <= len(password) <= 256
    for characters in ("[A-Z]", "[a-z]", "[0-9]", "[!.]"):
        assert re.search(characters, password), characters


def test_retry_confirms_user_without_permanent_password(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool("FORCE_CHANGE_PASSWORD")
    create = pool.admin_create_user

    def fail_afterwards(**arguments: Any) -> Any:
        created = create(**arguments)
        pool.errors = [client_error("TooManyRequestsException")]
        return created

    monkeypatch.setattr(pool, "admin_create_user", fail_afterwards)
    with pytest.raises(TransientError):
        identity_result(monkeypatch, pool, "create")
    assert pool.statuses == {"anna@example.com": "FORCE_CHANGE_PASSWORD"}
    monkeypatch.setattr(pool, "admin_create_user", create)
    identity_result(monkeypatch, pool, "create")
    assert pool.statuses == {"anna@example.com": "CONFIRMED"}


def test_user_of_another_account_keeps_temporary_password(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool()
    identity_result(monkeypatch, pool, "create")
    pool.statuses["anna@example.com"] = "FORCE_CHANGE_PASSWORD"
    with pytest.raises(IdentityTakenError):
        identity_result(monkeypatch, pool, "create", "a2")
    assert pool.statuses == {"anna@example.com": "FORCE_CHANGE_PASSWORD"}


# --- relay ----------------------------------------------------------------------------------------


def stream_record(number: int) -> dict[str, Any]:
    keys = {"pk": {"S": f"ACCOUNT#a{number}"}, "sk": {"S": "OUTBOX#AccountCreated"}}
    return {"dynamodb": {"Keys": keys, "SequenceNumber": str(1000 + number)}}


@shared
@given(st.integers(1, 45), st.sets(st.integers(0, 60), max_size=4))
def test_relay_publishes_every_record_before_reported_failure(
    monkeypatch: pytest.MonkeyPatch, count: int, rejected: set[int]
) -> None:
    bus = EventBus(rejected)
    monkeypatch.setattr(relay, "client", lambda: bus)
    answer = relay.lambda_handler({"Records": [stream_record(it) for it in range(count)]}, None)
    published = [json.loads(it)["accountId"] for it in bus.accepted]
    failures = answer["batchItemFailures"]
    first = int(failures[0]["itemIdentifier"]) - 1000 if failures else count
    assert len(failures) <= 1
    assert {f"a{it}" for it in range(first)} <= set(published)
    assert first == min((it for it in rejected if it < count), default=count)


def test_relay_passes_on_and_logs_id_of_causing_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bus = EventBus(set())
    monkeypatch.setattr(relay, "client", lambda: bus)
    record = stream_record(1)
    record["dynamodb"]["NewImage"] = {"correlation_id": {"S": "cf-1"}}
    relay.lambda_handler({"Records": [record, stream_record(2)]}, None)
    first, second = (json.loads(it) for it in bus.accepted)
    assert outbox.from_queue(first).correlation_id == "cf-1"
    assert "correlationId" not in second
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("correlation_id") for line in lines] == ["cf-1", None]
    assert lines[0]["outbox_id"] == "a1/AccountCreated"


def test_functions_log_id_of_causing_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    accounts = Accounts("accounts", Table(PERSON))  # type: ignore[arg-type] # a fake
    monkeypatch.setattr(validate, "accounts", lambda: accounts)
    validate.lambda_handler({"accountId": "a1", "correlationId": "cf-1"}, None)
    line = json.loads(capsys.readouterr().out)
    assert line == {
        "level": "INFO",
        "message": "validated",
        "correlation_id": "cf-1",
        "account_id": "a1",
        "reasons": [],
    }


@pytest.mark.parametrize(
    "record", [{}, {"dynamodb": {"Keys": {"pk": {"S": "X#1"}, "sk": {"S": "Y"}}}}]
)
def test_relay_raises_for_record_outside_outbox(record: dict[str, Any]) -> None:
    with pytest.raises(OutboxError):
        relay.lambda_handler({"Records": [record]}, None)


# --- settings -------------------------------------------------------------------------------------


def test_missing_setting_is_named() -> None:
    with pytest.raises(SettingsError, match="AWS_REGION"):
        environment.parse({})
    with pytest.raises(SettingsError, match="SENDER"):
        environment.parse({"AWS_REGION": "us-east-1"}).require("sender")
    given_all = {name: name.lower() for name in ("AWS_REGION", "ACCOUNTS_TABLE", "SENT_TABLE")}
    assert environment.parse(given_all).require("sent_table") == "sent_table"
