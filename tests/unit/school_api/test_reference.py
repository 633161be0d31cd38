"""The API's OpenAPI document and its reference page, as the portal serves them."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import jsonschema
import schemathesis

from tests.support import school_api
from tests.support.paths import ROOT
from tools import api_reference

ANY_METHOD = "x-amazon-apigateway-any-method"
SERVED: dict[str, Any] = json.loads(api_reference.DOCUMENT.read_text())


def operations(paths: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """Return the operations except preflights and refusals, by path and method."""
    return {
        (path, method): operation
        for path, item in paths.items()
        for method, operation in item.items()
        if method not in {"options", ANY_METHOD}
    }


def nodes(node: Any) -> Iterator[Any]:
    yield node
    for inner in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from nodes(inner)


def test_files_are_generated_from_the_definition() -> None:
    """After a change of the API: `make reference`."""
    document = api_reference.document()
    assert api_reference.DOCUMENT.read_text() == api_reference.text_of(document)
    assert api_reference.PAGE.read_text() == api_reference.page_of(document)


def test_document_has_each_operation_of_the_deployed_definition_and_no_other() -> None:
    deployed = operations(school_api.document()["paths"])
    served = operations(SERVED["paths"])
    assert served.keys() == deployed.keys()
    for key, operation in served.items():
        for name in ("operationId", "summary", "parameters", "requestBody", "responses"):
            assert operation.get(name) == deployed[key].get(name), (key, name)
        needs_token = any("students" in scheme for scheme in deployed[key]["security"])
        assert operation["security"] == ([{"students": []}] if needs_token else [])


def test_document_is_valid_and_contains_nothing_of_aws() -> None:
    for node in nodes(SERVED):
        if isinstance(node, dict):
            assert not [name for name in node if name.startswith(("x-amazon-", "Fn::"))]
    schemas = SERVED["components"]["schemas"]
    references = {it["$ref"] for it in nodes(SERVED) if isinstance(it, dict) and "$ref" in it}
    assert references <= {f"#/components/schemas/{name}" for name in schemas}
    for schema in schemas.values():
        jsonschema.Draft4Validator.check_schema(schema)
    api = schemathesis.openapi.from_dict(SERVED)
    assert sum(1 for _ in api.get_all_operations()) == len(operations(SERVED["paths"]))


class Reference(HTMLParser):
    """The anchors, links and headings of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(api_reference.PAGE.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if "id" in attributes:
            self.ids.add(attributes["id"])
        if tag == "a" and attributes["href"].startswith("#"):
            self.anchors.add(attributes["href"][1:])


def test_page_has_a_section_for_each_operation_and_schema() -> None:
    page = Reference()
    assert page.anchors <= page.ids
    names = {it["operationId"] for it in operations(SERVED["paths"]).values()}
    assert names <= page.ids
    assert {f"schema-{name}" for name in SERVED["components"]["schemas"]} <= page.ids


def test_page_escapes_text_of_the_definition() -> None:
    document = json.loads(json.dumps(SERVED))
    document["paths"]["/profile"]["get"]["summary"] = "<script>alert(1)</script> & more"
    page = api_reference.page_of(document)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page


def test_path_of_the_document_needs_no_sign_in_and_no_function() -> None:
    edge = (ROOT / "stacks" / "edge.yaml").read_text()
    patterns = re.findall(r"PathPattern: ([^\s,]+)", edge)
    assert patterns.index("/api/openapi.json") < patterns.index("/api/*")
