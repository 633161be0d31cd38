"""AWS WAF refuses custom responses that it can't send."""

from functools import partial

from aws_emulator.tests.ministack.running import Emulator
from aws_emulator.tests.refusals.refusing import refused
from aws_emulator.tests.refusals.test_settings import web_acl


def test_waf_refuses_custom_response(emulator: Emulator) -> None:
    bodies = {"known": {"ContentType": "TEXT_PLAIN", "Content": "text"}}

    def create(key: str, *headers: str) -> None:
        inserted = [{"Name": name, "Value": "v"} for name in headers]
        response = {
            "ResponseCode": 404,
            "CustomResponseBodyKey": key,
            "ResponseHeaders": inserted,
        }
        block = {"Block": {"CustomResponse": response}}
        web_acl(emulator, DefaultAction=block, CustomResponseBodies=bodies)

    create("known", "x-a", "x-b")
    refused("WAFInvalidParameterException", partial(create, "unknown", "x-a"))
    for names in (("Content-Type",), ("x-a", "X-A")):
        refused("WAFInvalidParameterException", partial(create, "known", *names))
