"""Validate the method request: required parameters, and the body against its model."""

from aws_emulator.rest_api.errors import GatewayResponseError, InvalidJsonError
from aws_emulator.rest_api.model import Method, Parameters, Request
from aws_emulator.rest_api.request_model import parse_json


def validate(method: Method, request: Request, parameters: Parameters) -> None:
    """Validate a request as the method's request validator does.

    Raises:
        GatewayResponseError: A required parameter is missing (BAD_REQUEST_PARAMETERS), or the body
            doesn't match its model (BAD_REQUEST_BODY).
    """
    for location, name in method.required_parameters:
        # "... the required request parameters ... are included and not blank."
        if not parameters[location].get(name, "").strip():
            raise GatewayResponseError("BAD_REQUEST_PARAMETERS")
    model = method.models.get(request.media_type)
    if model is None:
        return
    try:
        document = parse_json(request.body)
    except InvalidJsonError as error:
        raise GatewayResponseError("BAD_REQUEST_BODY", "the body isn't JSON") from error
    if not model.accepts(document):
        raise GatewayResponseError("BAD_REQUEST_BODY", "the body doesn't match its model")
