"""The API's reference on the running system: the deployed routes, both ways, and the page."""

import json
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support import axe
from tests.system.portal.conftest import chromium, page_errors, visit
from tests.system.portal.test_journey import assert_fits
from tools.dev.system import System
from tools.stack import client

__all__ = ["chromium", "page_errors", "visit"]


@pytest.mark.integration
def test_served_document_describes_exactly_the_deployed_routes(meridian: System) -> None:
    """It also describes the operations for a further Region, which this stage doesn't have."""
    response = httpx.get(f"{meridian.url}/api/openapi.json", timeout=30)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    described = {
        (path, method) for path, item in response.json()["paths"].items() for method in item
    }
    export = client("apigateway", meridian.target).get_export(
        restApiId=meridian.deployed.outputs["ApiId"], stageName="api", exportType="oas30"
    )
    deployed = {
        (path, method)
        for path, item in json.loads(export["body"].read())["paths"].items()
        for method in item
        if method not in {"options", "x-amazon-apigateway-any-method"}
    }
    of_further = {it for it in described if "/further-1" in it[0]}
    assert described - of_further == deployed
    assert of_further


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_reference_page_is_accessible(
    visit: Callable[..., Page], page_errors: list[str], width: int
) -> None:
    page = visit(width)
    page.goto("/api.html")
    expect(page.get_by_role("heading", name="API", exact=True)).to_be_visible()
    page.get_by_role("link", name="POST /students/{studentId}/access").click()
    expect(page.locator("#changeAccess")).to_be_in_viewport()
    assert axe.violations(page) == []
    assert_fits(page)
    assert page_errors == []
