"""The environment and the clients of programs that call the emulator."""

from pathlib import Path

import pytest

from aws_emulator.endpoint import Endpoint


def test_environment_replaces_aws_settings_of_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    monkeypatch.setenv("SAM_CLI_ALLOW", "yes")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    monkeypatch.setenv("PATH", "/usr/bin")
    environment = Endpoint("http://127.0.0.1:4566", "eu-west-2").environment([Path("/first")])
    assert environment.keys() & {"AWS_PROFILE", "AWS_SESSION_TOKEN", "SAM_CLI_ALLOW"} == set()
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert environment["AWS_REGION"] == environment["AWS_DEFAULT_REGION"] == "eu-west-2"
    assert environment["HTTPS_PROXY"] == "http://proxy.example"
    folders = environment["PATH"].split(":")
    assert (folders[0], folders[-1]) == ("/first", "/usr/bin")


def test_client_uses_endpoint_and_region() -> None:
    client = Endpoint("http://127.0.0.1:4566", "ap-south-1").client("sqs")
    assert client.meta.endpoint_url == "http://127.0.0.1:4566"
    assert client.meta.region_name == "ap-south-1"
