"""MiniStack features that need no patch but that applications rely on."""

import httpx
import jwt
import pytest
from botocore.exceptions import ClientError

from aws_emulator.tests.ministack.contracts_cognito import (
    CALLBACK,
    SIGNED_OUT,
    VERIFIER,
    authorization,
    sign_in,
    token,
    user_pool_client,
)
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import ROLE, function, package, stack


def test_put_object_with_if_none_match_fails_when_object_exists(emulator: Emulator) -> None:
    storage, bucket = emulator.client("s3"), unique("once")
    storage.create_bucket(Bucket=bucket)
    first = {"Bucket": bucket, "Key": "events/a.parquet", "IfNoneMatch": "*"}
    storage.put_object(**first, Body=b"1", Metadata={"last": "42", "good": "7"})
    with pytest.raises(ClientError) as caught:
        storage.put_object(**first, Body=b"2", Metadata={"last": "43"})
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert caught.value.response["Error"]["Code"] == "PreconditionFailed"
    head = storage.head_object(Bucket=bucket, Key=first["Key"])
    assert head["Metadata"] == {"last": "42", "good": "7"}
    assert storage.get_object(Bucket=bucket, Key=first["Key"])["Body"].read() == b"1"


def test_stream_exists_in_its_region_only(emulator: Emulator) -> None:
    name = unique("far")
    streams = emulator.client("kinesis", "ap-south-1")
    streams.create_stream(StreamName=name, ShardCount=2)
    answer = streams.put_records(
        StreamName=name, Records=[{"Data": b"x", "PartitionKey": str(i)} for i in range(20)]
    )
    assert answer["FailedRecordCount"] == 0
    assert {record["ShardId"] for record in answer["Records"]} == {
        "shardId-000000000000",
        "shardId-000000000001",
    }
    with pytest.raises(ClientError, match="not found"):
        emulator.client("kinesis").describe_stream(StreamName=name)


def test_function_is_active_after_create_and_update(emulator: Emulator) -> None:
    name = unique("active")
    emulator.deploy(stack(Role=ROLE, Active=function(name, "def handler(e, c):\n    pass\n")), name)
    functions = emulator.client("lambda")
    assert functions.get_function_configuration(FunctionName=name)["State"] == "Active"
    functions.update_function_code(FunctionName=name, ZipFile=package(index="def handler(): 0\n"))
    functions.get_waiter("function_updated_v2").wait(
        FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 10}
    )
    assert functions.get_function_configuration(FunctionName=name)["State"] == "Active"


def test_browser_signs_in_with_pkce(emulator: Emulator) -> None:
    pool, client = user_pool_client(emulator)
    with httpx.Client(base_url=emulator.endpoint) as browser:
        callback = sign_in(browser, client)
        assert callback["state"] == "st&te=1"
        exchange = {
            "grant_type": "authorization_code",
            "code": callback["code"],
            "redirect_uri": CALLBACK,
        }
        wrong = token(browser, client, **exchange, code_verifier="w" * 64)
        assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_grant")
        tokens = token(browser, client, **exchange, code_verifier=VERIFIER).json()
        again = token(browser, client, **exchange, code_verifier=VERIFIER)
        assert again.json()["error"] == "invalid_grant"
        assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 45 * 60)

        keys = browser.get(f"/{pool}/.well-known/jwks.json").json()["keys"]
        issuer = f"https://cognito-idp.us-east-1.amazonaws.com/{pool}"
        by_id = {key["kid"]: jwt.PyJWK(key) for key in keys}
        for kind, audience in (("id_token", client), ("access_token", None)):
            key = by_id[jwt.get_unverified_header(tokens[kind])["kid"]]
            claims = jwt.decode(tokens[kind], key, ["RS256"], audience=audience, issuer=issuer)
            assert claims["cognito:groups"] == ["members"]
            if kind == "id_token":
                assert (claims["nonce"], claims["email"]) == ("n once", "user@app.example")
            else:
                assert claims["client_id"] == client


def test_sign_in_fails_for_wrong_redirect_uri_or_password(emulator: Emulator) -> None:
    _, client = user_pool_client(emulator)
    with httpx.Client(base_url=emulator.endpoint) as browser:
        elsewhere = authorization(client, redirect_uri="https://elsewhere.example/")
        assert browser.get("/oauth2/authorize", params=elsewhere).status_code == 400
        form = {**authorization(client), "username": "user@app.example", "password": "no"}
        page = browser.post("/login", data=form)
        assert page.status_code == 200
        assert "Incorrect username or password" in page.text


def test_logout_redirects_to_registered_uri_only(emulator: Emulator) -> None:
    _, client = user_pool_client(emulator)
    with httpx.Client(base_url=emulator.endpoint) as browser:
        query = {"client_id": client, "logout_uri": SIGNED_OUT}
        answer = browser.get("/logout", params=query)
        assert (answer.status_code, answer.headers["location"]) == (302, SIGNED_OUT)
        query["logout_uri"] = "https://elsewhere.example/"
        assert browser.get("/logout", params=query).status_code == 400


def test_call_count_refuses_a_module_outside_ministack(emulator: Emulator) -> None:
    for module in ("os", "ministack.services.unknown"):
        with pytest.raises(AssertionError, match="400"), emulator.calls(module):
            pass


def test_call_count_ends_with_its_block(emulator: Emulator) -> None:
    with emulator.calls("ministack.services.sqs") as calls:
        emulator.client("sqs").create_queue(QueueName=unique("counted"))
    assert sum(calls.values()) > 0
    emulator.client("sqs").create_queue(QueueName=unique("uncounted"))
    assert emulator.local("calls") == {}
