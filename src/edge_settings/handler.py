"""The custom resource: one request of CloudFormation in, one answer out, whatever happens."""

import json
from collections.abc import Mapping
from typing import Any

from edge_settings import aws
from edge_settings.errors import EdgeSettingsError, InvalidSettingsError, UnknownResourceError
from edge_settings.package import with_settings
from edge_settings.requests import check_settings, client_urls_request, version_request

#: CloudFormation keeps at most 4 KB of an answer's body ("Custom resource response objects").
MAX_REASON = 1_000


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, object]:
    """Serve Create, Update and Delete of Custom::EdgeVersion and Custom::ClientUrls.

    Every path ends in an answer to ResponseURL: a request without one keeps a deployment waiting
    for an hour. No value of a setting is logged.
    """
    answer: dict[str, object] = {
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
    }
    try:
        answer |= {"Status": "SUCCESS", **serve(event)}
    except EdgeSettingsError as error:
        answer |= {"Status": "FAILED", "Reason": f"[{error.code}] {error}"[:MAX_REASON]}
    except Exception as error:  # noqa: BLE001 - the deployment must hear of it rather than wait an hour
        answer |= {"Status": "FAILED", "Reason": f"[unexpected] {type(error).__name__}"}
    _log(event, answer)
    aws.answer_cloudformation(event["ResponseURL"], answer)
    return answer


def serve(event: Mapping[str, Any]) -> dict[str, object]:
    """Do what one request asks; return the parts of the answer that it decides."""
    kind, properties = event["ResourceType"], event["ResourceProperties"]
    if kind not in {"Custom::EdgeVersion", "Custom::ClientUrls"}:
        raise UnknownResourceError(f"{kind} is not served here.")
    if event["RequestType"] == "Delete":
        # Replicas of an edge function outlive the distribution by hours, and a version cannot be
        # deleted while it has any: versions stay, and `make sweep` removes them later.
        return {}
    if kind == "Custom::ClientUrls":
        urls = client_urls_request(properties)
        aws.set_client_urls(urls)
        return {"PhysicalResourceId": f"{urls.client_id}-urls"}
    request = version_request(properties)
    settings = request.settings
    if request.room == "edge_auth":
        uri = settings.get("jwks_uri")
        if not isinstance(uri, str):
            raise InvalidSettingsError("Settings of edge_auth: jwks_uri: is missing")
        settings = settings | {"jwks": aws.signing_keys(uri)}
    check_settings(request.room, settings)
    package = with_settings(aws.built_package(request.built_version), settings)
    arn = aws.publish(request.built_version, package)
    # One physical id for the life of the function: a new version replaces nothing, so that
    # CloudFormation sends no Delete for the old one while the distribution still names it.
    return {"PhysicalResourceId": f"{request.room}-version", "Data": {"VersionArn": arn}}


def _log(event: Mapping[str, Any], answer: Mapping[str, object]) -> None:
    line = {
        "request": event["RequestType"],
        "resource": event["LogicalResourceId"],
        "status": answer["Status"],
        "reason": answer.get("Reason"),
        "data": answer.get("Data"),
    }
    print(json.dumps(line))
