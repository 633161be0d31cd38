"""The message about the recipient of alarms after a deployment."""

from tools.deployment.deploy import alarm_notice
from tools.deployment.templates import load
from tools.paths import ROOT


def test_deployment_without_operator_email_says_that_alarms_have_no_recipient() -> None:
    outputs = load(ROOT / "template.yaml")["Outputs"]["AlarmRecipient"]["Value"]["Fn::If"]
    assert alarm_notice(outputs[2], "london").startswith("No address receives the alarms")
    assert "ops@school.example" in alarm_notice("ops@school.example", "london")
