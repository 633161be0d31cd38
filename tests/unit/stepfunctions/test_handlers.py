"""The handlers at their boundary: any legal event gives a legal answer, or one of our errors."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepfunctions import (
    identity,
    relay,
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
from stepfunctions.users import Users
from tests import strategies
from tests.unit.stepfunctions.fakes import ACTIVE, PERSON, Bus, Pool, Table, refusal, wire

#: A fixture that is made once for many examples is meant to be.
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


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
    account = {**ACTIVE, "status": status}
    assert validated(monkeypatch, Table(account, PERSON))["status"] == status
    alone = validated(monkeypatch, Table(account))["status"]
    assert alone == ("undone" if status == "withdrawn" else status)
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


# --- settings -------------------------------------------------------------------------------------


def test_a_setting_that_is_missing_is_named() -> None:
    with pytest.raises(SettingsError, match="AWS_REGION"):
        environment.parse({})
    with pytest.raises(SettingsError, match="SENDER"):
        environment.parse({"AWS_REGION": "us-east-1"}).need("sender")
    given_all = {name: name.lower() for name in ("AWS_REGION", "ACCOUNTS_TABLE", "SENT_TABLE")}
    assert environment.parse(given_all).need("sent_table") == "sent_table"
