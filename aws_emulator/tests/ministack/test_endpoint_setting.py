"""A parameter of a SAM template disables the execute-api endpoint of its API, and enables it."""

from typing import Any

import pytest

from aws_emulator.rest_api import stage_reader
from aws_emulator.rest_api.stage_reader import StageReader
from aws_emulator.tests.ministack.running import CREDENTIALS, Emulator, unique


def _template(**stage: Any) -> dict[str, Any]:
    mock = {
        "type": "mock",
        "requestTemplates": {"application/json": '{"statusCode": 200}'},
        "responses": {"default": {"statusCode": "200"}},
    }
    operation = {"responses": {}, "x-amazon-apigateway-integration": mock}
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Parameters": {"Endpoint": {"Type": "String"}},
        "Conditions": {"HasNone": {"Fn::Equals": [{"Ref": "Endpoint"}, "disabled"]}},
        "Resources": {
            "Api": {
                "Type": "AWS::Serverless::Api",
                "Properties": {
                    "StageName": "api",
                    "DisableExecuteApiEndpoint": {"Fn::If": ["HasNone", True, False]},
                    "DefinitionBody": {
                        "openapi": "3.0.1",
                        "info": {"title": "notes", "version": "1"},
                        "paths": {"/notes": {"get": operation}},
                    },
                    **stage,
                },
            }
        },
        "Outputs": {"Api": {"Value": {"Ref": "Api"}}},
    }


@pytest.mark.parametrize("has_variable", [True, False])
def test_parameter_takes_effect_only_with_a_setting_of_the_stage(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, has_variable: bool
) -> None:
    """The definition is the same for both values, so SAM makes no deployment."""
    monkeypatch.setattr(stage_reader, "_TTL_S", 0.0)
    for variable, text in CREDENTIALS.items():
        monkeypatch.setenv(variable, text)
    name, reader = unique("endpoint"), StageReader(emulator.endpoint, "000000000000")
    settings = {"Variables": {"Endpoint": {"Ref": "Endpoint"}}} if has_variable else {}
    template, states = _template(**settings), []
    for value in ("enabled", "disabled", "enabled"):
        api = emulator.deploy(template, name, Endpoint=value)["Api"]
        stage = reader.stage("us-east-1", api, "api")
        assert stage is not None
        states.append(stage.is_endpoint_disabled)
    assert states == [False, has_variable, False]
